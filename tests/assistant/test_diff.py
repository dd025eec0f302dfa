"""Differences between two texts in Chromium: found, bounded, shown, read aloud."""

import random
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.assistant.stage import Stage, _open_stage, stage

__all__ = ["_open_stage", "stage"]

Ops = list[dict[str, str]]


def diff(stage: Stage, kind: str, before: str, after: str) -> Ops:
    made: Any = stage.run("([kind, a, b]) => stage[kind](a, b)", [kind, before, after])
    return list(made)


def texts(ops: Ops) -> tuple[str, str]:
    """The texts before and after that a difference stands for."""
    before, after = (
        "".join(each["text"] for each in ops if each["op"] in kinds)
        for kinds in (("same", "del"), ("same", "ins"))
    )
    return before, after


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("", "", []),
        ("same", "same", []),
        ("", "new", [("ins", "new")]),
        ("old", "", [("del", "old")]),
        ("le chat dort", "le chien dort", [("del", "chat"), ("ins", "chien")]),
        ("He go home now", "He went back home", [("del", "go"), ("ins", "went back")]),
        ("l'école est fermé.", "L'école est fermée.", [("del", "l"), ("ins", "L")]),
        ("a b c d", "x y z d", [("del", "a b c"), ("ins", "x y z")]),
    ],
)
def test_words_that_changed(
    stage: Stage, before: str, after: str, changes: list[tuple[str, str]]
) -> None:
    ops = diff(stage, "diffWords", before, after)
    assert texts(ops) == (before, after)
    found = [(each["op"], each["text"].strip()) for each in ops if each["op"] != "same"]
    assert found[: len(changes)] == changes
    assert bool(found) == bool(changes)


@pytest.mark.parametrize("kind", ["diffWords", "diffLines"])
def test_a_difference_gives_both_texts_back_and_is_the_shortest(stage: Stage, kind: str) -> None:
    chance = random.Random(7)
    for _ in range(60):
        before, after = (
            "".join(chance.choice(["a ", "b ", "c\n", "d\n", "é ", "😀\n"]) for _ in range(size))
            for size in (chance.randrange(30), chance.randrange(30))
        )
        ops = diff(stage, kind, before, after)
        assert texts(ops) == (before, after)
        assert all(each["text"] for each in ops)
        if kind == "diffLines":
            kept = sum(each["text"].count("\n") for each in ops if each["op"] == "same")
            assert kept >= _longest_common(before, after) - 1  # the last line may lack its end


def _longest_common(before: str, after: str) -> int:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    row = [0] * (len(new) + 1)
    for line in old:
        previous = row
        row = [0]
        for index, other in enumerate(new):
            longer = previous[index] + 1 if line == other else 0
            row.append(max(longer, previous[index + 1], row[-1]))
    return row[-1]


def test_texts_with_nothing_in_common_cost_little(stage: Stage) -> None:
    before = " ".join(f"old{index}" for index in range(20_000))
    after = " ".join(f"new{index}" for index in range(20_000))
    ops = diff(stage, "diffWords", before, after)
    assert texts(ops) == (before, after)
    assert len(ops) == 2
    corrected = before.replace("old777 ", "olds777 ")
    assert len(diff(stage, "diffWords", before, corrected)) == 4


def test_a_difference_in_words_is_seen_and_heard(stage: Stage) -> None:
    stage.run(
        "() => stage.make().append(stage.drawWordDiff(stage.diffWords('a cat sat', 'a dog sat')))"
    )
    body = stage.root
    expect(body.get_by_role("deletion")).to_have_text("Removed: cat")
    expect(body.get_by_role("insertion")).to_have_text("Added: dog")
    expect(body.locator(".diff")).to_contain_text("sat")


def test_a_difference_in_lines_folds_what_is_unchanged(stage: Stage) -> None:
    before = "".join(f"line {index}\n" for index in range(40))
    after = before.replace("line 20\n", "line twenty\n")
    stage.run(
        "([a, b]) => stage.make().append(stage.drawLineDiff(stage.diffLines(a, b)))",
        [before, after],
    )
    body = stage.root
    expect(body.locator("del")).to_contain_text("line 20")
    expect(body.locator("ins")).to_contain_text("line twenty")
    expect(body.locator("summary")).to_have_text(["17 unchanged lines", "16 unchanged lines"])
    expect(body.get_by_text("line 2\n", exact=True)).to_have_count(0)
    expect(body.locator("details").first).not_to_have_attribute("open", "")
    shown = body.locator(".diff > span")
    expect(shown.nth(1)).to_have_text("line 17\nline 18\nline 19")
    expect(shown.nth(2)).to_have_text("line 21\nline 22\nline 23")


def test_a_text_in_a_difference_stays_text(stage: Stage) -> None:
    stage.run(
        """() => stage.make().append(
          stage.drawWordDiff([{ op: "script", text: "window.hit = 1" }]),
          stage.drawWordDiff([{ op: "ins", text: "<b>" }]),
          stage.drawLineDiff([{ op: "img", text: "<img src=x onerror=window.hit=1>" }]),
        )"""
    )
    expect(stage.root.locator("script, img, b")).to_have_count(0)
    assert stage.run("() => window.hit ?? null") is None
