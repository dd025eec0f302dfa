"""What the objects of a run say, checked whenever one is read: anybody may have written it.

A *unit* is a fixed stretch of the token stream; unit u is accounted in the rounds of fragment
u mod F, so that its history is one chain of commits. A *generation* counts how often the unit was
claimed: a commit that releases generation g lets anyone claim g + 1.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archipel.errors import ConfigError, IntegrityError, RunError

FORMAT = 2

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, Field(pattern=_NAME)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # Ed25519, hexadecimal
Count = Annotated[int, Field(ge=0)]


def check_site_name(name: str) -> None:
    """Make sure that a site may be called this.

    Raises:
        ConfigError: it may not.
    """
    if not re.match(_NAME, name):
        raise ConfigError(
            f"a site can't be named {name!r}: up to 64 letters, digits, dots, dashes and "
            "underscores, the first a letter or a digit"
        )


class Record(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def to_json(self) -> bytes:
        """Canonical JSON bytes."""
        return self.model_dump_json().encode()

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Read and check JSON; `what` names the object in the error.

        Raises:
            IntegrityError: it is truncated, altered or not of this kind.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise IntegrityError(
                f"{what} is not a valid {cls.__name__}: {where}: {first['msg']}. "
                "The object was truncated or altered: restore it from the store's versions."
            ) from error


class InnerSpec(Record):
    """The inner optimiser, with warm-up and cosine decay over *global* tokens.

    `muon` moves the hidden matrices with Muon and the rest with AdamW.
    """

    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(gt=0)
    warmup_tokens: Count
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    gradient_clip: float = 1.0
    batch_sequences: int = Field(ge=1)
    sequence_tokens: int = Field(ge=2)

    @property
    def batch_tokens(self) -> int:
        """Tokens that one inner step trains on."""
        return self.batch_sequences * self.sequence_tokens


class OuterSpec(Record):
    """The outer optimiser: SGD with Nesterov momentum on averaged pseudo-gradients."""

    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)


class PackedFile(Record):
    """A file of fp32 values: what it holds, and the parts that hold it compressed."""

    size_bytes: Count
    sha256: Digest
    packed_bytes: Count
    parts: tuple[Digest, ...]


class LoraSpec(Record):
    """What a run learns if it leaves the model itself as it is: beside its matrices two factors
    each, `rank` values wide, whose product counts `alpha` / `rank` times. `base`: the model's own
    parameters, and `base_name` what its adapters say that they belong to."""

    rank: int = Field(ge=1, le=1024)
    alpha: float = Field(gt=0)
    base: PackedFile
    base_name: str = Field(max_length=1024)


class RunSpec(Record):
    """`run.json`: all that the sites must agree on, put once."""

    format: int = FORMAT
    owner: PublicKey  # whoever has its private half says who may take part
    model: dict[str, Any]
    lora: LoraSpec | None = None
    fragments: int = Field(ge=1, le=1024)
    sync_steps: int | None = Field(ge=1)  # H; None: as small as keeps the sites busy on their links
    inner: InnerSpec
    outer: OuterSpec
    codec: str
    budget_tokens: int = Field(ge=1)
    unit_tokens: int = Field(ge=1)
    initial_digest: Digest
    corpus_digest: Digest
    tokenizer_digest: Digest
    epoch_units: int = Field(ge=1)
    seed: int
    heartbeat_seconds: float = Field(gt=0)
    dead_after_seconds: float = Field(gt=0)
    snapshot_every_cycles: int = Field(ge=1)
    keep_history: bool = False

    @property
    def units(self) -> int:
        """Units in the whole run, over all epochs; the last may be shorter."""
        return -(-self.budget_tokens // self.unit_tokens)

    def unit_length(self, unit: int) -> int:
        """Tokens in one unit."""
        return min(self.unit_tokens, self.budget_tokens - unit * self.unit_tokens)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read `run.json`, its format version first.

        Raises:
            RunError: the run was made by a version of Archipel that this one doesn't understand.
            IntegrityError: the object is truncated or altered.
        """
        version = _Version.parse(data, "run.json").format
        if version != FORMAT:
            raise RunError(
                f"this run has ledger format {version}, this version of Archipel reads "
                f"format {FORMAT}: install the version that created the run on every site"
            )
        return cls.parse(data, "run.json")


class _Version(Record):
    model_config = ConfigDict(extra="ignore")

    format: int


class Range(Record):
    """Tokens start..stop (within their unit) trained under one generation of the unit's claim."""

    unit: Count
    generation: Count
    start: Count
    stop: Count


class Claim(Record):
    """`claims/…`: this site trains this unit from `start` on."""

    site: Name
    session: Count
    unit: Count
    generation: Count
    start: Count


class Contribution(Record):
    """Header of `rounds/<round>/<site>.delta`: one site's pseudo-gradient for one fragment.

    `spans` counts the fragment's rounds that it was made in: more than 1 after rounds without it.
    """

    site: Name
    session: Count
    round: Count
    base: int
    tokens: Count
    ranges: tuple[Range, ...]
    spans: Annotated[int, Field(ge=1)] = 1
    loss: float
    codec: str
    values: Count

    @property
    def weight(self) -> int:
        """What it weighs in the mean: its tokens a round.

        What a site brings after ten rounds is ten times as long already; by all its tokens it would
        weigh ten times what it would have in each of them.
        """
        return max(1, self.tokens // self.spans)


class Refusal(Record):
    """A contribution that was not merged, and why."""

    site: Name
    session: Count
    reason: str


class Release(Record):
    """A claim that its site no longer holds: the unit is covered up to `at` and free from there."""

    unit: Count
    generation: Count
    at: Count


class Commit(Record):
    """Header of `rounds/<round>/commit`: what was merged, put once, by whoever came first."""

    round: Count
    base: int
    by: Name
    merged: tuple[Contribution, ...]
    refused: tuple[Refusal, ...]
    released: tuple[Release, ...]
    codec: str
    values: Count
    norms: tuple[float, ...] = ()  # of the pseudo-gradients in `merged`, as merge duty found them
    payloads: tuple[Digest, ...] = ()  # SHA-256 of theirs, so that none is merged twice
    digest: Digest


class Heartbeat(Record):
    """`sites/<site>.json`: overwritten every few seconds. What others need to know, no more."""

    site: Name
    session: Count
    nonce: str
    state: Literal["joining", "training", "waiting", "left", "done"]
    step: Count = 0
    tokens: Count = 0
    uncovered_tokens: Count = 0
    pending_tokens: Count = 0
    global_tokens: Count = 0
    tokens_per_second: float = 0.0
    step_seconds: float = 0.0
    exchange_seconds: float = 0.0
    sync_seconds: float = 0.0  # the shortest interval between syncs of a fragment that it can bear
    busy: float = 0.0  # share of its time that went into inner steps
    up_bytes_per_second: float = 0.0
    down_bytes_per_second: float = 0.0
    round_trip_seconds: float = 0.0
    loss: float | None = None
    contributed: dict[int, int] = {}
    applied: dict[int, int] = {}
    next_unit: Count = 0
    commits_put: Count = 0
    bytes_out: Count = 0
    bytes_in: Count = 0
    hardware: str = ""


class Member(Record):
    """`members/<site>.json`, signed by the run's owner: this site may take part with this key."""

    site: Name
    key: PublicKey


class Era(Record):
    """`eras/<n>.json`, signed by the owner: the run was rolled back and goes on from here.

    It goes on from era `parent`, where `rounds[f]` is the last round of fragment f that still
    counts; what came after it does not.
    """

    number: int = Field(ge=1)
    parent: Count
    rounds: tuple[int, ...]
    without: tuple[Name, ...] = ()  # all sites that may no longer take part, of earlier eras too
    reason: str = ""


class SnapshotManifest(Record):
    """`snapshots/<n>/manifest.json`, written last: all parameters after the named commits."""

    format: int = FORMAT
    rounds: tuple[int, ...]
    files: dict[str, PackedFile]
    cover: dict[str, Any]
    final: bool
