"""The half of a Llava that sees as llama.cpp's mmproj file; that llama.cpp sees with it, and what
transformers does, is in tests/serve/test_sight.py."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from archipel.errors import ModelError, UnsupportedModel
from archipel.models.gguf_export import export_gguf
from archipel.models.gguf_mmproj import write_mmproj
from tests.models.llava import MEAN, rename_tensors, save_llava


@pytest.fixture(scope="module", params=["clip", "siglip"])
def llava(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llava") / request.param
    save_llava(folder, request.param)
    return folder


@pytest.fixture
def copied(llava: Path, tmp_path: Path) -> Path:
    """The Llava, to be changed."""
    return Path(shutil.copytree(llava, tmp_path / llava.name))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}


def test_the_file_says_what_it_is(llava: Path, tmp_path: Path) -> None:
    path = tmp_path / "mmproj.gguf"
    write_mmproj(llava, path)
    assert list(tmp_path.iterdir()) == [path]

    reader = gguf.GGUFReader(path)
    facts = {name: field.contents() for name, field in reader.fields.items()}
    assert facts["general.architecture"] == "clip"
    assert facts["general.type"] == "mmproj"
    assert facts["clip.projector_type"] == "mlp"
    assert facts["clip.has_vision_encoder"] is True
    assert facts["clip.vision.projection_dim"] == 48
    assert facts["clip.vision.image_mean"] == pytest.approx(MEAN)
    assert facts["clip.use_gelu"] is (llava.name == "siglip")
    types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert types["v.patch_embd.weight"] == types["mm.2.weight"] == "F16"
    assert types["mm.2.bias"] == types["v.blk.0.ln1.weight"] == "F32"
    assert ("v.class_embd" in types) is (llava.name == "clip")
    assert facts["clip.vision.block_count"] == 1  # the last layer is not looked at
    assert not any(name.startswith(("v.blk.1.", "v.post_ln")) for name in types)


@pytest.mark.parametrize(
    "names",
    [
        {"vision_tower.": "vision_tower.vision_model."},
        {
            "vision_tower.": "model.vision_tower.vision_model.",
            "multi_modal_projector.": "model.multi_modal_projector.",
            "language_model.lm_head.": "lm_head.",
            "language_model.model.": "model.language_model.",
        },
    ],
)
def test_tensors_are_found_by_each_of_their_names(
    llava: Path, copied: Path, tmp_path: Path, names: dict[str, str]
) -> None:
    rename_tensors(copied, names)

    for folder in (llava, copied):
        write_mmproj(folder, tmp_path / f"{folder.parent.name}-mmproj.gguf")
        export_gguf(folder, tmp_path / f"{folder.parent.name}.gguf", "f16")
    for kind in ("-mmproj.gguf", ".gguf"):
        ours = _arrays(tmp_path / f"{llava.parent.name}{kind}")
        theirs = _arrays(tmp_path / f"{copied.parent.name}{kind}")
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_the_half_that_writes_is_a_llama(llava: Path, tmp_path: Path) -> None:
    export_gguf(llava, tmp_path / "text.gguf", "f16")

    reader = gguf.GGUFReader(tmp_path / "text.gguf")
    assert reader.fields["general.architecture"].contents() == "llama"
    assert reader.fields["llama.embedding_length"].contents() == 48
    names = {tensor.name for tensor in reader.tensors}
    assert {"token_embd.weight", "output.weight", "blk.1.ffn_down.weight"} <= names
    assert not any(name.startswith(("v.", "mm.")) for name in names)


def _set(*path: str, to: object) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        for name in path[:-1]:
            content = content[name]
        content[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("config.json", _set("vision_config", "hidden_act", to="relu"), "hidden_act = 'relu'"),
        ("config.json", _set("vision_config", "intermediate_size", to=64), "intermediate_size"),
        ("config.json", _set("vision_feature_layer", to=[-2, -1]), r"= \[-2, -1\]"),
        ("config.json", _set("vision_feature_layer", to=5), "vision_feature_layer = 5"),
        ("config.json", _set("multimodal_projector_bias", to=False), "bias = False"),
        ("preprocessor_config.json", _set("rescale_factor", to=0.5), "as llama.cpp does"),
        ("preprocessor_config.json", _set("image_std", to=[1, 0, 1]), "image_std"),
    ],
)
def test_what_llama_cpp_does_not_compute_is_refused(
    copied: Path, tmp_path: Path, name: str, change: Callable[[dict], None], says: str
) -> None:
    content = json.loads((copied / name).read_text())
    change(content)
    (copied / name).write_text(json.dumps(content))

    with pytest.raises(UnsupportedModel, match=says):
        write_mmproj(copied, tmp_path / "mmproj.gguf")


def test_patches_that_llama_cpp_counts_otherwise_are_refused(copied: Path, tmp_path: Path) -> None:
    content = json.loads((copied / "config.json").read_text())
    other = {"default": "full", "full": "default"}[content["vision_feature_select_strategy"]]
    content["vision_feature_select_strategy"] = other
    (copied / "config.json").write_text(json.dumps(content))

    with pytest.raises(UnsupportedModel, match=f"strategy = '{other}'"):
        write_mmproj(copied, tmp_path / "mmproj.gguf")


def test_a_lacking_tensor_is_named(copied: Path, tmp_path: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    del tensors["multi_modal_projector.linear_2.bias"]
    save_file(tensors, copied / "model.safetensors")

    with pytest.raises(ModelError, match=r"lacks 1 tensors .* 'mm\.2\.bias'"):
        write_mmproj(copied, tmp_path / "mmproj.gguf")


def test_a_tensor_of_another_shape_is_named(copied: Path, tmp_path: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    name = "multi_modal_projector.linear_1.weight"
    tensors[name] = tensors[name][:, 1:].contiguous()
    save_file(tensors, copied / "model.safetensors")

    with pytest.raises(ModelError, match=r"linear_1.weight is \(48, 63\), .* \(48, 64\)"):
        write_mmproj(copied, tmp_path / "mmproj.gguf")


def test_how_pictures_are_prepared_may_be_in_the_processors_file(
    copied: Path, tmp_path: Path
) -> None:
    prepared = json.loads((copied / "preprocessor_config.json").read_text())
    (copied / "processor_config.json").write_text(json.dumps({"image_processor": prepared}))
    (copied / "preprocessor_config.json").unlink()

    write_mmproj(copied, tmp_path / "mmproj.gguf")
    reader = gguf.GGUFReader(tmp_path / "mmproj.gguf")
    assert reader.fields["clip.vision.image_mean"].contents() == pytest.approx(MEAN)


def test_not_to_know_how_pictures_are_prepared_is_an_error(copied: Path, tmp_path: Path) -> None:
    (copied / "preprocessor_config.json").unlink()

    with pytest.raises(ModelError, match="image_mean and image_std"):
        write_mmproj(copied, tmp_path / "mmproj.gguf")


def test_truncated_weights_are_a_clear_error(copied: Path, tmp_path: Path) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])

    with pytest.raises(ModelError, match="can't read"):
        write_mmproj(copied, tmp_path / "mmproj.gguf")
    assert not (tmp_path / "mmproj.gguf").exists()
