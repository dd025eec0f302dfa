"""One contestant on one link: started, timed, counted, ended; and the curve of what it learnt."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from archipel.corpus import TokenReader, read_manifest
from archipel.errors import RunError
from archipel.evaluate.loss import held_out_loss
from archipel.ledger import Ledger
from archipel.train.export import measure
from archipel.train.join import read_snapshot, run_fragments
from archipel.train.language import HELD_OUT_TOKENS
from benchmarks.network import Link, Network, Site
from benchmarks.network.points import tokens_between
from benchmarks.network.stage import Setting, Stage, beats, points, wait_until
from benchmarks.race.environment import lighthouse, torchft_python
from benchmarks.race.figures import APART, CURVE_POINTS, RESTING, Outcome, Point
from benchmarks.race.task import Task

EVERY_STEP = ("alone", APART, "data-parallel")  # these do not exchange every H steps
LIGHTHOUSE_PORT = 29_510
_LOAD_SECONDS = 300.0
_SAMPLE_SECONDS = 0.25
_METRICS_SECONDS = 4.0  # until all that a site knows is in the store


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is the same for all contestants."""

    sites: tuple[str, ...]
    share: float  # of a core, a site
    setting: Setting  # Archipel's; the peers' tasks are made of it
    steps: int  # of the global batch, in which all are compared
    more_steps: int  # that those train who exchange every H steps: they may need more
    sync_steps: int
    peak_rate: float
    outer_rate: float
    outer_momentum: float
    every_step_seconds: float  # of training, after which those end who exchange at every step
    every_round_seconds: float  # as much for the other peers
    own_seconds: float  # and for Archipel, whose curve is nobody's to go on with
    seed: int

    @property
    def batch_tokens(self) -> int:
        """Tokens that all sites together train in one step."""
        return len(self.sites) * self.setting.batch * self.setting.sequence

    @property
    def warmup_tokens(self) -> int:
        """As `archipel run create` sets it: a twentieth of the budget."""
        return self.setting.tokens // 20

    def peer_seconds(self, way: str) -> float:
        """How long a peer may train."""
        return self.every_step_seconds if way in EVERY_STEP else self.every_round_seconds


class Traffic:
    """The bytes on all links, read a few times a second."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._samples: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, since: float, until: float) -> float:
        """Bytes between two moments, in seconds since the epoch."""
        times, counts = zip(*self._samples, strict=True)
        start, end = np.interp([since, until], times, counts)
        return float(end - start)

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._samples.append((time.time(), self._network.total_bytes()))


# Peers


def run_peer(stage: Stage, terms: Terms, way: str, link: Link) -> Outcome:
    """Train a peer on these links, until it is done or the time is over.

    Raises:
        RunError: one of its processes ended with an error.
        ConfigError: it can't be installed.
    """
    folder = stage.folder / f"{way}-{time.monotonic_ns()}"
    folder.mkdir()
    task = _task(stage, terms, way, folder)
    task.write(folder / "task.json")
    network = stage.network
    for site in terms.sites:
        network.shape(site, link)
    with ExitStack() as stack:
        python = sys.executable
        if way == "torchft":
            python = str(torchft_python(Path("build/torchft")))
            stack.enter_context(lighthouse(Path(python), task.lighthouse, len(terms.sites)))
        racers = stack.enter_context(_started(network, terms, task, folder, python))
        traffic = stack.enter_context(Traffic(network))
        began = time.time()
        (folder / "go").touch()
        lines = _follow(racers, folder, began, terms.peer_seconds(way))
    steps = [line for line in lines if "kept" not in line]
    kept = [line for line in lines if "kept" in line]
    model, held_out = task.model(), _held_out(stage)
    curve = [
        Point(
            seconds=line["time"] - began,
            tokens=line["step"] * task.global_batch_tokens,
            wan_bytes=traffic.between(began, line["time"]),
            loss=_loss(model, np.load(folder / line["kept"]), held_out, task.sequence),
        )
        for line in kept
    ]
    if not steps:
        raise RunError(f"{way} trained no step in {terms.peer_seconds(way):.0f} s")
    first, last = steps[0], steps[-1]
    trained = last["core_seconds"] - first["core_seconds"]
    return Outcome(
        seconds=last["time"] - began,
        tokens=last["step"] * task.global_batch_tokens,
        wan_bytes=traffic.between(began, last["time"]),
        finished=last["step"] >= terms.steps,
        curve=curve,
        training_cores=trained / (last["time"] - first["time"]) if way == APART else None,
    )


def _task(stage: Stage, terms: Terms, way: str, folder: Path) -> Task:
    network, first = stage.network, terms.sites[0]
    config = folder / "config.json"
    config.write_text(json.dumps(terms.setting.model()), encoding="utf-8")
    return Task(
        way=way,
        sites=len(terms.sites),
        processes=1 if way == "alone" else len(terms.sites),
        config=str(config),
        corpus=str(stage.corpus),
        sequence=terms.setting.sequence,
        steps=terms.steps if way in EVERY_STEP else terms.more_steps,
        schedule_steps=terms.setting.tokens // terms.batch_tokens,
        peak_rate=terms.peak_rate,
        warmup_tokens=terms.warmup_tokens,
        sync_steps=terms.sync_steps,
        outer_rate=terms.outer_rate,
        outer_momentum=terms.outer_momentum,
        seed=terms.seed,
        folder=str(folder),
        address=network.address(first),
        lighthouse=f"http://{network.gateway(first)}:{LIGHTHOUSE_PORT}",
    )


def parameters(stage: Stage, terms: Terms) -> int:
    """How many parameters the contestants' model has."""
    model = _task(stage, terms, "alone", stage.folder).model()
    return sum(parameter.numel() for parameter in model.parameters())


@dataclass
class _Racer:
    site: str
    process: subprocess.Popen[bytes]
    log: Path
    errors: Path

    def lines(self) -> list[dict[str, Any]]:
        """What it has reported; a line that is being written is left out."""
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]

    def check(self) -> None:
        """Raises RunError where it ended with an error."""
        if self.process.poll():
            tail = self.errors.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RunError(f"{self.site} ended with {self.process.returncode}:\n{tail}")


@contextmanager
def _started(
    network: Network, terms: Terms, task: Task, folder: Path, python: str
) -> Iterator[list[_Racer]]:
    """The peer's processes, loaded, each with its share of the CPU; killed in the end."""
    racers: list[_Racer] = []
    module = "torchft_peer" if task.way == "torchft" else "peer"
    share = terms.share * len(terms.sites) / task.processes
    try:
        for rank, site in enumerate(terms.sites[: task.processes]):
            command = [python, "-m", f"benchmarks.race.{module}", folder / "task.json", rank]
            racers.append(_start(network, site, command, folder))
            network.limit(site, None, racers[-1].process.pid)
        _wait_for(racers, _are_ready, _LOAD_SECONDS)
        for racer in racers:
            network.limit(racer.site, share, racer.process.pid)
        yield racers
    finally:
        for racer in racers:
            racer.process.kill()
            racer.process.wait()


def _start(network: Network, site: str, command: Sequence[object], folder: Path) -> _Racer:
    log, errors = folder / f"{site}.jsonl", folder / f"{site}.log"
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "wan", "OMP_NUM_THREADS": "2"}
    with log.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            network.command(site, *command), env=environment, stdout=out, stderr=err
        )
    return _Racer(site, process, log, errors)


def _are_ready(racers: Sequence[_Racer]) -> bool:
    return all(racer.lines() for racer in racers)


def _wait_for(
    racers: Sequence[_Racer], happened: Callable[[Sequence[_Racer]], bool], seconds: float
) -> None:
    end = time.monotonic() + seconds
    while not happened(racers):
        for racer in racers:
            racer.check()
        if time.monotonic() > end:
            raise RunError(f"{racers[0].site} and its peers were not ready in {seconds:.0f} s")
        time.sleep(_SAMPLE_SECONDS)


def _follow(
    racers: Sequence[_Racer], folder: Path, began: float, limit_seconds: float
) -> list[dict[str, Any]]:
    """What the first process reports until all have ended or the time is over."""
    while time.time() < began + limit_seconds:
        if all(racer.process.poll() is not None for racer in racers):
            break
        for racer in racers:
            racer.check()
        time.sleep(_SAMPLE_SECONDS)
    return [line for line in racers[0].lines() if "step" in line]


def _held_out(stage: Stage) -> TokenReader:
    return TokenReader(stage.corpus, read_manifest(stage.corpus), "held_out")


def _loss(model: PreTrainedModel, flat: np.ndarray, held_out: TokenReader, sequence: int) -> float:
    vector = torch.from_numpy(flat)
    torch.nn.utils.vector_to_parameters(vector, list(model.parameters()))
    return held_out_loss(model, held_out, sequence_tokens=sequence, tokens=HELD_OUT_TOKENS)


# Archipel


def run_archipel(stage: Stage, terms: Terms, codec: str, link: Link) -> Outcome:
    """Train Archipel's sites on these links, until they have trained enough or the time is over.

    The clock of the curve starts when the first site has trained a step; its speed and its bytes
    count from later on, over as many steps as lie between two snapshots of `int4`, so that one of
    them is put in the midst. Each gets its share of the CPU as soon as it trains.

    Raises:
        RunError: a site ended with an error.
    """
    name = f"{codec}-{time.monotonic_ns()}"
    spoken = "int4" if codec == RESTING else codec
    options = {**terms.setting.options, "codec": spoken, "seed": terms.seed}
    if codec == RESTING:
        options["sync"] = terms.setting.tokens
    ledger = stage.create(name, replace(terms.setting, options=options))
    sites = [stage.site(ledger, site) for site in terms.sites]
    with Traffic(stage.network) as traffic:
        try:
            for site in sites:
                stage.network.shape(site.name, link)
                site.start()
            all_limited = partial(_limit_who_trains, ledger, sites, terms.share)
            wait_until("all sites train", all_limited, sites, _LOAD_SECONDS)
            settled = partial(_have_trained, ledger, terms, terms.more_steps // 2)
            wait_until("the run is under way", settled, sites, _LOAD_SECONDS)
            began, before = time.time(), _trained(ledger, terms)
            cores = _training_seconds(sites)
            while time.time() < began + terms.own_seconds:
                ended, cores_then = time.time(), _training_seconds(sites)
                if _trained(ledger, terms) - before >= terms.more_steps * len(sites):
                    break
                for site in sites:
                    site.check()
                time.sleep(_SAMPLE_SECONDS)
            time.sleep(_METRICS_SECONDS)
        finally:
            for site in sites:
                site.kill()
    metrics = [points(ledger, site) for site in terms.sites]
    tokens = sum(tokens_between(found, began, ended) for found in metrics)
    first = min(point["time"] for found in metrics for point in found if "time" in point)
    return Outcome(
        seconds=ended - began,
        tokens=round(tokens),
        wan_bytes=traffic.between(began, ended),
        finished=tokens >= terms.steps * terms.batch_tokens,
        curve=[] if codec == RESTING else archipel_curve(ledger, stage, terms, first, traffic),
        training_cores=(cores_then - cores) / (ended - began) / len(sites),
    )


def _limit_who_trains(ledger: Ledger, sites: Sequence[Site], share: float) -> bool:
    """Give the sites that have loaded and train their share of the CPU; whether all do."""
    found = beats(ledger, [site.name for site in sites])
    training = [site for site in sites if site.name in found and found[site.name].step > 0]
    for site in training:
        site.limit(share)
    return len(training) == len(sites)


def _training_seconds(sites: Sequence[Site]) -> float:
    return sum(site.core_seconds()[0] for site in sites)


def _have_trained(ledger: Ledger, terms: Terms, steps: int) -> bool:
    return _trained(ledger, terms) >= steps * len(terms.sites)


def _trained(ledger: Ledger, terms: Terms) -> int:
    return sum(beat.step for beat in beats(ledger, terms.sites).values())


def archipel_curve(
    ledger: Ledger, stage: Stage, terms: Terms, began: float, traffic: Traffic
) -> list[Point]:
    """Held-out loss of the global parameters as its commits made them, by the store's times."""
    state = read_snapshot(ledger, 0, run_fragments(ledger.spec))
    put = {info.key: info.modified.timestamp() for info in ledger.store.list("rounds")}
    rounds = sorted(ledger.rounds()[0], key=lambda number: (_put_at(put, number), number))
    held_out, curve, due = _held_out(stage), [], 0.0
    for number in rounds:
        found = ledger.commit(number)
        assert found is not None
        state.apply(*found)
        share = state.cover.tokens / (terms.more_steps * terms.batch_tokens)
        if share < due and number != rounds[-1]:
            continue
        due = share + 1 / CURVE_POINTS
        at, loss = _put_at(put, number), measure(state, held_out)
        assert loss is not None
        curve.append(
            Point(
                seconds=at - began,
                tokens=state.cover.tokens,
                wan_bytes=traffic.between(began, at),
                loss=loss,
            )
        )
    if not curve:
        raise RunError(f"no round was merged in {terms.own_seconds:.0f} s")
    return curve


def _put_at(put: dict[str, float], number: int) -> float:
    return put[f"rounds/{number:08d}/commit"]
