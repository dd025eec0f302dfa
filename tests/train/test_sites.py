"""Real site processes on a real folder: trained, killed, brought back, audited, exported."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from archipel import config
from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from archipel.store import Store
from archipel.train.join import load_state
from tests.train.processes import (
    MODEL,
    PATIENCE,
    Site,
    archipel,
    audited,
    create,
    merged_sessions,
    wait_for,
)

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers"),
]


@pytest.fixture(scope="module")
def created(corpus: Path) -> Path:
    """A created run that nobody has joined."""
    return create(corpus.parent / "run", corpus, tokens=240_000)


@pytest.fixture
def run(created: Path, tmp_path: Path) -> Path:
    """A copy of the created run: about 20 s for three sites."""
    return shutil.copytree(created, tmp_path / "run")


@pytest.fixture
def sites(run: Path) -> Iterator[list[Site]]:
    """Three sites that have begun; none outlives the test."""
    processes = [Site(run, name) for name in ("a", "b", "c")]
    yield processes
    for site in processes:
        if site.process.poll() is None:
            site.process.kill()
            site.process.wait(PATIENCE)


def test_a_site_killed_and_one_lost_for_good_cost_no_token(run: Path, sites: list[Site]) -> None:
    everyone = {("a", 0), ("b", 0), ("c", 0)}
    wait_for(lambda: merged_sessions(run) >= everyone, sites)
    assert sites[1].end(signal.SIGKILL) == -signal.SIGKILL
    assert sites[2].end(signal.SIGKILL) == -signal.SIGKILL
    sites[1:] = [Site(run, "b")]
    wait_for(lambda: ("b", 1) in merged_sessions(run), sites)
    for site in sites:
        assert site.process.wait(120) == 0, site.log.read_text(encoding="utf-8")
    figures = audited(run)
    assert figures["finished"] is True
    assert figures["tokens"] == figures["budget_tokens"]
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)
    for site in sites:
        lines = Ledger.open(Store(str(run))).metrics(site.log.stem).splitlines()
        digests = {
            point["applied"]: point["digest"]
            for point in map(json.loads, lines)
            if "applied" in point
        }
        commits = read_commits(Ledger.open(Store(str(run))))
        expected = {commit.round: commit.digest for commit in commits}
        assert digests
        assert digests.items() <= expected.items()


def test_ctrl_c_hands_in_what_was_trained_and_another_goes_on(corpus: Path, tmp_path: Path) -> None:
    run = create(tmp_path / "run", corpus, tokens=80_000)
    first = Site(run, "first")
    wait_for(lambda: ("first", 0) in merged_sessions(run), [first])
    assert first.end(signal.SIGINT) == 0
    seen = Ledger.open(Store(str(run))).sighting("first")
    assert seen is not None
    assert seen.heartbeat.state == "left"
    second = Site(run, "second")
    assert second.process.wait(120) == 0, second.log.read_text(encoding="utf-8")
    figures = audited(run)
    assert figures["tokens"] == figures["budget_tokens"]
    again = archipel("site", "join", run, "--name", "third")
    assert again.returncode == 0
    assert "finished" in again.stderr
    exported_is_what_was_trained(run, tmp_path / "model")


def exported_is_what_was_trained(run: Path | str, folder: Path) -> None:
    """The checkpoint opens in transformers with the logits of the run's own parameters."""
    done = archipel("run", "export", run, folder, "--gguf", "f16")
    assert done.returncode == 0, done.stderr
    state = load_state(Ledger.open(Store(str(run))))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(folder)("def parse(text):", return_tensors="pt").input_ids
    with torch.no_grad():
        exported = model(ids).logits
        tensors = {name: torch.from_numpy(value) for name, value in state.tensors().items()}
        model.load_state_dict(tensors, strict=False)
        model.tie_weights()
        trained = model(ids).logits
    assert (exported - trained).abs().max() <= 1e-4
    assert (folder / "model-f16.gguf").stat().st_size > 0
    assert "held-out loss" in (folder / "README.md").read_text(encoding="utf-8").lower()


def test_a_run_in_an_s3_bucket(s3_bucket: str, corpus: Path) -> None:
    url = create(f"{s3_bucket}/runs/first", corpus, tokens=10_000)
    done = archipel("site", "join", url, "--name", "a", "--threads", 1)
    assert done.returncode == 0, done.stderr
    figures = audited(url)
    assert figures["tokens"] == figures["budget_tokens"]
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)


def test_a_second_run_on_the_same_url_is_refused_and_the_first_is_whole(
    run: Path, corpus: Path
) -> None:
    before = (run / "run.json").read_bytes()
    done = archipel("run", "create", run, "--corpus", corpus, "--model", "nano")
    assert done.returncode == 1
    assert "already holds a run with another spec" in done.stderr
    assert (run / "run.json").read_bytes() == before


def test_a_corpus_with_another_tokenizer_is_refused(
    run: Path, tmp_path: Path, corpus: Path
) -> None:
    other = tmp_path / "other"
    inputs = Path(json.__file__).parent
    assert archipel("corpus", "build", inputs, "-o", other, "--vocab-size", 400).returncode == 0
    done = archipel("site", "join", run, "--name", "a", "--corpus", other)
    assert done.returncode == 1
    assert "another tokenizer" in done.stderr


def test_a_truncated_snapshot_is_refused(run: Path) -> None:
    # A site that was killed while it joined a run like this one has left whole parts here.
    shutil.rmtree(config.home() / "cache" / "snapshots", ignore_errors=True)
    path = next((run / "snapshots" / "00000000" / "parts").iterdir())
    path.write_bytes(path.read_bytes()[:100])
    done = archipel("site", "join", run, "--name", "a")
    assert done.returncode == 1
    assert "truncated or altered" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "watch", "{tmp}/nothing"], "there is no run"),
        (["site", "join", "ftp://x/run", "--name", "a"], "is not a store"),
        (["site", "join", "{run}", "--name", "../a"], "name"),
        (["site", "join", "{run}", "--name", "a", "--cores", "x"], "--cores"),
        (["run", "create", "{tmp}/r", "--corpus", "{tmp}/none"], "none"),
        (["run", "create", "{tmp}/r", "--corpus", "{corpus}", "--model", "giant"], "giant"),
        (["run", "create", "{tmp}/r", "--corpus", "{corpus}", "--tokens", "many"], "many"),
        (["run", "create", "{tmp}/r", "--corpus", "{corpus}", "--codec", "int3"], "int3"),
        (["run", "create", "{tmp}/r", "--corpus", "{corpus}", "--sync", "often"], "often"),
        (["run", "create", "/proc/r", "--corpus", "{corpus}"], "/proc/r"),
    ],
)
def test_bad_input_gets_one_clear_line(
    run: Path, corpus: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    done = archipel(*(word.format(run=run, corpus=corpus, tmp=tmp_path) for word in words))
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_full_disk_says_so_and_the_same_command_goes_on_when_there_is_room(
    corpus: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(small)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        (tmp_path / "config.json").write_text(json.dumps(MODEL), encoding="utf-8")
        words = ["run", "create", small / "run", "--corpus", corpus]
        words += ["--model", tmp_path / "config.json", "--sequence", 64, "--tokens", 40_000]
        done = archipel(*words)
        assert done.returncode == 1
        assert "No space left" in done.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        assert archipel(*words).returncode == 0
        assert Ledger.open(Store(str(small / "run"))).snapshot(0) is not None
    finally:
        os.sync()
        subprocess.run(["umount", str(small)], check=True)
