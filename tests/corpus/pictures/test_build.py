"""A corpus of pictures, as sites read it: rows of a caption and of a picture."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from tokenizers import Tokenizer

from archipel.corpus import (
    Manifest,
    Split,
    TokenReader,
    fetch_from,
    open_remote,
    read_manifest,
    upload_corpus,
)
from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures import (
    Built,
    Latents,
    PictureOptions,
    build_picture_corpus,
    read_pictures,
)
from archipel.errors import ConfigError, IntegrityError
from archipel.files import sha256_file
from archipel.store import Store
from tests.corpus.pictures.conftest import drawn, write_metadata

Make = Callable[..., Path]
SMALL = PictureOptions(size=16, values=26, caption_tokens=12, vocab_size=300)


def build(inputs: Path | list[Path], out: Path, options: PictureOptions = SMALL) -> Built:
    found = inputs if isinstance(inputs, list) else [inputs]
    return build_picture_corpus(found, out, options, LeftOut())


def rows_of(folder: Path, manifest: Manifest, split: Split) -> npt.NDArray[np.int64]:
    reader = TokenReader(folder, manifest, split)
    assert manifest.row_tokens is not None
    return reader.read(0, reader.tokens).reshape(-1, manifest.row_tokens)


def captions_of(folder: Path, rows: npt.NDArray[np.int64]) -> list[str]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    return [tokenizer.decode(row[:12].tolist(), skip_special_tokens=True) for row in rows]


@pytest.fixture(scope="module")
def built(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(shapes, folder)
    return folder


def test_the_manifest_says_what_rows_are(built: Path) -> None:
    manifest = read_manifest(built)
    assert manifest.pictures is not None
    assert manifest.pictures.size == 16
    assert manifest.pictures.caption_tokens == 12
    assert manifest.pictures.values == 26
    assert manifest.pictures.latents == sha256_file(built / "latents.safetensors")
    assert manifest.row_tokens == 38
    assert manifest.dtype == "uint16"
    tokenizer = Tokenizer.from_file(str(built / "tokenizer" / "tokenizer.json"))
    assert 262 < manifest.vocab_size == tokenizer.get_vocab_size() <= 300
    assert manifest.documents == 36
    assert manifest.tokens("train") == 27 * 2 * 38
    assert manifest.tokens("held_out") == 9 * 2 * 38


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_a_row_is_a_caption_and_its_picture(built: Path, shapes: Path, split: Split) -> None:
    manifest = read_manifest(built)
    rows = rows_of(built, manifest, split)
    latents = Latents.load(built / "latents.safetensors")
    expected = {
        text: picture.pixels
        for picture in read_pictures([shapes], 16, LeftOut())
        for text in picture.captions
        if picture.held_out == (split == "held_out")
    }
    assert Counter(captions_of(built, rows)) == Counter(dict.fromkeys(expected, 1))
    back = latents.decode(rows[:, 12:])
    worst = []
    for text, pixels in zip(captions_of(built, rows), back, strict=True):
        original = expected[text].reshape(-1).astype(np.float32) / 127.5 - 1
        worst.append(np.abs(pixels - original).mean())
        assert np.array_equal(
            latents.encode(expected[text].reshape(1, -1))[0], rows[len(worst) - 1, 12:]
        )
    if split == "train":  # 27 pictures have 26 differences: all of them come back
        assert max(worst) < 0.01
    assert [row[:12].tolist() for row in rows] != sorted(row[:12].tolist() for row in rows)


def test_captions_are_cut_and_filled(folder_of: Make, tmp_path: Path) -> None:
    folder = folder_of(3)
    (folder / "0.txt").write_text("one two three four five six seven eight nine ten " * 3)
    build(folder, tmp_path / "out", PictureOptions(size=8, values=2, caption_tokens=6, held_out=0))
    manifest = read_manifest(tmp_path / "out")
    tokens = rows_of(tmp_path / "out", manifest, "train")[:, :6]
    end = manifest.end_of_text_id
    assert sorted((row == end).sum() for row in tokens)[0] == 0
    short = [row for row in tokens if end in row]
    assert len(short) == 2
    for row in short:
        assert (row[np.argmax(row == end) :] == end).all()


def test_what_is_not_told_is_split_by_its_pixels(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(60):
        drawn(number).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a disc\n{number}")
        # Another file of the same pixels, with something else said of it.
        drawn(number).save(folder / f"{number}-again.png", compress_level=0)
        (folder / f"{number}-again.txt").write_text(f"again\n{number}")
    options = PictureOptions(size=8, values=8, caption_tokens=12, vocab_size=300, held_out=0.3)
    made = build(folder, tmp_path / "out", options)
    assert made.pictures["train"] + made.pictures["held_out"] == 120
    assert 16 <= made.pictures["held_out"] <= 60
    sides: dict[str, set[str]] = {}
    splits: tuple[Split, ...] = ("train", "held_out")
    for split in splits:
        for text in captions_of(tmp_path / "out", rows_of(tmp_path / "out", made.manifest, split)):
            sides.setdefault(text, set()).add(split)
    assert len(sides) == 62
    assert all(len(side) == 1 for text, side in sides.items() if text.isdigit())


def test_the_code_is_learnt_on_pictures_to_train_on_only(folder_of: Make, tmp_path: Path) -> None:
    folder = folder_of(5)
    write_metadata(folder, [{"file_name": "4.png", "split": "held_out"}])
    options = PictureOptions(size=8, values=9, held_out=0)
    build(folder, tmp_path / "with", options)
    Image.new("RGB", (9, 9), "red").save(folder / "4.png")
    (folder / "4.txt").write_text("something else altogether")
    build(folder, tmp_path / "other", options)
    for name in ("latents.safetensors", "tokenizer/tokenizer.json", "train-00000.tokens"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    name = "held_out-00000.tokens"
    assert (tmp_path / "with" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_the_same_bytes_twice_and_others_by_another_seed(
    built: Path, shapes: Path, tmp_path: Path
) -> None:
    build(shapes, tmp_path / "again")
    assert read_manifest(tmp_path / "again") == read_manifest(built)
    for path in built.rglob("*"):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(built)
            assert again.read_bytes() == path.read_bytes(), path
    options = PictureOptions(size=16, values=26, caption_tokens=12, vocab_size=300, seed=1)
    other = build(shapes, tmp_path / "other", options).manifest
    assert other.splits["train"] != read_manifest(built).splits["train"]
    assert other.tokens("train") == read_manifest(built).tokens("train")


def test_duplicates_are_left_out(folder_of: Make, tmp_path: Path) -> None:
    folder = folder_of(4)
    drawn(0).save(folder / "same.png", compress_level=0)
    (folder / "same.txt").write_text("picture 0")
    drawn(0).save(folder / "told otherwise.png")
    (folder / "told otherwise.txt").write_text("another caption")
    made = build([folder, folder], tmp_path / "out")
    assert made.manifest.duplicates == 6 + 1
    assert made.manifest.documents == 5


def test_fewer_values_than_asked_for(
    folder_of: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = build(folder_of(4), tmp_path / "out", PictureOptions(size=8, held_out=0))
    assert made.manifest.pictures is not None
    assert made.manifest.pictures.values == 3
    assert made.variance_kept == pytest.approx(1, abs=1e-4)
    assert "3 values for a picture, not 768" in caplog.text
    assert "no picture is in the held-out split" in caplog.text


def test_the_share_of_the_variance_grows_with_the_values(shapes: Path, tmp_path: Path) -> None:
    shares = []
    for values in (2, 8, 26):
        options = PictureOptions(size=16, values=values)
        shares.append(build(shapes, tmp_path / f"{values}", options).variance_kept)
    assert 0.1 < shares[0] < shares[1] < 0.99 < shares[2] < 1.001


def test_progress_is_told(folder_of: Make, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    options = PictureOptions(size=8, values=3, held_out=0)
    build_picture_corpus(
        [folder_of(3)], tmp_path / "out", options, LeftOut(), lambda *one: told.append(one)
    )
    assert told[:3] == [("reading pictures", number, 3) for number in range(3)]
    assert told[-1] == ("writing rows", 0, 3)


def test_shards_hold_whole_rows(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archipel.corpus.pictures.build._SHARD_TOKENS", 38 * 20 + 5)
    manifest = build(shapes, tmp_path / "out").manifest
    assert [shard.tokens // 38 for shard in manifest.splits["train"]] == [20, 20, 14]
    assert all(shard.tokens % 38 == 0 for shard in manifest.splits["train"])


def test_through_a_store(built: Path, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    manifest = upload_corpus(store, built)
    found, folder = open_remote(store, tmp_path / "cache", manifest.digest)
    assert found == manifest
    remote = TokenReader(folder, found, "train", fetch_from(store))
    local = TokenReader(built, manifest, "train")
    assert np.array_equal(remote.read(0, remote.tokens), local.read(0, local.tokens))
    code = Latents.load(folder / "latents.safetensors")
    assert np.array_equal(code.components, Latents.load(built / "latents.safetensors").components)


def test_a_damaged_code_is_neither_brought_nor_kept(
    built: Path, shapes: Path, tmp_path: Path
) -> None:
    store = Store(str(tmp_path / "store"))
    manifest = upload_corpus(store, built)
    store.put("corpus/latents.safetensors", b"something else")
    with pytest.raises(IntegrityError, match=r"latents\.safetensors.*truncated or altered"):
        open_remote(store, tmp_path / "cache", manifest.digest)
    assert not (tmp_path / "cache" / manifest.digest / "latents.safetensors").exists()
    build(shapes, tmp_path / "own")
    (tmp_path / "own" / "latents.safetensors").write_bytes(b"something else")
    with pytest.raises(IntegrityError, match=r"latents\.safetensors.*truncated or altered"):
        upload_corpus(Store(str(tmp_path / "another")), tmp_path / "own")


def test_a_manifest_whose_rows_do_not_add_up_is_refused(built: Path) -> None:
    data = read_manifest(built).to_json().replace(b'"row_tokens": 38', b'"row_tokens": 39')
    with pytest.raises(IntegrityError, match="rows of 39 are not 12 tokens and 26 values"):
        Manifest.from_json(data, "a store")


def test_a_corpus_of_text_says_nothing_of_pictures(corpus: Path) -> None:
    data = read_manifest(corpus).to_json()
    assert data == (corpus / "manifest.json").read_bytes()
    assert b"pictures" not in data
    assert list(read_manifest(corpus).files) == [
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
    ]


def test_nothing_to_learn_from(folder_of: Make, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no picture with a caption in .*Name folders or zip"):
        build(tmp_path / "empty", tmp_path / "out")
    folder = folder_of(2)
    (folder / "0.txt").unlink()
    (folder / "1.png").write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=r"1 without a caption .*; 1 damaged"):
        build(folder, tmp_path / "out")
    drawn(1).save(folder / "1.png")
    write_metadata(folder, [{"file_name": "1.png", "split": "held_out"}])
    with pytest.raises(ConfigError, match="all 1 pictures are in the held-out split"):
        build(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ConfigError, match="holds something already"):
        build(shapes, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "a size of 0 pixels"),
        ({"size": 257}, "a size of 257 pixels"),
        ({"values": 0}, "0 values"),
        ({"caption_tokens": 0}, "0 tokens for a caption"),
        ({"vocab_size": 100}, "a vocabulary of 100"),
        ({"vocab_size": 65_537}, "a vocabulary of 65537"),
        ({"held_out": 1.0}, "not a fraction"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PictureOptions(**options)
