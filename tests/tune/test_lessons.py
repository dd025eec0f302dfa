"""What is read from files, what stops the reading and what is only left out."""

import lzma
from pathlib import Path
from typing import Any

import pytest

from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError
from archipel.tune.conversations import conversation, preference
from archipel.tune.lessons import Lesson, Material, Read, read_material
from archipel.tune.pairs import LANGUAGES, TASKS, PairReader
from tests.tune.conftest import Write, chat

FRAME = (
    "Below is an instruction that describes a task. Write a response that completes it.\n\n"
    "### Instruction:\n"
)


def _read(path: Path, read: Read = conversation, *columns: str) -> tuple[list[Lesson], LeftOut]:
    left_out = LeftOut()
    material = Material(data=[path], read=read, kind="", columns=columns)
    return read_material(material, left_out)[0], left_out


def test_conversations_come_in_the_usual_forms(write: Write) -> None:
    same = [
        {"messages": chat("Hi", "Hello")},
        {"prompt": "Hi", "completion": "Hello"},
        {"prompt": chat("Hi"), "completion": [{"role": "assistant", "content": "Hello"}]},
        {"prompt": "Hi", "response": "Hello"},
        {"instruction": "Hi", "output": "Hello"},
        {"instruction": "Hi", "input": "", "output": "Hello"},
        {"instruction": "Hi", "instances": [{"input": "", "output": "Hello"}]},
        {"prompt": f"{FRAME}Hi\n\n### Response:\n", "response": "Hello"},
    ]
    longer = {"instruction": "Add", "input": "1, 2", "output": "3"}
    lessons, left_out = _read(write("chats.jsonl", [*same, longer]))
    assert [lesson.conversations for lesson in lessons[:-1]] == len(same) * [(chat("Hi", "Hello"),)]
    assert lessons[-1].conversations == (chat("Add\n\n1, 2", "3"),)
    assert not left_out.counts

    framed = f"{FRAME}Add\n\n### Input:\n1, 2\n\n### Response:"
    several = {"instruction": "Add", "instances": [{"input": "1, 2", "output": "3"}] * 2}
    lessons, _ = _read(write("more.jsonl", [{"prompt": framed, "response": "3"}, several]))
    assert [lesson.conversations for lesson in lessons] == 3 * [(chat("Add\n\n1, 2", "3"),)]


def test_what_can_not_be_learnt_is_left_out_and_counted(write: Write) -> None:
    records = [
        {"messages": chat("Hi", "Hello", "And")},  # what follows the last answer teaches nothing
        {"messages": chat("Hi")},
        {"messages": chat("Hi")},
        {"messages": chat("Hi", " ")},
        {"messages": [*chat("Hi"), *chat("Hi", "Hello")]},
        {"messages": [*chat("Hi", "Hello"), *chat("a", "b", system="late")]},
        {"messages": chat("\ud83d", "half of a pair")},
    ]
    lessons, left_out = _read(write("chats.jsonl", records))
    assert [lesson.conversations for lesson in lessons] == [(chat("Hi", "Hello"),)]
    assert left_out.counts == {
        "without an answer": 2,
        "with an empty message": 1,
        "whose user and assistant do not take turns": 2,
        "not in UTF-8": 1,
    }
    assert "2 without an answer (the first: " in left_out.described()
    assert "chats.jsonl, line 2)" in left_out.described()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"messages": [{"role": "human", "content": "Hi"}]}, "line 1, message 1: the role 'human'"),
        ({"messages": [{"from": "human", "value": "Hi"}]}, "message 1: {'from'"),
        ({"messages": [{"role": "user", "content": 3}]}, "3 is not a text"),
        ({"messages": []}, "must be a list"),
        ({"text": "Hi"}, "has text. Known is messages"),
        ({"prompt": "Hi"}, "has prompt. Known is"),
        ({"instruction": "Hi", "instances": ["Hello"]}, "has instruction, instances. Known is"),
        (["Hi"], "is not a JSON object"),
    ],
)
def test_what_makes_no_sense_stops_with_its_place(write: Write, record: Any, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        _read(write("chats.jsonl", [record]))
    assert said in str(error.value)


def test_files_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "chats.jsonl"
    broken.write_text('{"messages": \n')
    with pytest.raises(ConfigError, match="line 1, is not JSON"):
        _read(broken)
    packed = tmp_path / "chats.jsonl.xz"
    packed.write_bytes(lzma.compress(b'{"prompt": "Hi", "completion": "Hello"}\n')[:-9])
    with pytest.raises(ConfigError, match="damaged"):
        _read(packed)
    for other in (tmp_path / "chats.csv", tmp_path / "chats.tsv"):
        with pytest.raises(ConfigError, match="can't be learnt from"):
            _read(other)


def test_a_preference_is_two_answers_to_one_question(write: Write) -> None:
    same = [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "No"},
        {"prompt": chat("Hi"), "chosen": chat("Hi", "Hello")[1:], "rejected": "No"},
        {"chosen": chat("Hi", "Hello"), "rejected": chat("Hi", "No")},
    ]
    useless = [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "Hello"},
        {"chosen": chat("Hi", "Hello"), "rejected": chat("Ho", "No")},
    ]
    lessons, left_out = _read(write("prefs.jsonl", [*same, *useless]), preference)
    both = (chat("Hi", "Hello"), chat("Hi", "No"))
    assert [lesson.conversations for lesson in lessons] == [both, both, both]
    assert left_out.counts == {
        "whose two answers are the same": 1,
        "whose two answers are to different questions": 1,
    }
    with pytest.raises(ConfigError, match="Known is chosen and rejected"):
        _read(write("wrong.jsonl", [{"prompt": "Hi"}]), preference)


def test_a_translation_goes_both_ways_and_says_into_what(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("Good day.\tBonjour.\tby somebody\n\tvide\t\n", encoding="utf-8")
    read = PairReader(task="translate", fields=("en", "fr"), asked_in=("en",))
    lessons, left_out = _read(path, read, "en", "fr")
    there, back = (lesson.conversations[0] for lesson in lessons)
    assert [one[-1]["content"] for one in (there, back)] == ["Bonjour.", "Good day."]
    assert "French" in there[0]["content"]
    assert "English" in back[0]["content"]
    assert there[-2]["content"].endswith("Good day.")
    assert lessons[0].key == lessons[1].key
    assert left_out.counts == {"with an empty text": 1}
    one = PairReader(task="translate", fields=("en", "fr"), both_ways=False)
    assert len(_read(path, one, "en", "fr")[0]) == 1
    (tmp_path / "one.tsv").write_text("Good day.\n")
    with pytest.raises(ConfigError, match="1 columns"):
        _read(tmp_path / "one.tsv", read, "en", "fr")


def test_each_task_is_asked_for_in_every_language_and_in_two_places(write: Write) -> None:
    records = [{"source": ["A text.", f"No. {n}."], "target": "Short."} for n in range(400)]
    path = write("pairs.jsonl", records)
    for task in TASKS[1:]:
        lessons, _ = _read(path, PairReader(task=task, fields=("source", "target")))
        asked = {one.conversations[0][0]["content"].partition("\n\n")[0] for one in lessons}
        assert len(asked) == 2 * len(LANGUAGES)
        assert {len(one.conversations[0]) for one in lessons} == {2, 3}
        assert _read(path, PairReader(task=task, fields=("source", "target")))[0] == lessons


def test_pairs_that_can_not_be_made_are_refused(write: Write) -> None:
    path = write("pairs.jsonl", [{"source": "A", "target": "B"}])
    with pytest.raises(ConfigError, match="no field 'from'; it has source, target"):
        _read(path, PairReader(task="rewrite", fields=("from", "to")))
    with pytest.raises(ConfigError, match="language 'source' is unknown: use en, fr"):
        PairReader(task="translate", fields=("source", "target"))
    with pytest.raises(ConfigError, match="language 'xx'"):
        PairReader(task="rewrite", fields=("source", "target"), asked_in=["xx"])
