"""What a plan is made of: a model, sites with their links and prices, and how they exchange."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from archipel.errors import ConfigError

# Dense bf16 FLOP/s of one accelerator, from the makers' data sheets, without sparsity.
HARDWARE = {
    "b200": 2.25e15,
    "h200": 989e12,
    "h100": 989e12,
    "a100": 312e12,
    "l40s": 362e12,
    "rtx4090": 165e12,
    "mi300x": 1307e12,
}
_UTILISATION = 0.4  # of those, in training; INTELLECT-1 reports 36 to 41 % (arXiv 2412.01152)
_FLOPS_PER_PARAMETER = 6  # and token, forward and backward
_STATE_BYTES = 16  # a parameter: fp32 parameters, gradients and AdamW's two moments

Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Link(_Input):
    """A site's way to the store: Mbit/s each way, and the round trip in milliseconds."""

    up: Positive = 1000.0
    down: Positive = 1000.0
    rtt: Annotated[float, Field(ge=0)] = 20.0


class Site(_Input):
    """One site. Its speed is given in tokens a second, or as accelerators of a known kind."""

    name: Name
    tokens_per_second: Positive | None = None
    hardware: str | None = None
    count: Annotated[int, Field(ge=1)] = 1
    memory_gb: Positive | None = None  # of all its accelerators; None: not checked
    cores: Positive | None = None  # that train; None: accelerators do, and the exchange is beside
    price: Annotated[float, Field(ge=0)] = 0.0  # an hour, of all of it
    preemptions_per_day: Annotated[float, Field(ge=0)] = 0.0
    back_after_minutes: Positive = 10.0  # a preempted site
    away_from_hour: Annotated[float, Field(ge=0)] = 0.0
    away_hours: Annotated[float, Field(ge=0)] = 0.0
    link: Link = Link()

    @model_validator(mode="after")
    def _has_a_speed(self) -> "Site":
        if (self.tokens_per_second is None) == (self.hardware is None):
            raise ValueError("say either tokens_per_second or hardware")
        if self.hardware is not None and self.hardware not in HARDWARE:
            raise ValueError(f"hardware {self.hardware!r} is none of {', '.join(HARDWARE)}")
        return self

    def speed(self, parameters: float) -> float:
        """Tokens a second that it trains while it is busy."""
        if self.tokens_per_second is not None:
            return self.tokens_per_second
        flops = HARDWARE[self.hardware or ""] * self.count * _UTILISATION
        return flops / (_FLOPS_PER_PARAMETER * parameters)

    @property
    def available(self) -> float:
        """The share of time that it is there, between preemptions."""
        lost = self.preemptions_per_day * self.back_after_minutes / (24 * 60)
        return max(0.0, 1 - lost)


class Prices(_Input):
    """What the store costs, in the same money as the sites: S3 standard's list prices in 2025."""

    thousand_puts: Annotated[float, Field(ge=0)] = 0.005
    thousand_gets: Annotated[float, Field(ge=0)] = 0.0004
    egress_gb: Annotated[float, Field(ge=0)] = 0.09


class Plan(_Input):
    """A run to be foretold."""

    parameters: Positive
    tokens: Positive  # the budget of all sites together
    sites: tuple[Site, ...] = Field(min_length=1)
    batch_tokens: Positive = 131_072  # an inner step of a site
    codec: Literal["none", "int8", "int4", "sparse"] = "int4"
    sync_steps: Annotated[int, Field(ge=1)] | None = None  # H; None: as few as links and cores bear
    fragments: Annotated[int, Field(ge=1, le=1024)] = 4
    heartbeat_seconds: Positive = 2.0
    snapshot_every_cycles: Annotated[int, Field(ge=1)] | None = None  # None: by the codec
    corpus_from_store: bool = True
    prices: Prices = Prices()

    @model_validator(mode="after")
    def _can_be(self) -> "Plan":
        names = [site.name for site in self.sites]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two sites are called {sorted(twice)[0]!r}")
        for site in self.sites:
            need = _STATE_BYTES * self.parameters / 1e9
            if site.memory_gb is not None and site.memory_gb < need:
                raise ValueError(
                    f"{self.parameters:.3g} parameters take {need:,.0f} GB with their optimiser, "
                    f"{site.name} has {site.memory_gb:,.0f} GB: take a smaller model, or more "
                    "accelerators there"
                )
        return self


def read_plan(file: Path) -> Plan:
    """A plan from a TOML file, whose keys are the fields of `Plan`.

    Raises:
        ConfigError: the file can't be read, or what it says can't be.
    """
    try:
        return make_plan(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"can't read the plan {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the plan {file} is not TOML: {error}") from error


def make_plan(values: dict[str, Any]) -> Plan:
    """A plan of these values.

    Raises:
        ConfigError: they can't be; with the first thing that is wrong, and its value.
    """
    try:
        return Plan.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the plan"
        said = first["msg"].removeprefix("Value error, ")
        shown = first["input"] if isinstance(first["input"], str | int | float) else ""
        value = f" ({shown!r})" if shown != "" else ""
        raise ConfigError(f"an impossible plan: {where}{value}: {said}") from error
