"""Children's stories: whole, and as conversations in which one is told or gone on with.

A story is a record with `md`, Markdown with a title (`#`), pages (`##`) and, from `* License:` on,
whose it is; `lang`; and `id`, by which translations of one `source` belong together. A story is
held out as a whole, by the hash of its title: so are its translations, and those of the same title.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from archipel.corpus.documents import read_lines
from archipel.errors import ConfigError
from archipel.files import atomic_writer, write_json

# Of a language, by its code: conversations, texts, stories that are held out.
TRAIN = "stories_{}.train.jsonl"
TEXTS = "stories_{}.texts.jsonl"
HELD_OUT = "stories_{}.held_out.jsonl"
FACTS = "stories.json"

_CREDITS = "\n* License:"
_RULE = re.compile(r"[\s*_=-]*")
_MARKS = re.compile(r"^#+ |^\* |(?<!\w)[_*]+(?=\w)|(?<=[\w.,:;!?…])[_*]+(?!\w)")
_TOLD_SHARE = 0.35  # of the conversations; in the others a story is gone on with
_FROM_BEGINNING = 0.5  # of these


@dataclass(frozen=True)
class _Words:
    tell: Sequence[str]
    begin: Sequence[str]
    go_on: Sequence[str]


_WORDS: Mapping[str, _Words] = {
    "en": _Words(
        tell=(
            "Tell me the story “{title}”.",
            "Write a children's story called “{title}”.",
            "Tell a story with the title “{title}”.",
            "Tell me a story.",
        ),
        begin=("How does the story “{title}” begin?", "Begin a story called “{title}”."),
        go_on=("Continue this story.", "Go on with the story.", "What happens next?"),
    ),
    "fr": _Words(
        tell=(
            "Raconte-moi l’histoire « {title} ».",
            "Écris une histoire pour enfants intitulée « {title} ».",
            "Raconte une histoire qui a pour titre « {title} ».",
            "Raconte-moi une histoire.",
        ),
        begin=(
            "Comment commence l’histoire « {title} » ?",
            "Commence une histoire intitulée « {title} ».",
        ),
        go_on=(
            "Continue cette histoire.",
            "Écris la suite de l’histoire.",
            "Que se passe-t-il ensuite ?",
        ),
    ),
}


@dataclass(frozen=True)
class StoryOptions:
    """What decides, with the stories, all that is made: the share that is held out, how many
    conversations are drawn for a story, and the most characters of a story in one of them.

    Raises:
        ConfigError: `held_out` is no share, or another number is below 1.
    """

    held_out: float = 0.1
    per_story: int = 6
    most_characters: int = 1500

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise ConfigError(f"held-out {self.held_out} is not a share: between 0 and 1")
        if min(self.per_story, self.most_characters) < 1:
            raise ConfigError(
                f"{self.per_story} conversations of a story, {self.most_characters} characters: "
                "give 1 or more of both"
            )


@dataclass(frozen=True)
class Story:
    """Its title, its language's code, and its paragraphs, of which there is at least one."""

    title: str
    language: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        """The title and all paragraphs, with empty lines between them."""
        return "\n\n".join((self.title, *self.paragraphs))


@dataclass
class Stories:
    """The stories of both sides, and how many were left out, by reason."""

    train: list[Story] = field(default_factory=list)
    held_out: list[Story] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def languages(self) -> list[str]:
        """Of the stories."""
        return [one for one in _WORDS if any(story.language == one for story in self.train)]


def make_stories(path: Path, options: StoryOptions) -> Stories:
    """The stories in a file of JSON Lines, parted.

    Raises:
        ConfigError: it can't be read, a record is no story, or a language has none on one side.
    """
    made = Stories()
    names: dict[tuple[str, str], str] = {}
    seen: set[str] = set()
    for place, record in _records(path):
        story = _story(record, place)
        if reason := _unusable(story, seen, options):
            made.left_out[reason] += 1
            continue
        seen.add(story.text)
        key = str(record.get("source", "")), str(record.get("id", place))
        name = names.setdefault(key, story.title.casefold())
        is_held_out = random.Random(name).random() < options.held_out
        (made.held_out if is_held_out else made.train).append(story)
    sides = [{story.language for story in side} for side in (made.train, made.held_out)]
    if sides[0] != sides[1] or not sides[0]:
        raise ConfigError(
            f"{path} has stories to learn from in {_listed(sides[0])}, and held out in "
            f"{_listed(sides[1])}. Both are needed: give more stories, or another share"
        )
    return made


def conversations(story: Story, options: StoryOptions) -> list[list[dict[str, str]]]:
    """The messages of up to `per_story` conversations, at least one and no two alike; the story's
    text decides which. Pure."""
    dice = random.Random(f"{story.language}\n{story.text}")
    drawn = [_exchange(story, options.most_characters, dice) for _ in range(options.per_story)]
    return [
        [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        for asked, answer in dict.fromkeys(drawn)
    ]


def write_stories(folder: Path, made: Stories, options: StoryOptions) -> Mapping[str, Any]:
    """Write a language's conversations to learn, its texts, and its stories that are held out, each
    with one conversation; the facts, which are returned, last.

    Raises:
        ConfigError: the folder can't be written.
    """
    facts: dict[str, Any] = {"options": asdict(options), "left_out": dict(made.left_out)}
    for language in made.languages:
        train, held_out = (
            [story for story in side if story.language == language]
            for side in (made.train, made.held_out)
        )
        asked = [messages for story in train for messages in conversations(story, options)]
        _write(folder / TRAIN.format(language), ({"messages": one} for one in asked))
        _write(folder / TEXTS.format(language), ({"text": story.text} for story in train))
        kept = ({"text": one.text, "messages": conversations(one, options)[0]} for one in held_out)
        _write(folder / HELD_OUT.format(language), kept)
        counts = {"train": len(train), "held_out": len(held_out), "conversations": len(asked)}
        facts[language] = counts
    write_json(folder / FACTS, facts)
    return facts


def _exchange(story: Story, most: int, dice: random.Random) -> tuple[str, str]:
    """What is asked, and the answer: the whole story or, where that is too long, its beginning; or
    what follows some of its paragraphs, which are at most as long as that."""
    words, all_of_it = _WORDS[story.language], story.paragraphs
    told = dice.random() < _TOLD_SHARE
    start = 0 if told or dice.random() < _FROM_BEGINNING else dice.randrange(len(all_of_it))
    end = _end(all_of_it, start, most)
    if not told and end - start > 1:
        middle = dice.randint(start + 1, start + (end - start) // 2)
        before, after = all_of_it[start:middle], all_of_it[middle:end]
        return "\n\n".join((dice.choice(words.go_on), *before)), "\n\n".join(after)
    end = _end(all_of_it, 0, most)
    asked = dice.choice(words.tell if end == len(all_of_it) else words.begin)
    return asked.format(title=story.title), "\n\n".join(all_of_it[:end])


def _end(paragraphs: Sequence[str], start: int, most_characters: int) -> int:
    """Behind the last paragraph up to which, from `start`, there are no more characters."""
    end = start
    while end < len(paragraphs) and sum(map(len, paragraphs[start : end + 1])) <= most_characters:
        end += 1
    return end


def _story(record: Mapping[str, Any], place: str) -> Story:
    text, language = record.get("md"), record.get("lang")
    if not isinstance(text, str) or not isinstance(language, str):
        raise ConfigError(f"{place} has no text in `md`, or no language in `lang`: it is no story")
    title, _, body = text.partition(_CREDITS)[0].lstrip().partition("\n")
    return Story(_plain(title), language, tuple(_paragraphs(body)))


def _paragraphs(body: str) -> Iterator[str]:
    """Lines up to an empty one or a mark, joined: where they break is of the printed page."""
    lines: list[str] = []
    for line in [*body.splitlines(), ""]:
        is_mark = line.startswith("#") or bool(_RULE.fullmatch(line))
        if is_mark and lines:
            yield " ".join(lines)
            lines = []
        if plain := _plain(line.lstrip("#") if is_mark else line):
            lines.append(plain)
        if is_mark and lines:  # a heading
            yield lines.pop()


def _plain(line: str) -> str:
    """Without Markdown's marks."""
    return "" if _RULE.fullmatch(line) else " ".join(_MARKS.sub("", line).split())


def _unusable(story: Story, seen: set[str], options: StoryOptions) -> str | None:
    if story.language not in _WORDS:
        return f"in other languages than {', '.join(_WORDS)}"
    if not story.title or not story.paragraphs:
        return "without a title or a text"
    if len(story.paragraphs[0]) > options.most_characters:
        return f"whose first paragraph is over {options.most_characters:,} characters"
    try:
        story.text.encode()
    except UnicodeEncodeError:  # JSON can hold half of a surrogate pair
        return "not in UTF-8"
    return "met before" if story.text in seen else None


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in read_lines(path):
        place = f"{path}, line {number},"
        if line is not None and not line.strip():
            continue
        try:
            record = json.loads(line or "")
        except ValueError as error:
            raise ConfigError(f"{place} is not JSON in UTF-8: {error}. Mend it") from error
        if not isinstance(record, dict):
            raise ConfigError(f"{place} is no object but {line!r:.60}. Mend it")
        yield place, record


def _listed(languages: set[str]) -> str:
    return ", ".join(sorted(languages)) or "no language"


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    with atomic_writer(path) as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
