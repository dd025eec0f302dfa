"""archipel chat in scripts: questions, files, pipes, and the history that the page has too."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archipel.assistant.history import conversations, messages
from archipel.assistant.history.messages import Draft, Message
from archipel.database import Database
from tests.assistant.terminal.conftest import CHAT
from tests.serve.conftest import Service
from tests.serve.scripted import ScriptedService

NOTHING_THERE = "http://127.0.0.1:9/v1"


def chat(*arguments: object, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*CHAT, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def start(scripted: ScriptedService) -> "Iterator[Callable[..., subprocess.Popen[str]]]":
    """Start a chat with the scripted service, whose answer the test then writes."""
    started: list[subprocess.Popen[str]] = []

    def one(*arguments: object, text: str = "") -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*CHAT, "--url", scripted.url, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        return process

    yield one
    for process in started:
        process.kill()
        process.communicate()


def finished(process: "subprocess.Popen[str]", scripted: ScriptedService, answer: str) -> str:
    scripted.say(answer)
    scripted.finish()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def kept(history: Database) -> list[list[Message]]:
    """The shown branch of each conversation, the newest first."""
    with history.reading() as connection:
        return [
            messages.branch(messages.all_of(connection, "local", one.id), one.shown)
            for one in conversations.listed(connection, "local", 99)
        ]


def test_one_question_to_a_running_service(service: Service) -> None:
    asked = chat("--url", service.url, "def add(")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout
    assert chat("-m", "tiny", "--url", service.url, text="def add(").returncode == 0


def test_one_question_to_a_model_on_disk(
    checkpoint: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIPEL_HOME", str(home))
    asked = chat("-m", checkpoint, "--url", NOTHING_THERE, "--no-history", "def add(")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout


def test_what_can_not_work_exits_with_1(tmp_path: Path, scripted: ScriptedService) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\0\0")
    (tmp_path / "latin.txt").write_bytes("été".encode("latin1"))
    (tmp_path / "long.txt").write_bytes(b"x" * 1_000_001)
    for arguments, words in (
        (["Hi"], "no service answers"),
        (["-m", "no-such-model", "Hi"], "no model 'no-such-model'"),
        ([" "], "the question is empty"),
        (["Hi", "-f", tmp_path / "photo.png"], "photo.png is not text"),
        (["Hi", "-f", tmp_path / "latin.txt"], "iconv"),
        (["Hi", "-f", tmp_path / "long.txt"], "over 1 MB"),
        (["Hi", "-f", tmp_path / "none.txt"], "can't read"),
        (["--url", scripted.url, "reef"], "`archipel chat -m reef`"),
        (["--url", scripted.url, "--conversation", 77, "Hi"], "no conversation 77"),
    ):
        asked = chat("--url", NOTHING_THERE, *arguments)
        assert asked.returncode == 1, arguments
        assert words in asked.stderr
        assert "Traceback" not in asked.stderr


def test_a_pipe_and_files_go_with_the_question(
    start: Callable[..., "subprocess.Popen[str]"], scripted: ScriptedService, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("x = '```'\n")
    (tmp_path / "b.txt").write_text("notes")
    asked = start(
        "find", "the bug", "-f", tmp_path / "a.py", "-f", tmp_path / "b.txt", text="x = 1\n"
    )
    request = scripted.asked()
    assert request["messages"] == [
        {
            "role": "user",
            "content": "find the bug\n\n`a.py`:\n\n````py\nx = '```'\n````\n\n"
            "`b.txt`:\n\n```txt\nnotes\n```\n\n```\nx = 1\n```",
        }
    ]
    assert finished(asked, scripted, "*Line* \x1b[2J1") == "*Line* [2J1\n"


def test_what_is_piped_alone_is_the_question(
    start: Callable[..., "subprocess.Popen[str]"], scripted: ScriptedService
) -> None:
    asked = start("-m", "reef", text="Why?\n")
    request = scripted.asked()
    assert (request["model"], request["messages"][0]["content"]) == ("reef", "Why?")
    finished(asked, scripted, "Because")


def test_a_conversation_goes_on_and_is_found(
    start: Callable[..., "subprocess.Popen[str]"],
    scripted: ScriptedService,
    own_history: Database,
) -> None:
    first = start("-m", "reef", "Where is the lake?")
    scripted.asked()
    finished(first, scripted, "In the north")
    second = start("-c", "And the sea?")
    request = scripted.asked()
    assert request["model"] == "reef"  # who answered before
    assert [one["content"] for one in request["messages"]] == [
        "Where is the lake?", "In the north", "And the sea?",
    ]  # fmt: skip
    finished(second, scripted, "In the west")
    [branch] = kept(own_history)
    assert [(one.text, one.model, one.status) for one in branch][2:] == [
        ("And the sea?", None, "done"),
        ("In the west", "reef", "done"),
    ]
    assert branch[3].facts["completion_tokens"] == 7
    listed = chat("--list").stdout.split()
    assert (listed[0], listed[3:]) == ("1", ["Where", "is", "the", "lake?"])
    found = chat("--search", "west").stdout
    assert found.startswith("    1  ")
    assert found.endswith(": In the west\n")
    assert chat("--search", "mountain").stdout == "nothing\n"


def test_a_conversation_of_the_page_goes_on_where_it_is_shown(
    start: Callable[..., "subprocess.Popen[str]"],
    scripted: ScriptedService,
    own_history: Database,
) -> None:
    with own_history.writing() as connection:
        id_ = conversations.begin(connection, "local", 1.0, "From the page\x1b[2J")
        asked = messages.add(connection, id_, None, Draft(role="user", text="One?"), 1.0)
        for name in ("island", "reef"):
            draft = Draft(role="assistant", text=name, model=name)
            messages.add(connection, id_, asked.id, draft, 1.0)
    assert "\x1b" not in chat("--list").stdout
    process = start("--conversation", id_, "Two?")
    assert [one["content"] for one in scripted.asked()["messages"]] == ["One?", "reef", "Two?"]
    finished(process, scripted, "Yes")
    assert [one.text for one in kept(own_history)[0]] == ["One?", "reef", "Two?", "Yes"]


def test_without_history_nothing_is_kept(
    start: Callable[..., "subprocess.Popen[str]"],
    scripted: ScriptedService,
    own_history: Database,
) -> None:
    process = start("--no-history", "Secret?")
    scripted.asked()
    finished(process, scripted, "Yes")
    assert kept(own_history) == []


def test_a_stop_keeps_what_came(
    start: Callable[..., "subprocess.Popen[str]"],
    scripted: ScriptedService,
    own_history: Database,
) -> None:
    process = start("Never end")
    scripted.asked()
    scripted.say("Once upon")
    assert process.stdout is not None
    assert process.stdout.read(9) == "Once upon"
    process.send_signal(signal.SIGINT)
    assert scripted.client_left.wait(20)
    process.communicate(timeout=20)
    assert [(one.text, one.status) for one in kept(own_history)[0]] == [
        ("Never end", "done"),
        ("Once upon", "stopped"),
    ]


def test_an_answer_that_goes_round_in_circles_is_ended_and_said_beside_it(
    start: "Callable[..., subprocess.Popen[str]]", scripted: ScriptedService, own_history: Database
) -> None:
    process = start("Sing")
    scripted.asked()
    scripted.say(*["We go round the bay,\n"] * 300)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert set(out.rstrip().splitlines()) == {"We go round the bay,"}
    assert err == "note: the answer was ended where it went round in circles\n"
    [[_, answer]] = kept(own_history)
    assert (answer.status, answer.facts["ended"]) == ("done", "circles")


def test_a_conversation_too_long_for_the_model_is_asked_without_its_beginning(
    start: Callable[..., "subprocess.Popen[str]"],
    scripted: ScriptedService,
    own_history: Database,
) -> None:
    with own_history.writing() as connection:
        id_, parent = conversations.begin(connection, "local", 1.0, "Long"), None
        for place in range(8):
            draft = Draft(role="assistant" if place % 2 else "user", text=str(place))
            parent = messages.add(connection, id_, parent, draft, 1.0).id
    error = {"message": "too long", "code": "context_length_exceeded"}
    scripted.refusal = (400, {"error": error})
    process = start("-c", "Last?")
    asked = [scripted.asked()["messages"] for _ in range(3)]
    assert [len(one) for one in asked] == sorted((len(one) for one in asked), reverse=True)
    assert asked[0][0]["content"] == "0"
    assert asked[1][-1] == asked[2][-1] == {"role": "user", "content": "Last?"}
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "too long" in told
    assert kept(own_history)[0][-1].facts["left_out"] >= 2
