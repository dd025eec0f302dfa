"""Ways of training over several sites on the same shaped links, side by side. Linux, root.

Data-parallel; blocking DiLoCo in fp16 and uint8 (OpenDiLoCo's protocol, written for this);
torchft's DiLoCo; Archipel with `int4` and `sparse`: the same model, text, seed, global batch,
tokens and learning rates, every site with the same share of a core, bytes counted at the virtual
network cards. The limit is one process alone on one site, with all the cores and batches. What
`archipel plan` says of ours stands beside it, told how fast our sites train while none exchanges.

A peer is ended after some minutes; its curve is at its own pace, with the losses of runs of the
same way that did finish. Where times to a loss have aims, losses are means over seeds. Runs are
kept in build/wan, so that a measurement that was stopped goes on where it was.
`python -m benchmarks.wan plot FIGURES.json` draws docs/wan.png; `… plan FIGURES.json` plans the
measured runs again.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from archipel.errors import ArchipelError
from archipel.files import read_json, write_json
from archipel.plan import forecast
from archipel.plan.inputs import make_plan
from benchmarks.network import Link, Network, interrupt_on_terminate
from benchmarks.network.stage import Setting, Stage
from benchmarks.race.contest import Terms, parameters, run_archipel, run_peer
from benchmarks.race.figures import (
    APART,
    IDLE_LINKS,
    RESTING,
    UNLINKED,
    Outcome,
    Point,
    Results,
    figures_of,
    mean_of,
)
from benchmarks.race.plot import draw

PROFILES = {
    "1 Gbit/s, 10 ms": Link(1000, 10),
    "100 Mbit/s, 50 ms": Link(100, 50),
    "20 Mbit/s, 100 ms": Link(20, 100),
    "5 Mbit/s, 200 ms": Link(5, 200),
}
_AIMED, _FASTEST = "20 Mbit/s, 100 ms", "1 Gbit/s, 10 ms"
_SEEDS = {  # runs of which a mean is taken; of all others there is one
    (UNLINKED, "alone"): 5,
    (_FASTEST, "blocking-fp16"): 3,
    (_FASTEST, "blocking-uint8"): 3,
    (_FASTEST, "torchft"): 3,
    (_AIMED, "int4"): 3,
}
_PEERS = ("data-parallel", "blocking-fp16", "blocking-uint8", "torchft")
_OURS = ("int4", "sparse")
PLANNED_WAYS = (APART, "int4", RESTING, "sparse")  # ours, and beside them what they are measured by
_WAYS = (*_PEERS, *PLANNED_WAYS)
_FOLDER = Path("build/wan")


def run(quick: bool) -> dict[str, Any]:
    """Measure every contestant on every link and return the figures."""
    return race(quick, _WAYS, {} if quick else _SEEDS)


def race(quick: bool, ways: Sequence[str], seeds: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """Measure these contestants on every link, with one seed or as many as are named, and return
    the figures with what is planned of ours. Bare loops must be among them, and our sites at rest
    where ours are."""
    interrupt_on_terminate()
    terms = _terms(quick)
    results = Results({}, {})
    with (
        tempfile.TemporaryDirectory() as folder,
        Network(terms.sites, Path(folder) / "store.log", peers=True) as network,
    ):
        stage = Stage(network, Path(folder))
        measure = partial(_measure, stage, terms, results, seeds)
        measure((UNLINKED, "alone"), Link())
        for profile, link in PROFILES.items():
            if quick and profile != _AIMED:
                continue
            for way in ways:
                measure((profile, way), link)
        count = parameters(stage, terms)
    figures = figures_of(results, sites=len(terms.sites), parameters=count)
    _plan(figures, terms)
    return figures


def _plan(figures: dict[str, Any], terms: Terms) -> None:
    """Put beside each run of ours what is planned for it."""
    for profile, found in figures["profiles"].items():
        for codec in _OURS:
            if "busy_share" in found.get(codec, {}):
                link, count = PROFILES[profile], figures["parameters"]
                found[codec] |= _planned(terms, link, codec, count, found)


def _planned(
    terms: Terms, link: Link, codec: str, count: int, idle: Mapping[str, Any]
) -> dict[str, float]:
    """What `archipel plan` says of it, told the speed of our sites when they exchange nothing; the
    busy share is against the bare loops, as that of all contestants."""
    resting, apart = (idle[way] for way in (RESTING, APART))
    way = {"up": link.megabits_per_second, "down": link.megabits_per_second}
    way["rtt"] = link.round_trip_ms
    speed = resting["tokens_per_second"] / len(terms.sites)
    site = {"tokens_per_second": speed, "cores": terms.share, "link": way}
    plan = make_plan(
        {
            "parameters": count,
            "tokens": terms.more_steps * terms.batch_tokens,
            "sites": [site | {"name": name} for name in terms.sites],
            "batch_tokens": terms.setting.batch * terms.setting.sequence,
            "codec": codec,
            "sync_steps": terms.sync_steps,
            "corpus_from_store": False,
        }
    )
    found = forecast(plan)
    busy = found.busy_share * resting["training_cores"] / apart["training_cores"]
    return {
        "planned_busy_share": round(busy, 4),
        "planned_wan_bytes_per_token": round(found.wan_bytes_per_token, 1),
    }


def _terms(quick: bool) -> Terms:
    """Two million parameters and little compute for each: what makes links matter."""
    sites, sequence = ("athens", "bergen", "cadiz", "delft"), 64
    steps = 120 if quick else 300
    options: dict[str, object] = {
        "sync": 30,
        "fragments": 4,
        "learning-rate": 0.005,
        "outer-learning-rate": 0.7,
        "outer-momentum": 0.5,
    }
    return Terms(
        sites=sites,
        share=0.35,  # so that the store and the relays have cores of their own
        setting=Setting(
            hidden=192,
            layers=4,
            batch=1,
            sequence=sequence,
            tokens=4 * steps * len(sites) * sequence,  # the rate hardly falls in what is trained
            options=options,
        ),
        steps=steps,
        more_steps=8 * steps // 5,
        sync_steps=30,
        peak_rate=0.005,
        outer_rate=0.7,
        outer_momentum=0.5,
        every_step_seconds=30.0 if quick else 100.0,
        every_round_seconds=30.0 if quick else 200.0,
        own_seconds=60.0 if quick else 300.0,
        seed=0,
    )


def _measure(
    stage: Stage,
    terms: Terms,
    results: Results,
    seeds: Mapping[tuple[str, str], int],
    at: tuple[str, str],
    link: Link,
) -> None:
    """Run one contestant on one link. If it fails, others go on; not if it is what they are
    compared with."""
    profile, way = at
    try:
        of_seed = [replace(terms, seed=terms.seed + seed) for seed in range(seeds.get(at, 1))]
        runs = [_outcome(stage, each, profile, way, link) for each in of_seed]
    except ArchipelError as error:
        if way in ("alone", *IDLE_LINKS):
            raise
        _say(f"{profile}, {way}: {error}")
        results.failures[at] = str(error)
        return
    results.outcomes[at] = mean_of(runs)


def _outcome(stage: Stage, terms: Terms, profile: str, way: str, link: Link) -> Outcome:
    """Run it, unless that was done before."""
    key = hashlib.sha256(json.dumps([asdict(terms), way, asdict(link)]).encode()).hexdigest()
    file = _FOLDER / f"{key[:16]}.json"
    if file.exists():
        return _read(file)
    contest = run_archipel if way in (*_OURS, RESTING) else run_peer
    outcome = contest(stage, terms, way, link)
    loss = f"{outcome.curve[-1].loss:.3f}" if outcome.curve else "unknown"
    pace = f"{outcome.tokens_per_second:,.0f} tokens/s for {outcome.seconds:.0f} s"
    _say(f"{profile}, {way}, seed {terms.seed}: {pace}, held-out loss {loss}")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    write_json(file, {"profile": profile, "way": way, **asdict(outcome)})
    return outcome


def _say(line: str) -> None:
    """Progress: the whole takes an hour."""
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)


def _read(file: Path) -> Outcome:
    found: Mapping[str, Any] = read_json(file)
    return Outcome(
        seconds=found["seconds"],
        tokens=found["tokens"],
        wan_bytes=found["wan_bytes"],
        finished=found["finished"],
        curve=[Point(**point) for point in found["curve"]],
        training_cores=found.get("training_cores"),
    )


def _main(what: str, file: Path) -> None:
    result = read_json(file)
    if what == "plan":
        _plan(result["figures"], _terms(result["quick"]))
        write_json(file, result)
    else:
        draw(result["figures"], Path("docs/wan.png"))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
