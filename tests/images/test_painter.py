"""Which model of pictures a folder holds, and what a pipeline of diffusers makes."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from archipel.errors import ModelError
from archipel.images.painter import Order, Painter, Sizes, open_painter

_STEPS = 3


@pytest.fixture(scope="module")
def painter(pipeline: Path) -> Painter:
    return open_painter(pipeline, threads=1)


@pytest.fixture
def copy(pipeline: Path, tmp_path: Path) -> Path:
    """A pipeline that a test may alter."""
    return Path(shutil.copytree(pipeline, tmp_path / "copy"))


def _never(done: int, total: int) -> bool:
    return False


def _change(folder: Path, **fields: object) -> None:
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **fields}))


def test_a_picture_depends_on_its_seed_and_on_nothing_beside_it(painter: Painter) -> None:
    seen: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> bool:
        seen.append((done, total))
        return False

    first, second = painter.paint(Order("a blue cat", count=2, seed=5, steps=_STEPS), tell)
    assert seen == [(done, 2 * _STEPS) for done in range(1, 2 * _STEPS + 1)]
    assert (first.size, first.mode) == ((32, 32), "RGB")
    [alone] = painter.paint(Order("a blue cat", seed=6, steps=_STEPS), _never)
    assert alone.tobytes() == second.tobytes() != first.tobytes()
    [other] = painter.paint(Order("a red dog", seed=6, steps=_STEPS), _never)
    assert other.tobytes() != alone.tobytes()


def test_work_ends_within_a_step_with_the_pictures_that_are_whole(painter: Painter) -> None:
    seen: list[int] = []

    def tell(done: int, total: int) -> bool:
        seen.append(done)
        return done == _STEPS + 1

    made = painter.paint(Order("a", count=5, steps=_STEPS), tell)
    assert (len(made), seen[-1]) == (1, _STEPS + 1)


def test_a_picture_can_be_begun_from(painter: Painter) -> None:
    assert painter.abilities == {"generate", "edit", "inpaint", "vary"}
    image = Image.new("RGBA", (41, 30), (0, 0, 0, 0))
    for strength in (0.01, 1.0):  # less than one step is one step
        order = Order("a", image=image, steps=_STEPS, strength=strength)
        assert painter.paint(order, _never)[0].size == (40, 32)
    order = Order("a", image=image, width=16, height=24, steps=_STEPS)
    assert painter.paint(order, _never)[0].size == (16, 24)
    mask = Image.new("RGBA", image.size, (0, 0, 0, 0))
    order = Order("a", image=image, mask=mask, steps=_STEPS, strength=1.0)
    assert painter.paint(order, _never)[0].size == (40, 32)


def test_what_is_transparent_in_a_mask_is_what_changes(
    painter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    class Inpainting:
        def __call__(self, prompt: str, image: Any, mask_image: Any, generator: Any) -> Any:
            given.update(image=image, mask=mask_image)
            return type("Made", (), {"images": [image]})

    monkeypatch.setitem(painter._pipelines, "inpaint", Inpainting())
    image, mask = Image.new("RGBA", (32, 32)), Image.new("RGBA", (32, 32), "black")
    mask.paste((0, 0, 0, 0), (0, 0, 16, 32))
    seen: list[int] = []
    painter.paint(Order("a", image=image, mask=mask), lambda done, total: bool(seen.append(done)))
    assert given["image"].getpixel((0, 0)) == (255, 255, 255)  # it was transparent
    assert [given["mask"].getpixel((x, 9)) for x in (0, 15, 16, 31)] == [255, 255, 0, 0]
    assert seen == [1]  # a pipeline that tells of no steps


def test_sizes() -> None:
    sizes = Sizes((512, 512), 8, 128, 1024)
    assert sizes.allows(128, 1024)
    assert not any(sizes.allows(*size) for size in ((0, 0), (120, 512), (1032, 512), (516, 512)))
    assert sizes.nearest(513, 510) == (512, 512)
    assert sizes.nearest(4000, 2000) == (1024, 512)
    assert sizes.nearest(16, 32) == (128, 256)
    assert sizes.nearest(8000, 10) == (1024, 128)
    assert "multiple of 8" in sizes.described()
    assert Sizes((64, 64), 1, 64, 64).described() == "64x64 only"


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        open_painter(tmp_path, 1)
    for text in ("{", "[]", "{}", '{"_class_name": ["evil", "Pipeline"]}'):
        (tmp_path / "model_index.json").write_text(text)
        with pytest.raises(ModelError, match=r"model_index\.json"):
            open_painter(tmp_path, 1)


@pytest.mark.parametrize("part", [["evil", "Model"], ["os", "system"], ["diffusers"]])
def test_an_index_that_names_other_programs_is_refused(copy: Path, part: list[str]) -> None:
    _change(copy, unet=part)
    with pytest.raises(ModelError, match="'unet'"):
        open_painter(copy, 1)


def test_programs_and_pickles_are_not_loaded(copy: Path) -> None:
    (copy / "unet" / "diffusers.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ModelError, match=r"diffusers\.py is a program"):
        open_painter(copy, 1)
    (copy / "unet" / "diffusers.py").unlink()
    kinds = {
        "unet/diffusion_pytorch_model": "diffusion_pytorch_model.bin",
        "text_encoder/model": "pytorch_model.bin",
    }
    for name, pickle in kinds.items():
        weights = copy / f"{name}.safetensors"
        kept = weights.read_bytes()
        weights.unlink()
        pickled = weights.with_name(pickle)
        torch.save({}, pickled)
        with pytest.raises(ModelError, match="safetensors"):
            open_painter(copy, 1)
        pickled.unlink()
        weights.write_bytes(kept)


def test_a_pipeline_that_takes_no_words_is_refused(copy: Path) -> None:
    from diffusers import DDIMScheduler, DDPMPipeline, UNet2DModel

    unet = UNet2DModel(
        sample_size=8,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    )
    folder = copy.parent / "wordless"
    DDPMPipeline(unet, DDIMScheduler()).save_pretrained(folder)
    with pytest.raises(ModelError, match="DDPMPipeline, which makes no pictures from words"):
        open_painter(folder, 1)


def test_without_diffusers_the_error_says_what_to_install(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "archipel.images.diffusers_painter", raising=False)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ModelError, match=r"pip install 'archipel\[diffusers\]'"):
        open_painter(pipeline, 1)
