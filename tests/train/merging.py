"""Real training in small, for the tests of merge duty: a model of bytes, sites in one process.

No ledger and no clock: rounds are merged and applied one after the other.
"""

import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from archipel.ledger import Contribution, InnerSpec, OuterSpec, Range, RunSpec
from archipel.train.codec import codec_named
from archipel.train.fragments import Fragment, Vector
from archipel.train.merge import Merge, Outcome
from archipel.train.state import GlobalState

CONTEXT = 4
STEP_TOKENS = 64
UNIT_TOKENS = 4096


def spec(codec: str, momentum: float = 0.5) -> RunSpec:
    return RunSpec(
        owner="0" * 64,
        model={},
        fragments=1,
        sync_steps=4,
        inner=InnerSpec(
            learning_rate=1e-3, warmup_tokens=0, batch_sequences=1, sequence_tokens=STEP_TOKENS
        ),
        outer=OuterSpec(learning_rate=0.7, momentum=momentum),
        codec=codec,
        budget_tokens=1 << 30,
        unit_tokens=UNIT_TOKENS,
        initial_digest="0" * 64,
        corpus_digest="0" * 64,
        tokenizer_digest="0" * 64,
        epoch_units=1000,
        seed=0,
        heartbeat_seconds=1.0,
        dead_after_seconds=10.0,
        snapshot_every_cycles=2,
    )


def header(
    state: GlobalState, site: str, unit: int, tokens: int, /, **changes: object
) -> Contribution:
    """A contribution that fits the state's next round."""
    fields = {
        "site": site,
        "session": 0,
        "round": state.next_round(0),
        "base": state.applied[0],
        "tokens": tokens,
        "ranges": (Range(unit=unit, generation=0, start=0, stop=tokens),) if tokens else (),
        "loss": 1.0,
        "codec": state.codec.name,
        "values": state.fragments[0].values if tokens else 0,
        **changes,
    }
    return Contribution.model_validate(fields)


class Bytes(nn.Module):
    """The next byte from the four before it; 172,288 parameters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(256, 64)
        self.hidden = nn.Linear(CONTEXT * 64, 176)
        self.out = nn.Linear(176, 256)

    def forward(self, x_BC: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.hidden(self.embed(x_BC).flatten(1))))


@dataclass
class Paper:
    """A site: its optimiser, and the error that its codec left."""

    optimiser: torch.optim.Optimizer
    model: Bytes
    residual: Vector | None = None


@dataclass
class Part:
    """A contribution as a site would put it, and before its codec; `put_at` is the store's."""

    site: str
    tokens: int
    payload: bytes
    put_at: float | None = None
    dense: Vector | None = None
    starts: Sequence[int] = ()  # where its steps' text begins


@dataclass
class Run:
    """Sites that train together, and the state that their commits make."""

    codec: str
    sites: int = 3
    momentum: float = 0.5
    state: GlobalState = field(init=False)
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        model = Bytes()
        tensors = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
        whole = Fragment({name: tensor.shape for name, tensor in tensors.items()})
        self.state = GlobalState(spec(self.codec, self.momentum), [whole], tensors)
        self.papers = [self._site() for _ in range(self.sites)]
        folder = Path(sysconfig.get_path("stdlib"))
        text = b"".join(sorted(path.read_bytes() for path in (folder / "email").glob("*.py")))
        self._text = torch.from_numpy(np.frombuffer(text, np.uint8).astype(np.int64))
        self.far_away = False  # whether the last site trains on bytes that the others never see
        self.witnessed = 0
        self._other_text = torch.from_numpy(np.random.default_rng(1).integers(128, 256, len(text)))
        self._random = np.random.default_rng(0)
        self._unit = 0
        self._residual: Vector | None = None

    def _site(self) -> Paper:
        model = Bytes()
        return Paper(torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95)), model)

    def restart(self, site: int) -> None:
        """The site comes back without its optimiser's state."""
        self.papers[site] = self._site()

    def train(self, steps: Sequence[int]) -> list[Part]:
        """What each site contributes after so many steps from the global parameters; 0: nothing."""
        parts = []
        for index, (paper, count) in enumerate(zip(self.papers, steps, strict=True)):
            if count:
                starts = self._starts(count)
                away = self.far_away and index == self.sites - 1
                update = self._train(paper, self._other_text if away else self._text, starts)
                if paper.residual is not None:
                    update += paper.residual
                codec = codec_named(self.codec)
                payload = codec.encode(update)
                paper.residual = update - codec.decode(payload, len(update))
                paper.residual *= np.float32(codec.feedback_decay)
                parts.append(
                    Part("abcd"[index], count * STEP_TOKENS, payload, dense=update, starts=starts)
                )
        return parts

    def _starts(self, steps: int) -> list[int]:
        last = len(self._text) - STEP_TOKENS - CONTEXT
        return [int(self._random.integers(last)) for _ in range(steps)]

    def gradient(self, part: Part) -> Vector:
        """The gradient on the text of its last step, at the global parameters."""
        self.witnessed += 1
        away = self.far_away and part.site == "abcd"[self.sites - 1]
        model, shared = Bytes(), self.state.tensors()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(torch.from_numpy(shared[name]))
        _loss(model, self._other_text if away else self._text, part.starts[-1]).backward()
        found = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
        return self.state.fragments[0].flatten(found)

    def _train(self, paper: Paper, text: torch.Tensor, starts: Sequence[int]) -> Vector:
        shared = self.state.tensors()
        with torch.no_grad():
            for name, parameter in paper.model.named_parameters():
                parameter.copy_(torch.from_numpy(shared[name]))
        for start in starts:
            _loss(paper.model, text, start).backward()
            paper.optimiser.step()
            paper.optimiser.zero_grad()
        after: Mapping[str, np.ndarray] = {
            name: parameter.detach().numpy() for name, parameter in paper.model.named_parameters()
        }
        return self.state.parameters[0] - self.state.fragments[0].flatten(after)

    def merge(self, parts: Sequence[Part]) -> Outcome:
        """The commit of these contributions by the first one's site; the state stays as it is."""
        merge = Merge(
            self.state,
            self.state.next_round(0),
            self.state.cover,
            duty=parts[0].site,
            own=parts[0].dense,
            witness=lambda ranges: self.gradient(parts[ranges[0].unit - self._unit]),
        )
        for place, part in enumerate(parts):
            unit = self._unit + place
            merge.take(header(self.state, part.site, unit, part.tokens), part.payload, part.put_at)
        return merge.commit(parts[0].site, [], self._residual)

    def apply(self, outcome: Outcome) -> None:
        """Go on from a commit."""
        self.state.advance(outcome.commit, outcome.preview)
        self._residual = outcome.residual
        self._unit += self.sites
        self.outcomes.append(outcome)

    def rounds(self, count: int, steps: Sequence[int]) -> "Run":
        """Train, merge and apply so many rounds; the run itself."""
        for _ in range(count):
            self.apply(self.merge(self.train(steps)))
        return self

    @property
    def refused(self) -> dict[int, str]:
        """The rounds in which a site was refused, with the reason."""
        commits = [outcome.commit for outcome in self.outcomes]
        return {commit.round: commit.refused[0].reason for commit in commits if commit.refused}


def _loss(model: Bytes, text: torch.Tensor, start: int) -> torch.Tensor:
    window = text[start : start + STEP_TOKENS + CONTEXT]
    return cross_entropy(model(window.unfold(0, CONTEXT, 1)[:STEP_TOKENS]), window[CONTEXT:])


def decoded(run: Run, part: Part) -> Vector:
    return run.state.codec.decode(part.payload, run.state.fragments[0].values)
