"""What a model learns from, as commands are told it: files, and what a record of them is."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from archipel.tune.lessons import Material
    from archipel.tune.pairs import PairReader

Task = Literal["translate", "summarise", "rewrite", "repair"]


def pair_reader(
    task: Task | None, fields: str | None, asked_in: str | None, *, one_way: bool
) -> "PairReader | None":
    """How pairs are read, if `task` says that there are some.

    Raises:
        ConfigError: an option is of pairs and there are none, or names no two fields.
    """
    from archipel.errors import ConfigError
    from archipel.tune.pairs import LANGUAGES, PairReader

    if task is None:
        if fields or asked_in or one_way:
            raise ConfigError("--fields, --asked-in and --one-way are of pairs: give --task too")
        return None
    names = fields.split(",") if fields else ["source", "target"]
    if len(names) != 2:
        raise ConfigError(f"--fields {fields!r} must name two fields: write it as en,fr")
    return PairReader(
        task=task,
        fields=(names[0], names[1]),
        asked_in=asked_in.split(",") if asked_in else tuple(LANGUAGES),
        both_ways=not one_way,
    )


def material_of(
    data: list[Path], held_out_data: list[Path], pair: "PairReader | None", *, prefers: bool
) -> "Material":
    """The files and how their records are read.

    Raises:
        ConfigError: they can't be pairs and preferences at once.
    """
    from archipel.errors import ConfigError
    from archipel.tune.conversations import conversation, preference
    from archipel.tune.lessons import Material

    if pair and prefers:
        raise ConfigError("--task is for pairs, --preferences for two answers: give one of them")
    kind = "preferences between two answers" if prefers else "conversations"
    return Material(
        data=data,
        held_out_data=held_out_data,
        read=pair or (preference if prefers else conversation),
        kind=f"pairs to {pair.task}" if pair else kind,
        columns=pair.fields if pair else (),
        tasks=(pair.task,) if pair else (),
        languages=pair.fields if pair and pair.task == "translate" else (),
    )
