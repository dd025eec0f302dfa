"""Functions broken by single mistakes, for models that are to repair them."""

from archipel.corpus.repairs.build import (
    CASES,
    DOCUMENTS,
    FACTS,
    HELD_OUT,
    TRAIN,
    RepairOptions,
    Repairs,
    judged_cases,
    make_repairs,
    write_repairs,
)
from archipel.corpus.repairs.cases import Case

__all__ = [
    "CASES",
    "DOCUMENTS",
    "FACTS",
    "HELD_OUT",
    "TRAIN",
    "Case",
    "RepairOptions",
    "Repairs",
    "judged_cases",
    "make_repairs",
    "write_repairs",
]
