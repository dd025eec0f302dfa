"""The linear code of pictures: as good as the exact one, the same each time, sound when read."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save_file

from archipel.corpus.pictures import Latents, fit
from archipel.errors import ConfigError, IntegrityError

SIZE = 8


@pytest.fixture(scope="module")
def pixels() -> npt.NDArray[np.float32]:
    """200 smooth pictures [200, 192], whose components differ in strength."""
    dice = np.random.default_rng(1)
    strengths = 1 / np.arange(1, 61)
    waves = np.linalg.qr(dice.standard_normal((SIZE * SIZE * 3, 60))).Q.T
    found = (dice.standard_normal((200, 60)) * strengths) @ waves
    return np.asarray(found / abs(found).max() * 0.9, np.float32)


def test_the_code_keeps_as_much_as_exact_components(pixels: npt.NDArray[np.float32]) -> None:
    latents = fit(pixels, 20)
    squares = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False) ** 2
    best = squares[:20].sum() / squares.sum()
    assert latents.variance_kept(pixels) == pytest.approx(best, rel=1e-3)
    rows = latents.components.astype(np.float32)
    assert rows @ rows.T == pytest.approx(np.eye(20), abs=2e-3)


def test_values_are_deviations_in_steps(pixels: npt.NDArray[np.float32]) -> None:
    latents = fit(pixels, 20)
    values = latents.encode(pixels)
    assert values.dtype == np.uint16
    assert values.shape == (200, 20)
    z = (pixels - latents.mean) @ latents.components.astype(np.float32).T
    assert latents.scale == pytest.approx(z.std(axis=0), rel=1e-3)
    expected = np.round(np.clip(z / latents.scale, -8, 8) / 8 * 32767) + 32768
    assert np.abs(values.astype(int) - expected).max() <= 1
    far = latents.mean + 100 * latents.scale[0] * latents.components[0].astype(np.float32)
    assert latents.encode(far[None])[0, 0] in (1, 65535)


def test_pictures_come_back(pixels: npt.NDArray[np.float32]) -> None:
    latents = fit(pixels, 60)
    back = latents.decode(latents.encode(pixels))
    assert back.dtype == np.float32
    assert np.abs(back - pixels).max() < 2e-3


def test_bytes_and_floats_are_the_same_pictures() -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (30, 192), np.uint8)
    floats = pictures.astype(np.float32) / 127.5 - 1
    latents = fit(pictures, 10)
    assert np.array_equal(latents.components, fit(floats, 10).components)
    assert np.array_equal(latents.encode(pictures), latents.encode(floats))
    assert np.array_equal(latents.components, fit(pictures, 10, seed=0).components)
    assert not np.array_equal(latents.components, fit(pictures, 10, seed=1).components)


def test_there_are_no_more_values_than_differences() -> None:
    pictures = np.random.default_rng(3).integers(0, 256, (6, 192), np.uint8)
    latents = fit(pictures, 50)
    assert latents.values == 5
    back = latents.decode(latents.encode(pictures))
    assert np.abs(back - (pictures / 127.5 - 1)).max() < 0.01
    for same in (np.repeat(pictures[:1], 5, axis=0), pictures[:1]):
        with pytest.raises(ConfigError, match="all the same"):
            fit(same, 50)


def test_what_was_saved_is_read(pixels: npt.NDArray[np.float32], tmp_path: Path) -> None:
    latents = fit(pixels, 20)
    latents.save(tmp_path / "latents.safetensors")
    found = Latents.load(tmp_path / "latents.safetensors")
    assert found.size == SIZE
    assert np.array_equal(found.encode(pixels), latents.encode(pixels))
    latents.save(tmp_path / "again.safetensors")
    both = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("latents", "again")]
    assert both[0] == both[1]


def test_a_code_that_makes_no_sense_is_refused(
    pixels: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "latents.safetensors"
    with pytest.raises(ConfigError, match="can't read"):
        Latents.load(path)
    fit(pixels, 20).save(path)
    good, tensors = path.read_bytes(), load_file(path)
    path.write_bytes(good[:-1])
    with pytest.raises(IntegrityError, match="no code of pictures"):
        Latents.load(path)
    for change, size, why in (
        ({"scale": tensors["scale"][:-1].copy()}, "8", "components for pictures"),
        ({"mean": tensors["mean"].astype(np.int32)}, "8", "not float16"),
        ({"scale": tensors["scale"] * np.float32("nan")}, "8", "not finite"),
        ({"scale": tensors["scale"] * np.float32(0)}, "8", "not positive"),
        ({}, "9", "components for pictures"),
        ({}, "-8", "components for pictures"),
        ({}, "eight", "no code of pictures"),
    ):
        save_file(tensors | change, path, {"size": size})
        with pytest.raises(IntegrityError, match=why):
            Latents.load(path)
    del tensors["mean"]
    save_file(tensors, path, {"size": "8"})
    with pytest.raises(IntegrityError, match="no code of pictures"):
        Latents.load(path)
