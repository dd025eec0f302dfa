"""A small model of pictures: what it has learnt is seen in what it paints."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archipel.corpus import TokenReader, read_manifest
from archipel.errors import ModelError
from archipel.images.flow import FlowModel
from archipel.images.flow_folder import save_flow
from archipel.images.learning import flow_loss, held_out_loss
from archipel.images.painter import Order, Painter, open_painter
from archipel.images.sizes import flow_config
from tests.images.coloured import SIDE, build, write_pictures

_STEPS = 300


def nobody(done: int, total: int) -> bool:
    return False


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coloured")
    write_pictures(folder / "pictures")
    build(folder / "pictures", folder / "corpus")
    return folder / "corpus"


@pytest.fixture(scope="module")
def trained(corpus: Path) -> tuple[FlowModel, list[float]]:
    """A narrow model after some hundred steps, and what it lost on what it had not seen, before
    and after."""
    torch.manual_seed(0)
    manifest = read_manifest(corpus)
    config = flow_config("nano", manifest, corpus)
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 128, 256, 2
    model = FlowModel(config)
    held_out = TokenReader(corpus, manifest, "held_out")
    losses = [held_out_loss(model, held_out)]
    reader = TokenReader(corpus, manifest, "train")
    rows = torch.from_numpy(reader.read(0, reader.tokens).reshape(-1, config.row_tokens))
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    dice = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(_STEPS):
        loss = flow_loss(model, config, rows.repeat(2, 1), dice).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model, [*losses, held_out_loss(model, held_out)]


@pytest.fixture(scope="module")
def folder(
    trained: tuple[FlowModel, list[float]], corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    place = tmp_path_factory.mktemp("model") / "coloured"
    tensors = {name: p.detach().numpy() for name, p in trained[0].named_parameters()}
    save_flow(place, trained[0].config, tensors, corpus, card="Discs and bars.")
    return place


@pytest.fixture(scope="module")
def painter(folder: Path) -> Painter:
    return open_painter(folder, threads=1)


def colour(picture: Image.Image) -> np.ndarray:
    """Of what is drawn: the mean of the pixels that are not white."""
    pixels = np.asarray(picture.convert("RGB"), np.float32).reshape(-1, 3)
    drawn = pixels[pixels.min(1) < 160]
    return drawn.mean(0)


def test_it_learns_what_it_has_not_seen_too(trained: tuple[FlowModel, list[float]]) -> None:
    before, after = trained[1]
    assert after < 0.7 * before


@pytest.mark.parametrize(
    ("words", "channel"), [("red disc", 0), ("barre vert", 1), ("blue bar", 2), ("disque bleu", 2)]
)
def test_it_paints_what_the_words_say(painter: Painter, words: str, channel: int) -> None:
    for picture in painter.paint(Order(words, count=3, seed=5), nobody):
        assert picture.size == (SIDE, SIDE)
        assert int(colour(picture).argmax()) == channel


def test_each_picture_is_as_if_it_were_the_only_one(painter: Painter) -> None:
    four = painter.paint(Order("red bar", count=4, seed=7), nobody)
    [third] = painter.paint(Order("red bar", seed=9), nobody)
    apart = np.asarray(four[2], np.float32) - np.asarray(third, np.float32)
    assert np.abs(apart).max() <= 2  # rounding: matrix products of other shapes
    assert four[0].tobytes() != four[1].tobytes()


def test_larger_pictures_are_enlarged(painter: Painter) -> None:
    [picture] = painter.paint(Order("black disc", width=64, height=48), nobody)
    assert picture.size == (64, 48)
    assert not painter.sizes.allows(8, 8)


def test_a_picture_is_begun_from_and_changed_as_much_as_is_asked(painter: Painter) -> None:
    [red] = painter.paint(Order("red disc", seed=1), nobody)
    [same] = painter.paint(Order("red disc", image=red, strength=0.05), nobody)
    [blue] = painter.paint(Order("blue disc", image=red, strength=1.0), nobody)
    assert int(colour(same).argmax()) == 0
    assert int(colour(blue).argmax()) == 2


def test_only_what_the_mask_leaves_open_is_changed(painter: Painter) -> None:
    before = Image.new("RGB", (SIDE, SIDE), (200, 150, 90))
    mask = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, SIDE, SIDE // 2))
    [after] = painter.paint(Order("blue disc", image=before, mask=mask, strength=1.0), nobody)
    pixels = np.asarray(after)
    assert (pixels[SIDE // 2 :] == (200, 150, 90)).all()
    assert not (pixels[: SIDE // 2] == (200, 150, 90)).all()


def test_it_stops_when_nobody_waits(painter: Painter) -> None:
    heard: list[tuple[int, int]] = []

    def leaving(done: int, total: int) -> bool:
        heard.append((done, total))
        return done == 3

    assert painter.paint(Order("red disc", steps=10), leaving) == []
    assert heard == [(1, 10), (2, 10), (3, 10)]


def _other_code(folder: Path) -> None:
    code = folder / "latents" / "latents.safetensors"
    code.write_bytes(code.read_bytes()[:-10])


def _other_width(folder: Path) -> None:
    file = folder / "transformer" / "config.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(fields | {"hidden_size": 64}), encoding="utf-8")


def _no_weights(folder: Path) -> None:
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").unlink()


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer" / "tokenizer.json").unlink()


@pytest.mark.parametrize("harm", [_other_code, _other_width, _no_weights, _no_tokenizer])
def test_a_damaged_folder_is_told(
    folder: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    harm(copy)
    with pytest.raises(ModelError, match=str(copy)):
        open_painter(copy, threads=1)
