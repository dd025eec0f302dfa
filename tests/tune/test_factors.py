"""Runs that learn LoRA factors: what sites exchange, what comes of it, and what it lies beside."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.corpus import TokenReader, read_manifest
from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError, IntegrityError
from archipel.ledger import Ledger
from archipel.models.checkpoint import load_model
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_adapter, export_run, measure
from archipel.train.factors import fetch_base
from archipel.train.join import load_state
from archipel.tune.conversations import conversation
from archipel.tune.lesson_corpus import LessonOptions, build_lesson_corpus
from archipel.tune.lessons import Material
from archipel.tune.lora import Lora
from tests.train.processes import PATIENCE, Site, audited


@pytest.fixture
def corpus(base: Path, chats: Path, tmp_path: Path) -> Path:
    material = Material(data=[chats], read=conversation, kind="conversations")
    lessons = LessonOptions(row_tokens=48, held_out=0.0)
    build_lesson_corpus(material, tmp_path / "corpus", lessons, LeftOut(), start=base)
    return tmp_path / "corpus"


def _options(base: Path, *, steps: int) -> RunOptions:
    return RunOptions(
        model=str(base),
        lora=Lora(4, 8.0),
        tokens=48 * steps,
        batch_sequences=1,
        sequence_tokens=48,
        unit_steps=1,
        sync_steps=8,
        learning_rate=3e-2,
    )


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's
def test_two_sites_learn_factors_beside_a_model_that_stays(
    base: Path, corpus: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ledger = create_run(Store(str(run)), corpus, _options(base, steps=200))
    reader = TokenReader(corpus, read_manifest(corpus), "train")
    fetch_base(ledger)
    before = measure(load_state(ledger), reader)
    sites = [Site(run, name) for name in ("athens", "bergen")]
    assert [site.process.wait(PATIENCE) for site in sites] == [0, 0]
    assert audited(run)["finished"] is True
    state = load_state(ledger)
    after = measure(state, reader)
    assert before
    assert after
    assert after < before - 0.1  # the output layer has random weights, and stays
    assert all("lora_" in name for name in state.tensors())

    export_run(ledger, tmp_path / "whole", name="whole", gguf=None)
    export_adapter(ledger, tmp_path / "adapter", name="adapter")
    own, whole = load_model(base), load_model(tmp_path / "whole")
    assert torch.equal(own.get_input_embeddings().weight, whole.get_input_embeddings().weight)
    beside = PeftModel.from_pretrained(load_model(base), tmp_path / "adapter")
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        first, learnt, adapted = (model(ids).logits for model in (own, whole, beside))
    assert torch.allclose(learnt, adapted, atol=1e-2)
    assert not torch.allclose(learnt, first, atol=0.1)


def test_a_machine_that_lacks_the_base_fetches_it_and_refuses_another(
    base: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    create_run(Store(str(run)), corpus, _options(base, steps=8))
    monkeypatch.setenv("ARCHIPEL_HOME", str(tmp_path / "elsewhere"))
    ledger = Ledger.open(Store(str(run)))
    [part] = (run / "base" / "parts").iterdir()
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    with pytest.raises(IntegrityError, match="truncated or altered"):
        fetch_base(ledger)
    part.write_bytes(whole)
    fetch_base(ledger)
    reader = TokenReader(corpus, read_manifest(corpus), "train")
    assert measure(load_state(ledger), reader)
    [cached] = (tmp_path / "elsewhere" / "cache" / "bases").iterdir()
    cached.write_bytes(b"something else")
    fetch_base(ledger)
    assert cached.stat().st_size == 4 * sum(p.numel() for p in load_model(base).parameters())


def test_what_has_no_factors_is_told(base: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nano has learnt nothing yet"):
        create_run(Store(str(tmp_path / "new")), corpus, RunOptions(model="nano", lora=Lora(4, 8)))
    options = RunOptions(model=str(base), batch_sequences=1, sequence_tokens=48, unit_steps=1)
    ledger = create_run(Store(str(tmp_path / "whole")), corpus, options)
    with pytest.raises(ConfigError, match="has no adapter"):
        export_adapter(ledger, tmp_path / "adapter", name="adapter")
    command = ["run", "create", str(tmp_path / "other"), "--corpus", str(corpus)]
    done = CliRunner().invoke(app, [*command, "--lora-alpha", "3"])
    assert isinstance(done.exception, ConfigError)
    assert "give --lora too" in str(done.exception)
