"""Tasks out of files: what is asked, and how answers are judged."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from archipel.corpus import BuildOptions, build_corpus
from archipel.errors import ConfigError
from archipel.evaluate.asking import Prompt, Read, Span, Written
from archipel.evaluate.data import Data
from archipel.evaluate.figures import figure
from archipel.evaluate.run import ask, choose, kept
from archipel.evaluate.tasks import TASKS, find_task
from archipel.evaluate.tasks.constraints import CHECKS
from archipel.sandbox.sandbox import Sandbox


class Answers:
    """A model whose answers are written here, by what is asked."""

    name = identity = "answers"
    reads_together = writes_together = workers = 2

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    async def read(self, spans: list[Span]) -> list[Read]:
        return [Read(-len(span.continuation), greedy=False) for span in spans]

    async def write(self, prompts: list[Prompt]) -> list[Written]:
        return [Written(self.texts[_last(prompt)]) for prompt in prompts]


def _last(prompt: Prompt) -> str:
    return prompt.asked if isinstance(prompt.asked, str) else str(prompt.asked[-1].content)


def figures(task: str, data: Path, folder: Path, **texts: str) -> dict[str, float]:
    """The figures of a model that answers `texts`, and finds a text the likelier the shorter."""
    asked = choose(find_task(task), Data(data), None)
    (found,) = asyncio.run(ask(Answers(texts), folder, [asked], lambda *_: None))
    measures = found.task.measures(found.questions, found.answers)
    return {measure.name: round(figure(measure).value, 4) for measure in measures}


def test_the_likelier_sentence_is_the_answer(data: Path, tmp_path: Path) -> None:
    # "Fox 1 do." is shorter than "Fox 1 jumps.".
    assert figures("blimp", data, tmp_path) == {"acc": 0}
    first = choose(find_task("blimp"), Data(data), None).questions[0]
    assert first.asked == (Span("", " Fox 0 jumps."), Span("", " Fox 0 do."))


def test_a_choice_counts_by_itself_and_by_its_length(data: Path, tmp_path: Path) -> None:
    # "it" is the shortest; for its length, with the space before it, the unlikeliest.
    assert figures("arc_easy", data, tmp_path) == {"acc": 0.25, "acc_norm": 0.375}


def test_translations_are_measured_over_all_pairs(data: Path, tmp_path: Path) -> None:
    texts = {
        "The dog sleeps in the sun.": "Le chien dort au soleil.",
        "It is summer at last.": "C'est enfin l'été.",
    }
    good = figures("translate_en_fr", data, tmp_path, **texts)
    assert 50 < good["bleu"] < good["chrf"] < 100, "one of two translations of a sentence is missed"
    both = choose(find_task("translate_en_fr"), Data(data), None)
    assert [len(question.key) for question in both.questions] == [2, 1]


def test_a_written_function_passes_only_if_it_runs_to_the_end_of_its_tests(
    data: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    (question,) = choose(find_task("humaneval"), Data(data), None).questions
    tried = {
        "    return x / 2\n": 1,
        "    return x\n": 0,
        "    return x /\n": 0,
        "    import os; os._exit(0)\n": 0,
        "    while True: pass\n": 0,
    }
    for number, (body, passes) in enumerate(tried.items()):
        (tmp_path / str(number)).mkdir()
        asked = choose(find_task("humaneval"), Data(data), None)
        answers = Answers({_last(question.asked): body})
        (found,) = asyncio.run(ask(answers, tmp_path / str(number), [asked], lambda *_: None))
        assert found.answers[0].passed is bool(passes), body


def test_a_function_in_a_block_of_code_is_found(data: Path) -> None:
    task = find_task("humaneval_chat")
    (question,) = task.questions(Data(data))
    assert task.program is not None
    program = task.program(
        question, "Here:\n```python\ndef half(x):\n    return x / 2\n```\nEnjoy!"
    )
    exec(program)


def test_bits_per_byte_takes_texts_and_the_held_out_part_of_a_corpus(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(40):
        (texts / f"{number:02}.txt").write_text(f"Story {number}: été, 世界.\n" * 9, "utf-8")
    corpus = tmp_path / "corpus"
    build_corpus([texts], corpus, BuildOptions(vocab_size=300, held_out=0.2))
    found = find_task(f"bits_per_byte:{corpus}").questions(Data(None))
    assert 2 < len(found) < 20
    written = {path.read_text("utf-8") for path in texts.iterdir()}
    assert {question.asked[0].continuation for question in found} <= written
    (texts / "long.txt").write_text("word " * 20_000, "utf-8")
    asked = find_task(f"bits_per_byte:{texts / 'long.txt'}").questions(Data(None))
    assert "".join(question.asked[0].continuation for question in asked) == "word " * 20_000
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("check", "value", "follows", "fails"),
    [
        ("words_at_most", 3, "The grey sea.", "The sea is very grey."),
        ("sentences", 2, "It’s 3.5 m deep. It is cold!", "One. Two. Three."),
        ("bullets", 2, "- one\n- two\n", "Here:\n- one\n- two"),
        ("numbered", 2, "1. one\n2) two", "one\ntwo"),
        ("paragraphs", 2, "One.\n\nTwo.", "One.\nTwo."),
        ("contains", ["argent", "matin"], "Le matin, l'argent brille : argent.", "Le soir."),
        ("avoids", ",", "No sign of it.", "Well, yes."),
        ("lower_case", True, "l’été est là.", "L’été."),
        ("upper_case", True, "L’ÉTÉ !", "L’été !"),
        ("quoted", "«»", "« La mer. »", "La mer."),
        ("one_of", ["yes", "no"], "No.", "No, I have none."),
        ("json", ["name"], '```json\n{"name": "sea"}\n```', '{"name": "sea"} I hope it helps'),
        ("language", "fr", "La mer est dans le nord.", "The sea is in the north."),
    ],
)
def test_instructions_are_checked_by_form(check: str, value: Any, follows: str, fails: str) -> None:
    assert CHECKS[check](follows, value)
    assert not CHECKS[check](fails, value)
    assert not CHECKS[check]("", value)


def test_every_instruction_has_its_check() -> None:
    questions = find_task("instructions").questions(Data(None))
    assert len(questions) == 128
    for question in questions:
        check, value = question.key
        CHECKS[check]("Once upon a time.", value)


def test_a_figure_of_some_questions_tells_how_many(tmp_path: Path) -> None:
    asked = choose(find_task("instructions"), Data(None), 30)
    texts = {_last(question.asked): "" for question in asked.questions}
    (found,) = asyncio.run(ask(Answers(texts), tmp_path, [asked], lambda *_: None))
    everything, english, french = map(figure, found.task.measures(found.questions, found.answers))
    assert everything.questions == 30
    parts = [question.part for question in asked.questions]
    assert (english.questions, french.questions) == (parts.count("en"), parts.count("fr"))


def test_an_interrupted_evaluation_asks_only_what_is_left(data: Path, tmp_path: Path) -> None:
    asked = choose(find_task("arc_easy"), Data(data), None)

    class Breaking(Answers):
        calls = 0

        async def read(self, spans: list[Span]) -> list[Read]:
            self.calls += len(spans)
            if self.calls > 13:
                raise ConnectionError
            return await super().read(spans)

    with pytest.raises(ConnectionError):
        asyncio.run(ask(Breaking({}), tmp_path, [asked], lambda *_: None))
    file = tmp_path / "arc_easy.jsonl"
    kept_lines = file.read_bytes().splitlines()
    assert kept_lines
    file.write_bytes(file.read_bytes() + b'{"id": "7", "as')  # killed as it wrote
    second = Breaking({})
    second.calls = -1000
    shown: list[tuple[str, int, int]] = []
    asyncio.run(ask(second, tmp_path, [asked], lambda *some: shown.append(some)))
    assert shown[0] == ("arc_easy", len(kept_lines), 8)
    assert second.calls == -1000 + 1 + 3 * (8 - len(kept_lines))
    assert len(kept(tmp_path, asked).answers) == 8


def test_a_limit_takes_always_the_same_and_fewer_of_them(data: Path) -> None:
    def ids(limit: int) -> set[str]:
        return {question.id for question in choose(find_task("blimp"), Data(data), limit).questions}

    assert len(ids(5)) == 5
    assert ids(5) == ids(5) < ids(9)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("lambada", "lambada_openai.jsonl.xz is neither in"),
        ("nothing", "unknown task 'nothing'"),
        ("blimp:x", "takes no path"),
        ("bits_per_byte", "needs a text"),
        ("bits_per_byte:/nowhere", "does not exist"),
        ("tell", "needs conversations"),
        ("tell:{0}/broken.jsonl", "'messages'"),
        ("translate_fr_en:{0}/broken.tsv", "no pair of sentences"),
        ("summary:{0}/broken.jsonl", "'source'"),
        ("summary:{0}/broken.jsonl.xz", "damaged"),
    ],
)
def test_what_is_missing_or_damaged_is_named(
    task: str, words: str, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.tsv").write_text("no tab\n")
    (tmp_path / "broken.jsonl").write_text(json.dumps({"target": ["x"]}))
    (tmp_path / "broken.jsonl.xz").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=words):
        find_task(task.format(tmp_path)).questions(Data(data))


def test_stories_are_asked_for_and_judged_by_their_form(tmp_path: Path) -> None:
    path = tmp_path / "stories.jsonl"
    asked = [{"role": "user", "content": one} for one in ("Tell.", "Go on.")]
    answer = {"role": "assistant", "content": "x"}
    path.write_text("\n".join(json.dumps({"messages": [one, answer]}) for one in asked))
    texts = {"Tell.": "The fox ran and the fox ran and the fox ran", "Go on.": "It slept. “So.”"}
    found = figures("tell:stories.jsonl", tmp_path, tmp_path, **texts)
    assert found == {"ends_share": 0.5, "repeated_share": 0.25}, "4 of 8 runs stand there before"


def test_a_file_is_looked_for_in_the_folder_that_was_made_first(tmp_path: Path) -> None:
    for name in ("made", "data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_text(name)
    (tmp_path / "data" / "other.txt").write_text("other")
    data = Data(tmp_path / "data", made=tmp_path / "made")
    assert [data.find(name).read_text() for name in ("text.txt", "other.txt")] == ["made", "other"]
    (question,) = find_task("bits_per_byte:text.txt").questions(data)
    assert question.asked == (Span("", "made"),)
    with pytest.raises(ConfigError, match=r"is neither in .*made nor in .*data nor in a folder"):
        find_task("bits_per_byte:nowhere.txt").questions(data)


def test_without_a_folder_the_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"mbpp.jsonl.xz is needed.*ARCHIPEL_DATA"):
        find_task("mbpp").questions(Data(None))
    assert all(entry.about for entry in TASKS.values())
