"""Content rules of a key, from the command that adds one to what clients and suppliers see."""

import contextlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI
from starlette.applications import Starlette
from starlette.routing import Route

from archipel.errors import ConfigError
from archipel.serve.accounts.administer import Office
from archipel.serve.rules import Rule
from tests.serve.accounts.conftest import add_key
from tests.serve.accounts.test_access import NOW, Door, Supplier, _billed, door
from tests.serve.accounts.test_commands import _serve
from tests.serve.scripted import hosted_in_thread

__all__ = ["door"]

_ASKED = "I am jo@example.org"


def _add(door: Door, secret: str, *rules: Rule) -> None:
    with door.accounts.writing() as connection:
        for rule in rules:
            Office(connection, "tester", NOW).add_rule(rule, f"key:{secret[:13]}")


def _messages(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_rules_hold_for_their_key_only(door: Door) -> None:
    secret, other = add_key(door.accounts), add_key(door.accounts)
    _add(
        door,
        secret,
        Rule("addresses", ("in",), "pattern", "email", "mask"),
        Rule("zebras", ("in",), "words", "zebra", "refuse"),
        Rule("two", ("out",), "words", "two", "mask"),
    )
    with door.client(secret) as client, door.client(other) as free:
        asked: Any = {"model": "chat", "messages": _messages(_ASKED)}
        answer = client.chat.completions.create(**asked)
        assert answer.choices[0].message.content == "one [two] three four five"
        chunks = client.chat.completions.create(**asked, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert said == "one [two] three four five "
        assert free.chat.completions.create(**asked).choices[0].message.content == (
            "one two three four five"
        )
        with pytest.raises(openai.BadRequestError, match="zebras") as caught:
            client.chat.completions.create(model="chat", messages=_messages("A Zebra!"))
    assert caught.value.code == "content_policy_violation"
    rows = _billed(door.accounts, 3)
    assert [(row.outcome, row.completion_tokens) for row in rows] == [("answered", 5)] * 3
    told = [body["messages"][0]["content"] for body in door.supplier.bodies]
    assert told == ["I am [email]", "I am [email]", _ASKED]


def test_an_answer_that_is_cut_says_so_in_every_dialect(door: Door) -> None:
    secret = add_key(door.accounts)
    _add(door, secret, Rule("no threes", ("out",), "words", "three", "refuse"))
    with door.client(secret) as client:
        asked: Any = {"model": "chat", "messages": _messages("Count")}
        answer = client.chat.completions.create(**asked).choices[0]
        assert (answer.message.content, answer.finish_reason) == ("one two ", "content_filter")
        *_, last = client.chat.completions.create(**asked, stream=True)
        assert last.choices[0].finish_reason == "content_filter"
        response = client.responses.create(model="chat", input="Count")
        assert response.incomplete_details is not None
        assert response.incomplete_details.reason == "content_filter"
        assert response.output_text == "one two "
    with Anthropic(base_url=door.url, api_key=secret, max_retries=0) as claude:
        with claude.messages.stream(
            model="chat", max_tokens=9, messages=_messages("Count")
        ) as stream:
            assert stream.get_final_message().stop_reason == "refusal"
        assert stream.get_final_text() == "one two "


def test_rules_that_make_no_sense_are_refused(door: Door) -> None:
    secret = add_key(door.accounts)
    good = Rule("a", ("in",), "match", "b+", "flag")
    _add(door, secret, good)
    for wrong in (
        good,
        Rule("b", ("in",), "match", "(", "flag"),
        Rule("", (), "words", "x", "flag"),
    ):
        with pytest.raises(ConfigError):
            _add(door, secret, wrong)


def test_an_administrator_adds_and_removes_a_rule(
    archipel: Callable[..., subprocess.Popen[str]],
    office_command: Callable[..., str],
    url: str,
    tmp_path: Path,
) -> None:
    supplier = Supplier()
    app = Starlette(routes=[Route("/v1/chat/completions", supplier.chat, methods=["POST"])])
    with contextlib.ExitStack() as stack:
        file = tmp_path / "service.toml"
        file.write_text(
            f"""
            [accounts]
            [providers.s]
            url = "{stack.enter_context(hosted_in_thread(app))}/v1"
            [routes.chat]
            targets = [{{provider = "s", model = "m"}}]
            """
        )
        office_command("keys", "project", "site", "--organisation", "ours")
        secret = office_command("keys", "create", "k", "--project", "site").strip()
        what = ["--pattern", "email", "--do", "mask"]
        office_command("rules", "add", "addresses", "--project", "site", *what)
        assert "give one of" in office_command(
            "rules", "add", "b", "--project", "site", *what[2:], fails=True
        )
        assert "RE2" in office_command(
            *("rules", "add", "b", "--key", secret[:13], "--match", "(", "--do", "flag"), fails=True
        )
        assert "project:site" in office_command("rules", "list")
        process, service = _serve(archipel, url, file)
        with OpenAI(base_url=service, api_key=secret, max_retries=0, timeout=20) as client:
            client.chat.completions.create(model="chat", messages=_messages(_ASKED))
        process.terminate()
        out, log = process.communicate(timeout=20)
        assert "jo@" not in out + log
    assert "jo@" not in json.dumps(supplier.bodies)
    office_command("rules", "remove", "addresses")
    assert "none yet" in office_command("rules", "remove", "addresses", fails=True)
    audit = office_command("audit")
    assert "rule.add" in audit
    assert "rule.remove" in audit
