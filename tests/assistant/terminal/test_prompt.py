"""archipel chat at a real terminal: the prompt, commands, Ctrl-C, Markdown."""

import re
from collections.abc import Callable
from pathlib import Path

from archipel.assistant.history import conversations
from archipel.database import Database
from tests.assistant.terminal.conftest import Terminal
from tests.assistant.terminal.test_chat import kept
from tests.serve.scripted import ScriptedService

Start = Callable[..., Terminal]


def answered(terminal: Terminal, scripted: ScriptedService, question: str, answer: str) -> None:
    terminal.type(f"{question}\n")
    scripted.asked()
    scripted.say(answer)
    scripted.finish()
    terminal.wait_for(f"{answer}.*per second.*› ")


def screen(seen: str) -> list[str]:
    """The lines that a terminal shows after this, those scrolled away too."""
    lines, row, column = [""], 0, 0
    for code, sign in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|(.)", seen, re.DOTALL):
        if code.endswith("A"):
            row -= int(code[:-1] or 1)
        elif code == "2K":
            lines[row] = ""
        elif sign == "\r":
            column = 0
        elif sign == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif sign:
            lines[row] = lines[row][:column].ljust(column) + sign + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def test_a_conversation_in_the_terminal(
    terminal: Start, scripted: ScriptedService, own_history: Database
) -> None:
    opened = terminal()
    opened.wait_for("island.*› ")
    opened.type("First?\n")
    assert scripted.asked()["model"] == "island"
    scripted.say("One", " \x1b[31mtwo")
    opened.wait_for(r"One \[31mtwo")  # the escape character is gone
    opened.type("\x03")
    opened.wait_for("stopped.*› ")
    assert scripted.client_left.wait(20)

    opened.type("/model reef\n")
    opened.wait_for("reef .*› ")
    opened.type("Second?\n")
    request = scripted.asked()
    assert request["model"] == "reef"
    assert request["messages"] == [
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "One \x1b[31mtwo"},
        {"role": "user", "content": "Second?"},
    ]
    scripted.say("Three")
    scripted.finish()
    opened.wait_for("Three.*› ")

    opened.type("/new\n")
    opened.wait_for("new conversation.*› ")
    opened.type("Third?\n")
    assert len(scripted.asked()["messages"]) == 1
    scripted.say("Four")
    scripted.finish()
    opened.wait_for("Four.*› ")
    opened.type("\x04")
    assert opened.process.wait(20) == 0
    assert [[one.text for one in branch] for branch in kept(own_history)] == [
        ["Third?", "Four"],
        ["First?", "One \x1b[31mtwo", "Second?", "Three"],
    ]


def test_undo_again_and_other_conversations(
    terminal: Start, scripted: ScriptedService, own_history: Database
) -> None:
    opened = terminal()
    opened.wait_for("› ")
    opened.type("/undo\n")
    opened.wait_for("nothing was asked.*› ")
    answered(opened, scripted, "One?", "Uno")
    answered(opened, scripted, "Two?", "Dos")
    opened.type("/again reef\n")
    request = scripted.asked()
    assert request["model"] == "reef"
    assert [one["content"] for one in request["messages"]] == ["One?", "Uno", "Two?"]
    scripted.say("Deux")
    scripted.finish()
    opened.wait_for("Deux.*› ")
    opened.type("/undo\n")
    opened.wait_for(r"taken back: Two\?.*› ")
    opened.type("Three?\n")
    assert [one["content"] for one in scripted.asked()["messages"]] == ["One?", "Uno", "Three?"]
    scripted.say("Trois")
    scripted.finish()
    opened.wait_for("Trois.*› ")
    with own_history.reading() as connection:
        assert conversations.listed(connection, "local", 9)[0].title == "One?"

    opened.type("/new\n")
    opened.wait_for("› ")
    answered(opened, scripted, "Other?", "Autre")
    opened.type("/history trois\n")
    opened.wait_for(r"    1  .*One\?: Trois.*› ")
    opened.type("/history\n")
    opened.wait_for(r"    2  .*Other\?.*    1  .*One\?.*› ")
    opened.type("/open 1\n")
    opened.wait_for("Trois.*› ")
    opened.type("/open 9\n")
    opened.wait_for("no conversation 9.*› ")
    opened.type("Four?\n")
    assert scripted.asked()["messages"][-2]["content"] == "Trois"
    scripted.finish()
    opened.wait_for("› ")
    assert len(kept(own_history)) == 2


def test_several_lines_files_and_saving(
    terminal: Start, scripted: ScriptedService, own_history: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    opened = terminal("-f", str(tmp_path / "a.py"))
    opened.wait_for("› ")
    opened.type(f"/file {tmp_path / 'none.py'}\n")
    opened.wait_for("can't read.*› ")
    opened.type(f"/file {tmp_path / 'a.py'}\n")
    opened.wait_for("goes with the next question.*› ")
    opened.type('"""one\n')
    opened.wait_for("… ")
    opened.type('two"""\n')
    block = "`a.py`:\n\n```py\nx = 1\n```"
    assert scripted.asked()["messages"][0]["content"] == f"one\ntwo\n\n{block}\n\n{block}"
    scripted.say("Good")
    scripted.finish()
    opened.wait_for("Good.*› ")
    opened.type("\x1b[200~pasted one\npasted two\x1b[201~\n")
    assert scripted.asked()["messages"][-1]["content"] == "pasted one\npasted two"
    scripted.finish()
    opened.wait_for("› ")
    for name, words in (("talk.md", "## Assistant (island)"), ("talk.json", '"key"')):
        opened.type(f"/save {tmp_path / name}\n")
        opened.wait_for("saved as.*› ")
        assert words in (tmp_path / name).read_text()
    opened.type(f"/save {tmp_path / 'talk.md'}\n")
    opened.wait_for("can't write.*› ")


def test_markdown_is_drawn_and_a_long_answer_is_there_once(
    terminal: Start, scripted: ScriptedService, own_history: Database
) -> None:
    opened = terminal()
    opened.wait_for("› ")
    opened.type("Show me\n")
    scripted.asked()
    rows = "\n".join(f"{n}. row number {n}" for n in range(1, 61))
    scripted.say("Some **bold** words.\n\n", *f"{rows}\n\n```python\nx = 1\n```\n\nThe <b>end</b>")
    scripted.finish()
    seen = opened.wait_for(r"per second.*› ")
    assert "\x1b[1mbold\x1b[0m" in seen
    assert "**" not in seen
    lines = screen(seen)
    assert [line for line in lines if "row number" in line] == [
        f"{n:>3} row number {n}" for n in range(1, 61)
    ]
    assert "The <b>end</b>" in lines


def test_plain_shows_the_signs_of_markdown(
    terminal: Start, scripted: ScriptedService, own_history: Database
) -> None:
    opened = terminal("--plain")
    opened.wait_for("› ")
    opened.type("Show me\n")
    scripted.asked()
    scripted.say("Some **bold**")
    scripted.finish()
    opened.wait_for(r"Some \*\*bold\*\*.*› ")
