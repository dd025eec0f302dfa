"""What was done to a file, what to look at and what could not be done, in words. Pure."""

from collections.abc import Iterator, Sequence

from archipel.assistant.paperwork.working import Done
from archipel.documents.blocks import Anchor, Unread
from archipel.documents.editing.apart import Opened
from archipel.documents.places import place_in_words

_AS_IT_WAS = "the text is as it was"
_SAYS = {
    "empty": f"the model gave no answer; {_AS_IT_WAS}",
    "objects": "things that are no text (a note's mark, a link, a picture) were lost in the answer "
    "and stand about where they were",
    "look": "bold, italics or the like were not carried over",
    "terms": "terms of the list that are not in it",
    "numbers": "numbers differ",
    "urls": "web addresses differ",
    "placeholders": "placeholders differ",
    "code_blocks": "blocks of code differ",
    "formatting": "headings or lists differ",
    "language": "this is in another language",
    "prompt_repeated": f"the answer had the instruction in it; {_AS_IT_WAS}",
    "unchanged": "the model gave the text back as it was",
    "much_changed": f"the answer changed more than mistakes; {_AS_IT_WAS}",
    "cut_short": f"the answer was cut short, the model's context being full; {_AS_IT_WAS}",
    "ran_on": f"the answer ran on and was ended; {_AS_IT_WAS}",
}
_LEFT = {
    "tracked": "it has tracked changes. Accept or refuse them, and do it again",
    "computed": "it is computed: update it in its program (F9 in Word)",
    "named": "a table or a formula goes by this name",
    "chart": "the words of a chart are left",
    "diagram": "the words of a drawing (SmartArt) are left",
    "comments": "comments are left",
    "drawing": "the words of shapes are left",
    "filled": "a control fills it with a choice of a list, or what the file's properties say",
    "picture": "a picture of a page: there is no text in it",
}


def to_look_at(done: Done) -> list[str]:
    """A line for each thing that somebody should look at, in the file's order."""
    lines = []
    for said in sorted(done.said, key=lambda one: one.number):
        if words := _SAYS.get(said.code):
            values = f": {', '.join(said.values)}" if said.values else ""
            lines.append(f"{_where(said.anchor)}: {words}{values}")
    return lines


def not_done(left: Sequence[Unread]) -> list[str]:
    """A line for each part that could not be changed."""
    return [f"{_where(one.anchor)}: {_LEFT.get(one.reason, one.reason)}" for one in left]


def report(title: str, opened: Opened, done: Done) -> str:
    """All of it as Markdown: what to look at, what was not done, and each change."""
    return "\n".join(_lines(title, opened, done)) + "\n"


def _lines(title: str, opened: Opened, done: Done) -> Iterator[str]:
    yield f"# {title}"
    for heading, lines in (
        ("To look at", to_look_at(done)),
        ("Not done", not_done(opened.left)),
    ):
        if lines:
            yield from ("", f"## {heading}", "", *(f"- {line}" for line in lines))
    yield from ("", "## Changes")
    for number, change in sorted(done.changes.items()):
        stretch = opened.stretches[number]
        if change.text != stretch.text:
            yield from ("", f"**{_where(stretch.anchor)}**", "")
            yield from (f"> {line}" for line in stretch.text.splitlines())
            yield from ("", *change.text.splitlines())


def _where(anchor: Anchor) -> str:
    return place_in_words(anchor) or "the file"
