"""Joining a run: the newest snapshot, the commits since, and one's own unfinished claims."""

import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from archipel import config
from archipel.errors import IntegrityError, RunError
from archipel.ledger import Contribution, Cover, Ledger, RunSpec, SnapshotManifest
from archipel.train.claims import Claims
from archipel.train.exchange import Exchange
from archipel.train.fragments import Fragment, split
from archipel.train.guard import History
from archipel.train.kinds import run_model
from archipel.train.mailbox import ClaimKey
from archipel.train.state import GlobalState

log = logging.getLogger(__name__)

_REMEMBERED_ROUNDS = 4  # of each fragment, for the guard
_FETCHES = 8  # commits or files on their way at the same time
_SMALL_FETCHES = 32  # claims
_ROUNDS_AHEAD = 4  # of each fragment: all rounds but the last are there, so round trips overlap


def run_fragments(spec: RunSpec) -> list[Fragment]:
    """The run's fragments: the same on every site, from the spec alone."""
    with torch.device("meta"):
        model = run_model(spec)
    return split({name: tuple(p.shape) for name, p in model.named_parameters()}, spec.fragments)


def load_snapshot(ledger: Ledger, number: int) -> GlobalState:
    """The global state that one snapshot holds, its files fetched side by side.

    What comes is kept on disk until all is there: so joining goes on from where it broke off.

    Raises:
        IntegrityError: the snapshot is not there, or a file of it is truncated or altered.
    """
    return read_snapshot(ledger, number, run_fragments(ledger.spec))


def read_snapshot(ledger: Ledger, number: int, fragments: Sequence[Fragment]) -> GlobalState:
    """As `load_snapshot`, with the run's fragments at hand."""
    manifest = ledger.snapshot(number)
    if manifest is None:
        raise IntegrityError(f"{ledger.store.url} has no complete snapshot {number}")
    cache = config.home() / "cache" / "snapshots" / ledger.run
    with ThreadPoolExecutor(_FETCHES) as pool:
        data = pool.map(lambda n: ledger.snapshot_file(number, manifest, n, cache), manifest.files)
        files = dict(zip(manifest.files, data, strict=True))
    state = GlobalState.from_snapshot(ledger.spec, fragments, manifest, files)
    shutil.rmtree(cache, ignore_errors=True)  # it has served; another join's is only made again
    return state


def load_state(ledger: Ledger, local: GlobalState | None = None) -> GlobalState:
    """The global state now: `local`, or the newest snapshot, and all commits since.

    Of the two the one from which less is to be fetched.

    Raises:
        RunError: the run has no snapshot yet.
        IntegrityError: a snapshot or commit is damaged.
    """
    numbers = ledger.snapshot_numbers()
    if not numbers:
        raise RunError(
            f"the run at {ledger.store.url} is not complete: `archipel run create` was "
            "interrupted. Run it again with the same options"
        )
    number = numbers[-1]
    manifest = ledger.snapshot(number)
    size = sum(file.packed_bytes for file in manifest.files.values()) if manifest else 0
    if local and (manifest is None or _is_nearer(ledger, local, manifest, size)):
        log.info("reading the commits since this site's own checkpoint")
        try:
            return catch_up(ledger, local)
        except IntegrityError as error:
            log.warning("this site's checkpoint is not the run's (%s): joining afresh", error)
    log.info("reading snapshot %s, %.1f MB", number, size / 1e6)
    return catch_up(ledger, load_snapshot(ledger, number))


def catch_up(ledger: Ledger, state: GlobalState) -> GlobalState:
    """Apply all commits that there are, each fragment's next few fetched side by side."""
    count = ledger.spec.fragments
    behind = set(range(count))
    with ThreadPoolExecutor(_FETCHES) as pool:
        while behind:
            first = [state.next_round(fragment) for fragment in sorted(behind)]
            rounds = [round_ + ahead * count for ahead in range(_ROUNDS_AHEAD) for round_ in first]
            for round_, commit in zip(rounds, pool.map(ledger.commit, rounds), strict=True):
                if commit is None:
                    behind.discard(round_ % count)
                elif round_ % count in behind:
                    state.apply(*commit)
    return state


def recall_history(ledger: Ledger, state: GlobalState) -> None:
    """Tell the guard what the last commits of every fragment say, from before this process too."""
    count = ledger.spec.fragments

    def of(fragment: int) -> History:
        history, last = History(), state.applied[fragment]
        for round_ in range(last - (_REMEMBERED_ROUNDS - 1) * count, last + 1, count):
            header = ledger.commit_header(round_) if round_ >= 0 else None
            history = history.after(header) if header else history
        return history

    with ThreadPoolExecutor(_FETCHES) as pool:
        state.history = list(pool.map(of, range(count)))


def _is_nearer(ledger: Ledger, local: GlobalState, manifest: SnapshotManifest, size: int) -> bool:
    """Whether the commits from `local` to a snapshot are less to fetch than its `size`."""
    behind = {
        fragment: (there - here) // ledger.spec.fragments
        for fragment, (here, there) in enumerate(zip(local.applied, manifest.rounds, strict=True))
        if there > here
    }
    if not behind:
        return True
    found = ledger.commit(local.next_round(next(iter(behind))))
    if found is None:
        return False
    return sum(behind.values()) * len(found[1]) < size


def is_finished(ledger: Ledger) -> bool:
    """Whether the run's newest snapshot is its final one."""
    numbers = ledger.snapshot_numbers()
    manifest = ledger.snapshot(numbers[-1]) if numbers else None
    return manifest is not None and manifest.final


def next_session(ledger: Ledger, site: str) -> int:
    """The number of this process among those that joined under this name."""
    seen = ledger.sighting(site)
    return seen.heartbeat.session + 1 if seen else 0


def find_claims(ledger: Ledger, state: GlobalState, site: str, session: int) -> Claims:
    """This site's claims: all that is claimed is heard of, its own unfinished ones are resumed."""
    claimed = ledger.claims()
    next_unit = max(state.cover.reach, *(unit + 1 for unit, _ in claimed), 0)
    claims = Claims(ledger, site, session, next_unit)
    undecided = _undecided_units(ledger, state, site)
    cover = state.cover
    open_ = [key for key in claimed if not cover.is_covered(key[0]) and _is_newest(cover, key)]
    with ThreadPoolExecutor(_SMALL_FETCHES) as pool:
        holders = list(pool.map(lambda key: claims.holder(*key), open_))
        own = [key for key, holder in zip(open_, holders, strict=True) if holder == site]
        for claim in pool.map(lambda key: ledger.claim(*key), own):
            assert claim is not None
            claims.resume(claim, after_round_of=undecided.get(claim.unit))
    return claims


def _is_newest(cover: Cover, key: ClaimKey) -> bool:
    unit, generation = key
    return cover.position(unit)[0] == generation


def recall_contributions(ledger: Ledger, exchange: Exchange) -> None:
    """Take note of contributions of an earlier session that are still undecided."""
    for fragment, header in enumerate(_undecided(ledger, exchange.state, exchange.who.site)):
        if header:
            exchange.remember(fragment)


def _undecided_units(ledger: Ledger, state: GlobalState, site: str) -> dict[int, int]:
    """Units in this site's contributions to open rounds, each with the fragment to wait for."""
    undecided = {}
    for fragment, header in enumerate(_undecided(ledger, state, site)):
        for piece in header.ranges if header else ():
            if piece.unit % ledger.spec.fragments == fragment:
                undecided[piece.unit] = fragment
    return undecided


def _undecided(ledger: Ledger, state: GlobalState, site: str) -> list[Contribution | None]:
    """This site's contribution to each fragment's open round, if there is one."""
    with ThreadPoolExecutor(_FETCHES) as pool:
        rounds = map(state.next_round, range(ledger.spec.fragments))
        return list(pool.map(lambda round_: ledger.contribution_header(round_, site), rounds))
