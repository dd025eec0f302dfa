"""What a machine is offered, by what is here, what it needs, and what each model is made for."""

from dataclasses import replace
from pathlib import Path

from archipel.models.catalogue import CATALOGUE
from archipel.models.here import PulledModel
from archipel.models.offered import Offered, offered, propose
from archipel.models.purpose import Purpose, Task
from archipel.models.speeds import Speed

GB = 1_000_000_000


def model(
    name: str, gigabytes: float, *tasks: Task, here: bool = False, languages: tuple[str, ...] = ()
) -> Offered:
    size = int(gigabytes * GB)
    return Offered(name, "", size, "MIT", size, here, Purpose(tasks or None, languages or None))


SMALL, LARGE = model("small", 1, "chat"), model("large", 5, "chat", "translate")
TRANSLATOR = model("translator", 0.5, "translate", languages=("fr", "en"))
GERMAN = model("german", 0.4, "translate", languages=("de", "en"))
OTHER = model("other", 0.3, "translate", languages=("en", "fr"))
CODER = model("coder", 2, "code", "repair")


def names(models: list[Offered], gigabytes: float) -> list[str]:
    return [one.name for one in propose(models, int(gigabytes * GB))]


def test_the_largest_that_fits_is_proposed_to_talk_to() -> None:
    assert names([SMALL, LARGE], 8) == ["large"]
    assert names([SMALL, LARGE], 4) == ["small"]
    assert names([SMALL, LARGE], 0.5) == []
    assert names([], 8) == []


def test_one_for_each_task_and_its_languages_as_long_as_memory_lasts() -> None:
    every = [OTHER, CODER, GERMAN, TRANSLATOR, SMALL, LARGE]
    assert names(every, 16) == ["large", "coder", "translator", "german"]
    assert names(every, 6) == ["large", "translator", "german"]
    assert names(every, 1.4) == ["small", "german"]


def test_what_is_here_comes_before_what_would_be_fetched() -> None:
    assert names([LARGE, replace(SMALL, is_here=True)], 8) == ["small"]
    assert names([LARGE, model("unsaid", 2, here=True)], 8) == ["unsaid"]
    assert names([replace(SMALL, is_here=True), model("unsaid", 2, here=True)], 8) == ["small"]
    assert names([replace(OTHER, is_here=True), TRANSLATOR], 8) == ["other"]


def test_what_is_here_stands_in_for_its_entry_with_what_was_measured() -> None:
    here = [
        PulledModel("smollm2-135m", "pypi:…", "Apache-2.0", "m.gguf", "0" * 64, 98, Path("/h")),
        PulledModel("ours", "/h/ours", None, ".", None, 1000, Path("/h/ours")),
    ]
    speed = Speed(35.0, 3 * GB, "llama.cpp", "this machine", "2026-11-28")
    found = offered(CATALOGUE, here, lambda model: speed if model.name == "ours" else None)
    assert [(one.name, one.is_here) for one in found] == [("smollm2-135m", True), ("ours", True)]
    assert (found[1].memory_bytes, found[1].tokens_per_second) == (3 * GB, 35.0)
    [fresh] = offered(CATALOGUE, [], lambda model: None)
    assert (fresh.is_here, fresh.tokens_per_second) == (False, None)
    assert fresh.size_bytes < fresh.memory_bytes < GB
