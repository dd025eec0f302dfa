"""A corpus of lessons: whole conversations in rows, and only their answers learnt by sites."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archipel.corpus import TokenReader, read_manifest
from archipel.corpus.answers import NO_TARGET, Answers
from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError
from archipel.ledger import Claim
from archipel.models.gguf_export import export_gguf
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_run, measure
from archipel.train.join import load_state
from archipel.train.work import Work
from archipel.tune.conversations import conversation
from archipel.tune.lesson_corpus import LessonOptions, build_lesson_corpus
from archipel.tune.lessons import Material
from archipel.tune.pairs import PairReader
from archipel.tune.start import open_start
from archipel.tune.templates import open_tokenizer
from tests.train.processes import PATIENCE, Site
from tests.tune.conftest import FACTS

WORDS = ("chat", "chien", "loup", "ours", "lion"), ("cat", "dog", "wolf", "bear", "lion")
OPTIONS = LessonOptions(vocab_size=320, row_tokens=64, held_out=0.1)


def _pairs(folder: Path) -> Material:
    """A hundred sentences, and one that is far too long."""
    lines = [
        f"the {english} number {number} sleeps\tle {french} numéro {number} dort"
        for number in range(20)
        for french, english in zip(*WORDS, strict=True)
    ]
    path = folder / "pairs.tsv"
    path.write_text("\n".join([*lines, f"{'long ' * 200}\t{'long ' * 200}"]), encoding="utf-8")
    reader = PairReader(task="translate", fields=("en", "fr"), asked_in=("en",))
    return Material(data=[path], read=reader, kind="pairs", columns=("en", "fr"))


def test_rows_hold_whole_conversations_and_answers_are_told_from_the_tokens(tmp_path: Path) -> None:
    left_out = LeftOut()
    manifest = build_lesson_corpus(_pairs(tmp_path), tmp_path / "corpus", OPTIONS, left_out)
    assert read_manifest(tmp_path / "corpus") == manifest
    assert manifest.documents == 200
    assert left_out.counts == {"over 64 tokens": 2}
    assert 0 < manifest.tokens("held_out") < manifest.tokens("train") / 4

    tokenizer = open_tokenizer(tmp_path / "corpus" / "tokenizer")
    reader = TokenReader(tmp_path / "corpus", manifest, "train")
    learnt = []
    for start in range(0, manifest.tokens("train"), 64):
        row = reader.read(start, 64)
        said = tokenizer.decode(row)
        assert said.startswith(("<|system|>Translate", "<|user|>Translate"))
        assert said.endswith("<|im_end|>")
        targets = reader.read_targets(start, 64)
        assert np.array_equal(targets[targets != NO_TARGET], row[targets != NO_TARGET])
        learnt += tokenizer.decode(targets[targets != NO_TARGET]).split("<|im_end|>")[:-1]
    assert len(learnt) == len(set(learnt))
    assert {"le chat numéro 3 dort", "the wolf number 7 sleeps"} & set(learnt)


def test_a_site_learns_answers_and_reads_all(tmp_path: Path) -> None:
    build_lesson_corpus(_pairs(tmp_path), tmp_path / "corpus", OPTIONS, LeftOut())
    options = RunOptions(tokens=4096, batch_sequences=2, sequence_tokens=64, unit_steps=2)
    ledger = create_run(Store(str(tmp_path / "run")), tmp_path / "corpus", options)
    manifest = read_manifest(tmp_path / "corpus")
    work = Work(ledger.spec, TokenReader(tmp_path / "corpus", manifest, "train"))
    work.begin(Claim(unit=0, start=0, generation=0, site="paris", session=0))
    batch = work.next_batch()
    assert batch
    assert manifest.answers
    (begin,), end = manifest.answers.begin, manifest.answers.end
    for x_T, y_T in zip(batch.x_BT, batch.y_BT, strict=True):
        assert y_T[x_T == begin].min() >= 0  # what follows the mark is learnt
        told = y_T != NO_TARGET
        assert np.array_equal(y_T[:-1][told[:-1]], x_T[1:][told[:-1]])
        assert not told[: np.flatnonzero(x_T == begin)[0]].any()
        assert (y_T == end).sum() == (x_T == begin).sum()


def test_a_checkpoint_learns_further_at_two_sites_in_its_own_tokens(
    base: Path, chats: Path, tmp_path: Path
) -> None:
    corpus, run = tmp_path / "corpus", tmp_path / "run"
    material = Material(data=[chats], read=conversation, kind="conversations")
    lessons = LessonOptions(row_tokens=48, held_out=0.0)
    manifest = build_lesson_corpus(material, corpus, lessons, LeftOut(), start=base)
    reader = TokenReader(corpus, manifest, "train")
    targets = reader.read_targets(0, manifest.tokens("train"))
    learnt = open_tokenizer(corpus / "tokenizer").decode(targets[targets != NO_TARGET])
    assert sorted(learnt.split("<|im_end|>")) == ["", *sorted(FACTS.values())]

    options = RunOptions(
        model=str(base),
        tokens=48 * 800,
        batch_sequences=1,
        sequence_tokens=48,
        unit_steps=1,
        sync_steps=8,
        optimiser="adamw",
        learning_rate=1e-2,
    )
    ledger = create_run(Store(str(run)), corpus, options)
    before = measure(load_state(ledger), reader)
    sites = [Site(run, name) for name in ("athens", "bergen")]
    assert [site.process.wait(PATIENCE) for site in sites] == [0, 0]
    after = measure(load_state(ledger), reader)
    assert before is not None
    assert after is not None
    assert after < before / 2
    export_run(ledger, tmp_path / "model", name="model", gguf=None)
    assert open_start(tmp_path / "model").model.config.eos_token_id == [manifest.answers.end, 0]


def test_a_gguf_file_begins_a_run_as_its_checkpoint_does(
    base: Path, chats: Path, tmp_path: Path
) -> None:
    file = tmp_path / "base.gguf"
    export_gguf(base, file, "f32")
    material = Material(data=[chats], read=conversation, kind="conversations")
    lessons, digests = LessonOptions(row_tokens=48, held_out=0.0), []
    for start in (base, file):
        corpus = tmp_path / f"corpus-{start.name}"
        build_lesson_corpus(material, corpus, lessons, LeftOut(), start=start)
        options = RunOptions(
            model=str(start), batch_sequences=1, sequence_tokens=48, unit_steps=1, tokens=48
        )
        ledger = create_run(Store(str(tmp_path / f"run-{start.name}")), corpus, options)
        digests.append(ledger.spec.initial_digest)
    assert digests[0] == digests[1]


def test_a_template_that_shows_no_answer_by_its_tokens_is_refused(
    base: Path, chats: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    shutil.copytree(base, start)
    settings = json.loads((start / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["chat_template"] = (
        "{% for message in messages %}{{ message['content'] + '<|im_end|>' }}{% endfor %}"
    )
    (start / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    material = Material(data=[chats], read=conversation, kind="conversations")
    lessons = LessonOptions(row_tokens=128)
    with pytest.raises(ConfigError, match="archipel finetune"):
        build_lesson_corpus(material, tmp_path / "corpus", lessons, LeftOut(), start=start)
    assert not (tmp_path / "corpus").exists()


def test_sequences_of_another_length_than_the_rows_are_refused(tmp_path: Path) -> None:
    build_lesson_corpus(_pairs(tmp_path), tmp_path / "corpus", OPTIONS, LeftOut())
    with pytest.raises(ConfigError, match="--sequence 64"):
        create_run(
            Store(str(tmp_path / "run")), tmp_path / "corpus", RunOptions(sequence_tokens=32)
        )


def test_texts_among_lessons_are_learnt_whole(tmp_path: Path) -> None:
    texts = ["short", "a text of many words " * 20, "one with a gap"]
    options = replace(OPTIONS, fill_in=0.3)
    manifest = build_lesson_corpus(_pairs(tmp_path), tmp_path / "corpus", options, LeftOut(), texts)
    tokenizer = open_tokenizer(tmp_path / "corpus" / "tokenizer")
    reader = TokenReader(tmp_path / "corpus", manifest, "train")
    targets = reader.read_targets(0, manifest.tokens("train"))
    learnt = tokenizer.decode(targets[targets != NO_TARGET])
    assert tokenizer.bos_token == "<|im_end|>"  # with which `archipel eval` begins a text
    assert "<|im_end|>short<|im_end|>" in learnt
    assert learnt.count("of many words") == 20
    assert "Translate" not in learnt
    assert "chat numéro" in learnt


def test_what_begins_in_a_row_ends_with_it_and_marks_of_several_tokens_are_found() -> None:
    answers = Answers(begin=(7, 8), end=9)
    tokens = np.array([1, 7, 8, 2, 3, 9, 4, 9, 8, 7, 8, 5], np.int64)
    learnt = [False, False, False, True, True, True, False, False, False, False, False, True]
    assert answers.learnt(tokens).tolist() == learnt
    assert answers.learnt_last(tokens).tolist() == [*[False] * 11, True]
    assert answers.learnt_last(tokens[:6]).tolist() == [*[False] * 3, *[True] * 3]
    among_texts = Answers(begin=(7,), end=9, questions=(6,))
    tokens = np.array([1, 9, 6, 2, 7, 3, 9, 4], np.int64)
    learnt = [True, True, True, False, False, True, True, True]
    assert among_texts.learnt(tokens).tolist() == learnt
    assert not answers.learnt(np.array([7], np.int64)).any()
    assert not answers.learnt(np.array([], np.int64)).any()
