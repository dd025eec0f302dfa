"""A run that trains a model of pictures, over the sites, the ledger and the audit of all others."""

from pathlib import Path

import pytest

from archipel.errors import ModelError
from archipel.images.painter import Order, open_painter
from archipel.ledger import Ledger
from archipel.store import Store
from archipel.train.create import RunOptions, create_run
from archipel.train.export import export_run
from tests.images.coloured import SIDE, build, write_pictures
from tests.train.processes import Site, archipel, audited

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coloured")
    write_pictures(folder / "pictures", places=40)
    build(folder / "pictures", folder / "corpus")
    return folder / "corpus"


def create(url: Path, corpus: Path) -> None:
    words = ["--model", "nano", "--tokens", "5k", "--batch", 4, "--sync", 4]
    done = archipel("run", "create", url, "--corpus", corpus, *words)
    assert done.returncode == 0, done.stderr


def test_two_sites_train_it_and_each_row_is_learnt_once(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    create(run, corpus)
    sites = [Site(run, name) for name in ("a", "b")]
    for site in sites:
        assert site.process.wait(120) == 0, site.log.read_text(encoding="utf-8")
    figures = audited(run)
    assert figures["finished"] is True
    assert figures["tokens"] == figures["budget_tokens"]
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)
    done = archipel("run", "export", run, tmp_path / "model")
    assert "squared velocity" in done.stdout
    painter = open_painter(tmp_path / "model", threads=1)
    [picture] = painter.paint(Order("red disc", steps=4), lambda done, total: False)
    assert picture.size == (SIDE, SIDE)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "text-to-image" in card
    assert "AutoModelForCausalLM" not in card


def test_a_model_that_is_there_learns_further(corpus: Path, tmp_path: Path) -> None:
    first = create_run(Store(str(tmp_path / "first")), corpus, RunOptions(tokens=2_000))
    export_run(first, tmp_path / "model", name="first", gguf=None)
    options = RunOptions(model=str(tmp_path / "model"), tokens=2_000, seed=3)
    second = create_run(Store(str(tmp_path / "second")), corpus, options)
    assert second.spec.initial_digest == first.spec.initial_digest
    assert second.spec.inner.learning_rate == first.spec.inner.learning_rate / 10
    assert second.spec.inner.optimiser == "adamw"


def test_there_is_no_gguf_of_pictures(corpus: Path, tmp_path: Path) -> None:
    create_run(Store(str(tmp_path / "run")), corpus, RunOptions(tokens=2_000))
    ledger = Ledger.open(Store(str(tmp_path / "run")))
    with pytest.raises(ModelError, match="GGUF"):
        export_run(ledger, tmp_path / "model", name="x", gguf="f16")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (RunOptions(model="huge"), "huge"),
        (RunOptions(sequence_tokens=64), "rows of 18 tokens"),
        (RunOptions(batch_sequences=512), "build a larger corpus"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    corpus: Path, tmp_path: Path, options: RunOptions, said: str
) -> None:
    with pytest.raises(Exception, match=said):
        create_run(Store(str(tmp_path / "run")), corpus, options)
    assert not (tmp_path / "run" / "run.json").exists()
