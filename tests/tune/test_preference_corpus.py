"""A corpus of preferences: pairs of answers in rows, which sites learn as one machine does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.corpus import Manifest, TokenReader, read_manifest
from archipel.corpus.answers import NO_TARGET
from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError, IntegrityError
from archipel.evaluate.data import Data
from archipel.evaluate.tasks import find_task
from archipel.ledger import Range
from archipel.models.checkpoint import load_model, new_model, save_checkpoint
from archipel.models.gguf_export import export_gguf
from archipel.models.precision import autocast
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_run, measure
from archipel.train.join import load_state
from archipel.train.kinds import kind_of, kind_of_model
from archipel.train.witness import Witness
from archipel.train.work import Work
from archipel.tune.conversations import preference
from archipel.tune.encoding import Example, Item
from archipel.tune.lessons import Material
from archipel.tune.losses import Likelihood, PreferenceLoss, margins_at_rest
from archipel.tune.pair_rows import Pairs
from archipel.tune.preference_corpus import PreferenceOptions, build_preference_corpus
from archipel.tune.templates import open_tokenizer
from tests.train.processes import PATIENCE, Site, audited
from tests.tune.conftest import FACTS, Write, chat

CONTEXT = 48
ROW = 2 * CONTEXT + 2
OPTIONS = PreferenceOptions(context=CONTEXT, held_out=0.0, beta=0.5)


@pytest.fixture
def liked(write: Write) -> Path:
    """Twelve pairs: of each question its answer, and each of the others."""
    return write(
        "liked.jsonl",
        [
            {"prompt": asked, "chosen": said, "rejected": other}
            for asked, said in FACTS.items()
            for other in FACTS.values()
            if other != said
        ],
    )


@pytest.fixture
def corpus(base: Path, liked: Path, tmp_path: Path) -> Path:
    _build(base, liked, tmp_path / "corpus")
    return tmp_path / "corpus"


def _build(
    base: Path, data: Path, out: Path, options: PreferenceOptions = OPTIONS
) -> tuple[Manifest, LeftOut]:
    material, left_out = Material(data=[data], read=preference, kind="preferences"), LeftOut()
    return build_preference_corpus(base, material, out, options, left_out), left_out


def _rows(corpus: Path) -> torch.Tensor:
    manifest = read_manifest(corpus)
    assert manifest.row_tokens
    reader = TokenReader(corpus, manifest, "train")
    return torch.from_numpy(reader.read(0, reader.tokens).reshape(-1, manifest.row_tokens))


def _read(corpus: Path) -> tuple[list[Item], torch.Tensor]:
    preferences = read_manifest(corpus).preferences
    assert preferences
    return Pairs(preferences).read(_rows(corpus))


def test_a_row_is_a_pair_and_what_the_model_at_the_start_says_of_it(
    base: Path, liked: Path, corpus: Path
) -> None:
    manifest = read_manifest(corpus)
    assert (manifest.documents, manifest.row_tokens) == (12, ROW)
    assert manifest.tokens("train") == 12 * ROW
    tokenizer, model = open_tokenizer(corpus / "tokenizer"), load_model(base)

    def likelihood(example: Example) -> float:
        ids = torch.from_numpy(example.ids).long()
        with torch.no_grad():
            logits = model(input_ids=ids[None, :-1]).logits[0]
        logp = -cross_entropy(logits, ids[1:], reduction="none")
        return float(logp[torch.from_numpy(example.learnt[1:])].sum())

    items, margins = _read(corpus)
    said = []
    for item, margin in zip(items, margins.tolist(), strict=True):
        chosen, rejected = item.examples
        assert margin == pytest.approx(likelihood(chosen) - likelihood(rejected), abs=0.1)
        for one in item.examples:
            asked, _, answer = tokenizer.decode(one.ids).partition("<|im_start|>assistant\n")
            assert tokenizer.decode(one.ids[one.learnt]) == answer
            said.append((asked, answer))
    wanted = [
        (f"<|im_start|>user\n{asked}<|im_end|>\n", f"{answer}<|im_end|>")
        for asked, right in FACTS.items()
        for other in FACTS.values()
        if other != right
        for answer in (right, other)
    ]
    assert sorted(said) == sorted(wanted)
    assert _build(base, liked, corpus.with_name("again"))[0] == manifest


def test_of_a_conversation_the_last_answer_is_learnt(
    base: Path, write: Write, tmp_path: Path
) -> None:
    talks = [chat("Say hello.", "Hello, you!", "Rome?", said) for said in ("Paris.", "Four.")]
    data = write("liked.jsonl", [{"chosen": talks[0], "rejected": talks[1]}])
    _build(base, data, tmp_path / "corpus", replace(OPTIONS, context=100))
    [item], _ = _read(tmp_path / "corpus")
    tokenizer = open_tokenizer(tmp_path / "corpus" / "tokenizer")
    learnt = [tokenizer.decode(one.ids[one.learnt]) for one in item.examples]
    assert learnt == ["Paris.<|im_end|>", "Four.<|im_end|>"]
    assert all("Hello, you!" in tokenizer.decode(one.ids) for one in item.examples)


@pytest.fixture
def changed(base: Path, corpus: Path) -> tuple[torch.nn.Module, PreferenceLoss, list[Item]]:
    """A model that is not as it was at the start any more, equipped for the corpus; the loss of one
    machine, measured from that start, and the corpus's pairs."""
    manifest, (items, _) = read_manifest(corpus), _read(corpus)
    model = load_model(base)
    loss = PreferenceLoss(Likelihood(model), 4096, beta=OPTIONS.beta, items=items)
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn(parameter.shape))
    kind_of("llama", manifest).equip(model, corpus)
    return model, loss, items


def _gradients(model: torch.nn.Module, learn: Callable[[], object]) -> torch.Tensor:
    model.zero_grad()
    learn()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("alone", [True, False])
def test_sites_learn_by_the_loss_of_one_machine(
    corpus: Path, changed: tuple[torch.nn.Module, PreferenceLoss, list[Item]], alone: bool
) -> None:
    model, of_one_machine, items = changed
    summed = kind_of_model(model).loss(model, model, alone=alone)
    rows = _rows(corpus)

    def learn() -> float:
        with autocast(torch.device("cpu")):
            loss = summed(rows, rows) / rows.numel()
        loss.backward()
        return float(loss.detach())

    assert learn() == pytest.approx(of_one_machine.measure(items), rel=1e-2)
    assert learn() != pytest.approx(0.6931, abs=3e-2)  # log 2, of a model that has learnt nothing
    found = _gradients(model, learn)
    wanted = _gradients(model, lambda: of_one_machine.learn(items))
    assert float((found - wanted).norm()) < 0.05 * float(wanted.norm())

    more = torch.cat([rows, torch.zeros_like(rows[:2])])  # as a batch is filled up for processes
    targets = torch.cat([rows, torch.full_like(rows[:2], NO_TARGET)])
    with autocast(torch.device("cpu")):
        whole, filled = summed(rows, rows), summed(more, targets)
        nothing = summed(more[-2:], targets[-2:])
    assert float(filled.detach()) == pytest.approx(float(whole.detach()), rel=1e-2)
    assert float(nothing.detach()) == 0
    nothing.backward()


def test_the_held_out_loss_is_that_of_one_machine(
    corpus: Path,
    changed: tuple[torch.nn.Module, PreferenceLoss, list[Item]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, of_one_machine, items = changed
    reader = TokenReader(corpus, read_manifest(corpus), "train")
    with caplog.at_level("INFO"):
        measured = kind_of_model(model).held_out_loss(model, reader, ROW)
    assert measured == pytest.approx(of_one_machine.measure(items), rel=1e-3)
    starts = dict(zip(items, _read(corpus)[1].tolist(), strict=True))
    now = margins_at_rest(Likelihood(model), items, 4096)
    right = sum(now[item] > starts[item] for item in items)
    assert f"of 12 held-out pairs {right} are ranked rightly" in caplog.text


def test_merge_duty_asks_the_same_gradient_of_a_contributions_pairs(
    base: Path, corpus: Path, tmp_path: Path
) -> None:
    ledger = create_run(
        Store(str(tmp_path / "run")),
        corpus,
        RunOptions(model=str(base), tokens=20 * ROW, batch_sequences=2, unit_steps=1, fragments=1),
    )
    state = load_state(ledger)
    work = Work(ledger.spec, TokenReader(corpus, read_manifest(corpus), "train"))
    pieces = [Range(unit=1, generation=0, start=0, stop=2 * ROW)]
    found = Witness(ledger.spec, work).gradient(state, 0, pieces)

    preferences = read_manifest(corpus).preferences
    assert preferences
    items, _ = Pairs(preferences).read(torch.from_numpy(work.read(1, 0)[0]))
    model = load_model(base)
    loss = PreferenceLoss(Likelihood(model), 4096, beta=OPTIONS.beta, items=items)
    _gradients(model, lambda: loss.learn(items))
    gradients = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
    wanted = state.fragments[0].flatten(gradients)
    assert np.linalg.norm(wanted) > 0
    assert np.linalg.norm(found - wanted) < 0.05 * np.linalg.norm(wanted)


def test_two_sites_learn_what_is_preferred(base: Path, corpus: Path, tmp_path: Path) -> None:
    run, items = tmp_path / "run", _read(corpus)[0]
    options = RunOptions(
        model=str(base),
        tokens=ROW * 400,
        batch_sequences=2,
        unit_steps=1,
        sync_steps=8,
        learning_rate=3e-3,
    )
    ledger = create_run(Store(str(run)), corpus, options)
    reader = TokenReader(corpus, read_manifest(corpus), "train")
    assert measure(load_state(ledger), reader) == pytest.approx(0.6931, abs=1e-2)  # log 2
    sites = [Site(run, name) for name in ("athens", "bergen")]
    assert [site.process.wait(PATIENCE) for site in sites] == [0, 0]
    figures = audited(run)
    assert figures["finished"] is True
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)

    exported = export_run(ledger, tmp_path / "model", name="model", gguf=None)
    assert exported.unit == "nats/pair"
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "which of two answers is better" in card
    before, now = (
        margins_at_rest(Likelihood(load_model(folder)), items, 4096)
        for folder in (base, tmp_path / "model")
    )
    learnt = items[:10]  # the last two fill no unit
    gained = np.array([now[item] - before[item] for item in learnt])
    assert gained.min() > 0
    assert np.log1p(np.exp(-OPTIONS.beta * gained)).mean() < 0.2


def test_a_run_learns_as_gently_as_one_machine_and_leaves_few_pairs_over(
    base: Path, corpus: Path, tmp_path: Path
) -> None:
    options = RunOptions(model=str(base), tokens=100 * ROW, batch_sequences=2)
    spec = create_run(Store(str(tmp_path / "run")), corpus, options).spec
    assert spec.inner.optimiser == "adamw"
    assert spec.inner.learning_rate == pytest.approx(0.1 / 32 / 20)
    assert spec.inner.sequence_tokens == ROW
    assert (spec.unit_tokens, spec.epoch_units) == (10 * ROW, 1)  # of 12 pairs
    assert spec.model["eos_token_id"] == [2, 0]
    few = RunOptions(model=str(base), batch_sequences=2, tokens=100 * ROW, unit_steps=2)
    spec = create_run(Store(str(tmp_path / "few")), corpus, few).spec
    assert (spec.unit_tokens, spec.epoch_units) == (2 * ROW, 5)


def test_a_run_begins_with_the_model_that_the_pairs_are_measured_from(
    base: Path, corpus: Path, tmp_path: Path
) -> None:
    config = load_model(base).config
    tensors = {name: p.detach().numpy() for name, p in new_model(config, 1).named_parameters()}
    save_checkpoint(tmp_path / "other", config, tensors, base, card="")
    for model in (str(tmp_path / "other"), "nano"):
        with pytest.raises(ConfigError, match=f"measured from another model than {model}"):
            create_run(Store(str(tmp_path / "run")), corpus, RunOptions(model=model))
    options = RunOptions(model=str(base), sequence_tokens=CONTEXT)
    with pytest.raises(ConfigError, match=f"--sequence {ROW}"):
        create_run(Store(str(tmp_path / "run")), corpus, options)
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_gguf_file_is_the_same_start_as_its_checkpoint(
    base: Path, liked: Path, corpus: Path, tmp_path: Path
) -> None:
    export_gguf(base, tmp_path / "base.gguf", "f32")
    manifest, _ = _build(tmp_path / "base.gguf", liked, tmp_path / "of-gguf")
    own = read_manifest(corpus)
    assert manifest.preferences
    assert own.preferences
    assert manifest.preferences.start == own.preferences.start


def test_what_can_not_be_learnt_is_left_out_or_refused(
    base: Path, liked: Path, write: Write, tmp_path: Path
) -> None:
    records = [
        {"prompt": "Say hello.", "chosen": "Hello, you!", "rejected": "Four."},
        {"prompt": "Say hello.", "chosen": "Four.", "rejected": "Four."},
        {"prompt": "Say hello.", "chosen": "Four. " * 40, "rejected": "Four."},
    ]
    manifest, left_out = _build(base, write("some.jsonl", records), tmp_path / "some")
    assert manifest.documents == 1
    assert left_out.counts == {"whose two answers are the same": 1, "over 48 tokens": 1}
    with pytest.raises(ConfigError, match="--context 129 is more than the 128 tokens"):
        _build(base, liked, tmp_path / "long", replace(OPTIONS, context=129))
    with pytest.raises(ConfigError, match="nothing to learn from: 1 whose two answers are the sam"):
        _build(base, write("none.jsonl", records[1:2]), tmp_path / "none")
    with pytest.raises(ConfigError, match="exists already"):
        _build(base, liked, tmp_path / "some")
    assert not (tmp_path / "none").exists()


def test_a_damaged_manifest_and_a_measure_of_texts_are_refused(corpus: Path) -> None:
    data = (corpus / "manifest.json").read_bytes()
    with pytest.raises(IntegrityError, match="not two conversations of 47 tokens"):
        Manifest.from_json(data.replace(b'"context": 48', b'"context": 47'), "here")
    with pytest.raises(IntegrityError, match="beta"):
        Manifest.from_json(data.replace(b'"beta": 0.5', b'"beta": 0.0'), "here")
    with pytest.raises(ConfigError, match="can't be read as a text"):
        find_task(f"bits_per_byte:{corpus}").questions(Data(None))


def test_the_command_builds_what_run_create_takes(base: Path, liked: Path, tmp_path: Path) -> None:
    words = ["--preferences", "--model", str(base), "--context", "48", "--held-out", "0.3"]
    out = tmp_path / "out"
    shown = CliRunner().invoke(app, ["corpus", "lessons", str(liked), *words, "-o", str(out)])
    assert shown.exit_code == 0, shown.output
    assert "12 pairs from preferences between two answers" in shown.output
    assert "in rows of 98." in shown.output
    words = ["--corpus", str(out), "--model", str(base), "--batch", "1", "--tokens", "1k"]
    shown = CliRunner().invoke(app, ["run", "create", str(tmp_path / "run"), *words])
    assert shown.exit_code == 0, shown.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--preferences"], "give it with --model"),
        (["--preferences", "--tokenizer", "first"], "give it with --model"),
        (["--preferences", "--model", "first", "--tokenizer", "first"], "and no --tokenizer"),
        (["--model", "first"], "--tokenizer first"),
    ],
)
def test_options_that_do_not_go_together_are_named(words: list[str], said: str) -> None:
    shown = CliRunner().invoke(app, ["corpus", "lessons", "data.jsonl", "-o", "out", *words])
    assert isinstance(shown.exception, ConfigError)
    assert said in str(shown.exception)
