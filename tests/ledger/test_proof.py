"""The audit: a sound run passes, and whatever is tampered with is named."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.ledger import Commit, Ledger, Range, RunSpec
from archipel.ledger.audit import read_commits
from archipel.ledger.frame import pack, pack_line
from archipel.ledger.proof import Proof, prove
from archipel.ledger.schema import Claim, SnapshotManifest
from archipel.train.join import read_snapshot
from archipel.train.replay import Replay, replay
from archipel.train.rollback import Target, roll_back
from tests.ledger.conftest import make_spec
from tests.ledger.written import WrittenRun


def quiet(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total, what


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    """Ten units by two sites, six of them before a snapshot; the first contributions collected."""
    run = WrittenRun(tmp_path, make_spec())
    run.units(0, 6, ("a", "b"))
    run.snapshot()
    run.site("a").delete_contributions(range(4))
    run.units(6, 10, ("a", "b"))
    run.snapshot(final=True)
    return run


def proof_of(run: WrittenRun) -> Proof:
    return prove(Ledger.open(run.store), quiet)


def replay_of(run: WrittenRun) -> Replay:
    return replay(Ledger.open(run.store), run.fragments, quiet)


def test_a_sound_run_passes(run: WrittenRun) -> None:
    proof = proof_of(run)
    assert proof.violations == ()
    assert proof.ignored == ()
    assert proof.finished
    assert proof.members == ("a", "b")
    assert (proof.audit.tokens, proof.audit.commits) == (950, 10)
    assert (proof.claims, proof.snapshots, proof.contributions_left) == (10, 3, 6)
    # commits, claims, contributions, snapshots, members
    assert proof.signatures == 10 + 10 + 6 + 3 + 2


def test_a_replay_comes_to_the_same_bits(run: WrittenRun) -> None:
    found = replay_of(run)
    assert found.violations == ()
    assert (found.commits, found.tokens) == (10, 950)
    assert found.snapshot_files == 3 * 8
    again = read_snapshot(Ledger.open(run.store), 10, run.fragments)
    for ours, theirs in zip(run.state.parameters, again.parameters, strict=True):
        assert np.array_equal(ours, theirs)


def test_snapshots_of_sites_that_had_applied_other_commits_first(
    tmp_path: Path, spec: RunSpec
) -> None:
    run = WrittenRun(tmp_path, spec)
    run.units(0, 1)
    lagging = run.state.copy()
    run.units(1, 4)
    run.snapshot()
    found = run.round(4, {"a": (Range(unit=4, generation=0, start=0, stop=100),)})
    lagging.apply(*found)  # fragments 1 to 3 are still where the run began
    run.lagging_snapshot(lagging, 5)
    run.units(5, 8)
    run.snapshot()
    assert proof_of(run).violations == ()
    assert replay_of(run).violations == ()


def forge_commit(run: WrittenRun) -> None:
    """A member's commit over another one's, in its name."""
    header = run.site("a").commit_header(3)
    assert header
    forged = header.model_copy(update={"by": "a"})
    key = "rounds/00000003/commit"
    run.store.put(key, pack(forged.to_json(), b"", key, run.site("b").seal))


def replay_commit(run: WrittenRun) -> None:
    run.store.put("rounds/00000007/commit", run.store.get("rounds/00000003/commit") or b"")


def lose_commit(run: WrittenRun) -> None:
    run.store.delete(["rounds/00000005/commit"])


def break_commit(run: WrittenRun) -> None:
    data = run.store.get("rounds/00000005/commit") or b""
    run.store.put("rounds/00000005/commit", data[:-1] + bytes([data[-1] ^ 1]))


def train_twice(run: WrittenRun) -> None:
    def change(commit: Commit) -> Commit:
        piece = Range(unit=4, generation=0, start=0, stop=100)
        header = commit.merged[0].model_copy(update={"ranges": (piece,)})
        return commit.model_copy(update={"merged": (header,)})

    change_commit(run, 8, change)


def merge_stranger(run: WrittenRun) -> None:
    def change(commit: Commit) -> Commit:
        header = commit.merged[0].model_copy(update={"site": "stranger"})
        return commit.model_copy(update={"merged": (header,)})

    change_commit(run, 2, change)


def merge_other_than_contributed(run: WrittenRun) -> None:
    def change(commit: Commit) -> Commit:
        header = commit.merged[0].model_copy(update={"loss": 7.0})
        return commit.model_copy(update={"merged": (header,)})

    change_commit(run, 6, change)


def change_commit(run: WrittenRun, round_: int, change: Callable[[Commit], Commit]) -> None:
    """What a member that merges could do: sign another commit."""
    found = run.site("a").commit(round_)
    assert found
    key = f"rounds/{round_:08d}/commit"
    data = pack(change(found[0]).to_json(), bytes(found[1]), key, run.site("a").seal)
    run.store.put(key, data)


def steal_claim(run: WrittenRun) -> None:
    key = "claims/00000/00000001.0"
    claim = Claim(site="a", session=0, unit=1, generation=0, start=0)
    run.store.put(key, pack_line(claim.to_json(), key, run.site("a").seal))


def merge_by_two(run: WrittenRun) -> None:
    """A site goes on in a unit under another one's claim."""

    def change(commit: Commit) -> Commit:
        half = Range(unit=6, generation=0, start=0, stop=50)
        rest = Range(unit=6, generation=0, start=50, stop=100)
        mine = commit.merged[0].model_copy(update={"ranges": (half,), "tokens": 50})
        other = mine.model_copy(update={"ranges": (rest,), "site": "b"})
        return commit.model_copy(update={"merged": (mine, other)})

    change_commit(run, 6, change)


def lose_claim(run: WrittenRun) -> None:
    run.store.delete(["claims/00000/00000002.0"])


def change_snapshot(
    run: WrittenRun, change: Callable[[SnapshotManifest], SnapshotManifest]
) -> None:
    manifest = run.site("a").snapshot(6)
    assert manifest
    key = "snapshots/00000006/manifest.json"
    run.store.put(key, pack_line(change(manifest).to_json(), key, run.site("a").seal))


def swap_parameters(run: WrittenRun) -> None:
    def change(manifest: SnapshotManifest) -> SnapshotManifest:
        files = manifest.files | {"parameters.0": manifest.files["parameters.1"]}
        return manifest.model_copy(update={"files": files})

    change_snapshot(run, change)


def swap_momentum(run: WrittenRun) -> None:
    def change(manifest: SnapshotManifest) -> SnapshotManifest:
        files = manifest.files | {"momentum.0": manifest.files["momentum.1"]}
        return manifest.model_copy(update={"files": files})

    change_snapshot(run, change)


def lie_about_cover(run: WrittenRun) -> None:
    change_snapshot(run, lambda m: m.model_copy(update={"cover": m.cover | {"below": 9}}))


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (forge_commit, "commit 3: rounds/00000003/commit names different sites: a, b"),
        (replay_commit, "commit 7: the signature is not a's for this object"),
        (lose_commit, "commit 5 is missing, though the run went on"),
        (break_commit, "commit 5: the signature is not a's"),
        (train_twice, "100 tokens were trained twice"),
        (train_twice, "100 tokens were skipped"),
        (merge_stranger, "commit 2 merges stranger, which may not take part"),
        (merge_other_than_contributed, "contribution of a to round 6 is not the one that was"),
        (steal_claim, "unit 1, generation 0 was merged from b at 0, but a claimed it"),
        (merge_by_two, "unit 6, generation 0 was merged from b at 50, but a claimed it"),
        (lose_claim, "unit 2, generation 0 was merged from a: there is no claim"),
        (swap_parameters, "snapshot 6 holds other parameters of fragment 0 than commit 4"),
        (lie_about_cover, "snapshot 6 says other tokens are trained"),
    ],
)
def test_whatever_is_tampered_with_is_named(
    run: WrittenRun, tamper: Callable[[WrittenRun], None], reason: str
) -> None:
    tamper(run)
    violations = proof_of(run).violations
    assert [line for line in violations if reason in line], violations


def test_a_replay_finds_what_signatures_can_not(run: WrittenRun) -> None:
    swap_momentum(run)
    assert proof_of(run).violations == ()
    assert replay_of(run).violations == ("snapshot 6: momentum.0 is not what the commits come to",)


def test_a_replay_finds_another_payload_under_a_good_signature(run: WrittenRun) -> None:
    header, _ = run.site("a").commit(5) or (None, None)
    payload = (run.site("a").commit(1) or (None, b""))[1]
    assert header
    key = "rounds/00000005/commit"
    run.store.put(key, pack(header.to_json(), bytes(payload), key, run.site("a").seal))
    assert "commit 5 can't be replayed" in replay_of(run).violations[0]


def test_what_was_accepted_nowhere_is_no_violation(run: WrittenRun) -> None:
    run.store.put("rounds/00000009/mallory.delta", b"junk")
    run.store.put("members/mallory.json", b"junk")
    run.store.put("snapshots/00000099/manifest.json", b"junk")
    proof = proof_of(run)
    assert proof.violations == ()
    assert len(proof.ignored) == 3


def test_a_run_with_rollbacks_is_audited_as_it_counts(tmp_path: Path, spec: RunSpec) -> None:
    run = WrittenRun(tmp_path, spec)
    run.units(0, 6, ("a", "b"))
    run.snapshot()
    for target, units in ((2, range(3, 7)), (5, range(6, 8)), (1, range(2, 10))):
        begun = roll_back(run.owner, run.fragments, Target(round=target), say=lambda _: None)
        number = begun.ledger.snapshot_numbers()[0]
        run.reopen(read_snapshot(begun.ledger, number, run.fragments))
        run.units(units.start, units.stop, ("b", "a"))
    run.snapshot(final=True)
    proof = proof_of(run)
    assert proof.violations == ()
    assert proof.finished
    # The last era goes back to era 0: nothing counts of what is between, nor of era 0's end.
    assert (proof.eras, proof.audit.tokens, proof.audit.commits) == (4, 950, 10)
    assert proof.abandoned_commits == 4 + 4 + 2
    found = replay_of(run)
    assert found.violations == ()
    assert found.tokens == 950
    assert len(read_commits(Ledger.open(run.store))) == 10


def test_a_run_in_a_bucket(tmp_path: Path, spec: RunSpec, s3_bucket: str) -> None:
    run = WrittenRun(tmp_path, spec, f"{s3_bucket}/run")
    run.units(0, 4, ("a", "b"))
    run.snapshot()
    begun = roll_back(run.owner, run.fragments, Target(round=1), without=["b"], say=lambda _: None)
    number = begun.ledger.snapshot_numbers()[0]
    run.reopen(read_snapshot(begun.ledger, number, run.fragments))
    run.units(2, 10)
    run.snapshot(final=True)
    proof = proof_of(run)
    assert (proof.violations, proof.audit.tokens, proof.abandoned_commits) == ((), 950, 2)
    assert replay_of(run).violations == ()


def test_the_command_names_what_is_wrong_and_fails(run: WrittenRun) -> None:
    url = run.store.url
    sound = CliRunner().invoke(app, ["run", "audit", url])
    assert sound.exit_code == 0
    assert "nothing is wrong" in sound.output
    lose_claim(run)
    wrong = CliRunner().invoke(app, ["run", "audit", url])
    assert wrong.exit_code == 1
    assert "unit 2, generation 0 was merged from a" in wrong.output
    figures = CliRunner().invoke(app, ["run", "audit", url, "--json"])
    assert figures.exit_code == 1
    found = json.loads(figures.stdout)
    assert (found["duplicate_tokens"], found["skipped_tokens"]) == (0, 0)
    assert len(found["violations"]) == 1
