"""Building: what goes in comes out, once; resume; refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archipel.corpus import BuildOptions, Progress, TokenReader, build_corpus, read_manifest
from archipel.corpus.middles import MIDDLE, PREFIX, SUFFIX
from archipel.corpus.tokenizer import load_tokenizer
from archipel.errors import ConfigError
from tests.conftest import SHARED_DATA
from tests.corpus.conftest import SMALL

BUILD_IN_CHILD = """
import sys
from pathlib import Path
from archipel.corpus import build_corpus
from tests.corpus.conftest import SMALL

def progress(state):
    if state.text_bytes > int(sys.argv[3]):
        print("stopped", flush=True)
        sys.stdin.read()

build_corpus([Path(sys.argv[1])], Path(sys.argv[2]), SMALL, progress)
"""


def documents(folder: Path) -> list[str]:
    """Every document of a corpus, decoded."""
    manifest = read_manifest(folder)
    tokenizer = load_tokenizer(folder / "tokenizer")
    found: list[str] = []
    for split in ("train", "held_out"):
        reader = TokenReader(folder, manifest, split)
        ids = reader.read(0, reader.tokens)
        ends = np.flatnonzero(ids == manifest.end_of_text_id)
        *parts, rest = np.split(ids, ends + 1)
        assert rest.size == 0
        found += [tokenizer.decode(part[:-1]) for part in parts]
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_document_is_in_the_corpus_once(texts: Path, corpus: Path) -> None:
    manifest = read_manifest(corpus)
    expected = sorted(path.read_text() for path in texts.iterdir())
    assert sorted(documents(corpus)) == expected
    assert manifest.documents == len(expected)
    assert manifest.text_bytes == sum(path.stat().st_size for path in texts.iterdir())
    assert len(manifest.splits["train"]) > 2
    assert manifest.tokens("held_out") > 0


def test_the_same_inputs_give_the_same_bytes(texts: Path, corpus: Path, tmp_path: Path) -> None:
    build_corpus([texts], tmp_path / "again", SMALL)
    assert files_of(tmp_path / "again") == files_of(corpus)


def test_duplicates_and_unusable_documents_are_left_out_and_counted(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    (texts / "__pycache__").mkdir(parents=True)
    (texts / ".hidden").mkdir()
    (texts / "a.txt").write_text("the same")
    (texts / "b.md").write_text("the same")
    (texts / "empty.txt").write_text(" \n")
    (texts / "latin.py").write_bytes("é".encode("latin-1"))
    (texts / "records.jsonl").write_text('{"text": "other"}\n{"text": null}\n{"text": "\\ud800"}\n')
    (texts / "__pycache__" / "c.txt").write_text("not this")
    (texts / ".hidden" / "d.txt").write_text("nor this")
    manifest = build_corpus([texts, texts / "a.txt"], tmp_path / "out", BuildOptions(held_out=0))
    assert (manifest.documents, manifest.duplicates, manifest.skipped) == (2, 1, 4)


def test_text_can_not_forge_the_end_of_a_document(tmp_path: Path) -> None:
    text = "before <|endoftext|> after <|im_start|>"
    (tmp_path / "a.txt").write_text(text)
    manifest = build_corpus([tmp_path / "a.txt"], tmp_path / "out", BuildOptions(held_out=0))
    ids = TokenReader(tmp_path / "out", manifest, "train").read(0, manifest.tokens("train"))
    assert np.flatnonzero(ids < 3).tolist() == [ids.size - 1]
    assert load_tokenizer(tmp_path / "out" / "tokenizer").decode(ids[:-1]) == text


@pytest.mark.parametrize("text_bytes", [0, 200_000, 400_000])
def test_a_killed_build_ends_with_the_same_bytes(
    texts: Path, corpus: Path, tmp_path: Path, text_bytes: int
) -> None:
    out = tmp_path / "killed"
    arguments = [sys.executable, "-c", BUILD_IN_CHILD, str(texts), str(out), str(text_bytes)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"stopped\n"
        assert (out / "train-00000.tokens").exists()
        assert not (out / "manifest.json").exists()
        child.send_signal(signal.SIGKILL)
    (out / ".train-00001.tokens.half").write_bytes(b"what a kill while writing leaves")

    seen: list[Progress] = []
    build_corpus([texts], out, SMALL, seen.append)
    assert seen[0].text_bytes > text_bytes
    assert files_of(out) == files_of(corpus)


def test_a_finished_corpus_is_left_alone(texts: Path, corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    assert build_corpus([texts], corpus, SMALL) == read_manifest(corpus)
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before
    with pytest.raises(ConfigError, match=r"already holds a corpus, with other seed\. Choose"):
        build_corpus([texts], corpus, replace(SMALL, seed=1))
    with pytest.raises(ConfigError, match=r"with other inputs\. Choose"):
        build_corpus([next(texts.iterdir())], corpus, SMALL)


def test_an_unfinished_build_of_something_else_is_refused(texts: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.text_bytes:
            raise Stop

    with pytest.raises(Stop):
        build_corpus([texts], tmp_path, SMALL, stop)
    with pytest.raises(ConfigError, match="unfinished build with other held_out, vocab_size"):
        build_corpus([texts], tmp_path, replace(SMALL, held_out=0.3, vocab_size=600))


def test_a_mistake_before_the_first_shard_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "some text"}\n')
    inputs, out = [tmp_path / "a.jsonl"], tmp_path / "out"
    with pytest.raises(ConfigError, match=r"a\.jsonl, line 1, has no field 'text'; it has: body\."):
        build_corpus(inputs, out, BuildOptions(held_out=0))
    assert build_corpus(inputs, out, BuildOptions("body", held_out=0)).documents == 1


def test_another_tokenizer_is_taken_over(texts: Path, corpus: Path, tmp_path: Path) -> None:
    options = replace(SMALL, tokenizer=corpus / "tokenizer")
    assert build_corpus([texts], tmp_path, options) == read_manifest(corpus)
    with pytest.raises(ConfigError, match=r"holds no tokenizer\.json"):
        build_corpus([texts], tmp_path / "other", replace(SMALL, tokenizer=texts))


def test_text_is_rearranged_for_filling_in(texts: Path, corpus: Path, tmp_path: Path) -> None:
    options = replace(SMALL, fill_in=0.5, held_out=0)
    manifest = build_corpus([texts], tmp_path / "out", options)
    tokenizer = load_tokenizer(tmp_path / "out" / "tokenizer")
    reader = TokenReader(tmp_path / "out", manifest, "train")
    ids = reader.read(0, reader.tokens)
    before, behind, between = map(tokenizer.token_to_id, (PREFIX, SUFFIX, MIDDLE))
    wholes, whole, rearranged = [path.read_text() for path in texts.iterdir()], 0, 0
    for document in np.split(ids, np.flatnonzero(ids == manifest.end_of_text_id) + 1)[:-1]:
        places = [np.flatnonzero(document == mark).tolist() for mark in (before, behind, between)]
        assert [len(some) for some in places] in ([0, 0, 0], [1, 1, 1])
        first, second, third = (some[0] if some else None for some in places)
        if first is None:
            text = tokenizer.decode(document[:-1])
            whole += len(text)
        else:
            assert first == 0
            pieces = (document[1:second], document[third + 1 : -1], document[second + 1 : third])
            text = "".join(tokenizer.decode(piece) for piece in pieces)
            rearranged += len(text)
        assert any(text in one for one in wholes)
    assert 0.4 < rearranged / (whole + rearranged) < 0.6
    assert whole + rearranged > 0.99 * sum(map(len, wholes)), "only blank pieces are left out"

    other = shutil.copytree(corpus / "tokenizer", tmp_path / "tokenizer")
    text = (other / "tokenizer.json").read_text().replace(MIDDLE, "<|gap|>")
    (other / "tokenizer.json").write_text(text)
    with pytest.raises(ConfigError, match=r"no token '<\|fim_middle\|>'"):
        build_corpus([texts], tmp_path / "taken", replace(options, tokenizer=other))


def test_a_large_vocabulary_takes_four_bytes_a_token(corpus: Path, tmp_path: Path) -> None:
    wide = shutil.copytree(corpus / "tokenizer", tmp_path / "tokenizer")
    settings = json.loads((wide / "tokenizer.json").read_text())
    settings["model"]["vocab"]["wide"] = 70_000
    (wide / "tokenizer.json").write_text(json.dumps(settings))
    (tmp_path / "a.txt").write_text("some text")
    options = BuildOptions(tokenizer=wide, held_out=0)
    manifest = build_corpus([tmp_path / "a.txt"], tmp_path / "out", options)
    assert (manifest.dtype, manifest.vocab_size) == ("uint32", 70_001)
    assert documents(tmp_path / "out") == ["some text"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "hold no text: 1 documents are empty"), (b"\xff", "hold no text: 1 documents are")],
)
def test_inputs_without_text_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        build_corpus([tmp_path / "a.txt"], tmp_path / "out", BuildOptions())


@pytest.mark.parametrize(
    "options", [{"vocab_size": 100}, {"held_out": 1.0}, {"shard_bytes": 0}, {"fill_in": 2}]
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        BuildOptions(**options)


@pytest.mark.skipif(not SHARED_DATA.exists(), reason=f"{SHARED_DATA} is not there")
def test_real_compressed_records(tmp_path: Path) -> None:
    inputs = [SHARED_DATA / "code" / "mbpp.jsonl.xz"]
    manifest = build_corpus(inputs, tmp_path, BuildOptions())
    assert manifest.documents + manifest.duplicates == 964
    assert manifest.tokens("held_out") > 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_not_be_written(texts: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="can't write"):
        build_corpus([texts], tmp_path / "out", SMALL)
