"""`archipel corpus stories`: what is made of a story, and that none is on both sides."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.corpus.left_out import LeftOut
from archipel.corpus.stories import Story, StoryOptions, conversations, make_stories
from archipel.errors import ConfigError
from archipel.tune.conversations import conversation
from archipel.tune.lessons import Material, read_material

CREDITS = "##\n* License: [CC-BY]\n* Text: Ann\n* Language: en\n"
GOAT = f"""# Goat and __Dog__

##
Goat and Dog
went on a
journey.

Goat  ran.

##
### The end

---------
_Nobody_ knows
why.

{CREDITS}"""


def record(number: int, language: str = "en", title: str | None = None) -> dict[str, str]:
    pages = "".join(f"##\nPage {page} of {number}\nin {language}.\n\n" for page in range(5))
    text = f"# {title or f'{language} {number}'}\n\n{pages}{CREDITS}"
    return {"source": "A", "id": f"{number:04}", "lang": language, "md": text}


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["corpus", "stories", *map(str, words)])


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_story_is_its_title_and_its_paragraphs(tmp_path: Path) -> None:
    goat = {"id": "g", "lang": "en", "md": GOAT}
    path = write(tmp_path / "stories.jsonl", [goat, *map(record, range(20))])
    made = make_stories(path, StoryOptions(held_out=0.3))
    [story] = [one for one in (*made.train, *made.held_out) if one.title.startswith("Goat")]
    assert story == Story(
        "Goat and Dog",
        "en",
        ("Goat and Dog went on a journey.", "Goat ran.", "The end", "Nobody knows why."),
    )


def test_translations_and_stories_of_one_title_are_on_the_same_side(tmp_path: Path) -> None:
    records = [record(number) for number in range(60)]
    records += [record(number, "fr") for number in range(60)]
    records += [{**record(number, title=f"EN {number}"), "source": "B"} for number in range(60)]
    records += [{**record(1, "pt")}, {**record(2), "md": f"# Empty\n\n{CREDITS}"}, record(3)]
    out = tmp_path / "out"
    done = run(write(tmp_path / "stories.jsonl", records), "-o", out, "--held-out", 0.2)
    assert done.exit_code == 0, done
    sides = {}
    for part, name in (("train", "texts"), ("held_out", "held_out")):
        texts = {lang: read(out / f"stories_{lang}.{name}.jsonl") for lang in ("en", "fr")}
        titles = {
            lang: [one["text"].split("\n")[0].lower() for one in some]
            for lang, some in texts.items()
        }
        numbers = [title.split()[1] for title in titles["fr"]]
        assert sorted(titles["en"]) == sorted(2 * [f"en {number}" for number in numbers])
        sides[part] = set(numbers)
    assert not sides["train"] & sides["held_out"]
    assert len(sides["train"] | sides["held_out"]) == 60
    facts = json.loads((out / "stories.json").read_text(encoding="utf-8"))
    assert facts["fr"]["held_out"] == len(sides["held_out"])
    assert list(facts["left_out"].values()) == [1, 1, 1]
    assert "1 met before" in done.output

    files = [out / f"stories_{lang}.train.jsonl" for lang in ("en", "fr")]
    held_out = [out / f"stories_{lang}.held_out.jsonl" for lang in ("en", "fr")]
    material = Material(data=files, held_out_data=held_out, read=conversation, kind="")
    lessons, measured = read_material(material, left_out := LeftOut())
    assert len(lessons) == sum(facts[lang]["conversations"] for lang in ("en", "fr"))
    assert len(measured) == 3 * len(sides["held_out"])
    assert not left_out.counts


def test_a_conversation_tells_a_story_or_goes_on_with_it_and_is_never_long() -> None:
    options = StoryOptions(per_story=12, most_characters=100)
    long = Story("Numbers", "fr", tuple(f"Ici est le numéro {number}." for number in range(30)))
    made = conversations(long, options)
    assert made == conversations(long, options)
    assert len({str(one) for one in made}) == len(made) > 6
    whole = long.text
    for asked, answer in made:
        assert (asked["role"], answer["role"]) == ("user", "assistant")
        assert answer["content"] in whole
        _, _, before = asked["content"].partition("\n\n")
        assert len(before) + len(answer["content"]) <= 120
        if before:
            assert f"{before}\n\n{answer['content']}" in whole
        else:
            assert "« Numbers »" in asked["content"]
            assert "ommence" in asked["content"], "of a long story only the beginning is told"
    short = Story("Cat", "en", ("A cat sat.",))
    told = conversations(short, options)
    assert {answer["content"] for _, answer in told} == {"A cat sat."}
    assert {asked["content"] for asked, _ in told} >= {"Tell me a story."}


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([{"text": "x", "lang": "en"}], "line 1, has no text in `md`"),
        ([["x"]], "line 1, is no object"),
        ([record(1)], "and held out in"),
        ([record(1, "pt")], "to learn from in no language"),
    ],
)
def test_what_is_no_story_is_refused(tmp_path: Path, records: list[Any], said: str) -> None:
    path = write(tmp_path / "stories.jsonl", records)
    with pytest.raises(ConfigError) as error:
        make_stories(path, StoryOptions())
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "stories.jsonl", [record(1)])
    for words in (("--held-out", 1), ("--per-story", 0)):
        assert isinstance(run(path, "-o", tmp_path / "out", *words).exception, ConfigError)
