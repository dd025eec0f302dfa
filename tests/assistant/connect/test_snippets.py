"""What programs are told: files that their programs can read, with the address, the model and no
key."""

import ast
import json
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from archipel.assistant.connect.snippets import Reached, Snippet, api_address
from archipel.assistant.connect.table import CLIENTS, able, configuration, order_for_key
from archipel.assistant.offers import Offer
from archipel.assistant.people import LOCAL, Person
from tests.conftest import missing

OPEN = Reached("http://127.0.0.1:8080/v1", "coder", "island", wants_key=False)
KEYED = Reached("https://ai.example.com/v1", 'a"model\\', "l'île", wants_key=True)
ALL = [
    pytest.param(name, reached, id=f"{name}-{kind}")
    for name in CLIENTS
    for kind, reached in (("open", OPEN), ("keyed", KEYED))
]


def written(name: str, reached: Reached) -> list[Snippet]:
    return configuration(CLIENTS[name], reached)


def first(name: str, reached: Reached) -> str:
    return written(name, reached)[0].text


def words_of(snippet: Snippet) -> list[str]:
    return shlex.split(snippet.text)


READERS: dict[str, Any] = {
    "json": lambda one: json.loads(one.text),
    "toml": lambda one: tomllib.loads(one.text),
    "yaml": lambda one: yaml.safe_load(one.text),
    "python": lambda one: ast.parse(one.text),
    "bash": words_of,
}


@pytest.mark.parametrize(("name", "reached"), ALL)
def test_a_file_can_be_read_by_its_language(name: str, reached: Reached) -> None:
    snippets = written(name, reached)
    assert snippets
    for one in snippets:
        assert READERS.get(one.syntax, lambda one: one.text)(one)


@pytest.mark.parametrize("name", list(CLIENTS))
def test_the_address_is_there_and_the_place_of_a_key_where_one_is_wanted(name: str) -> None:
    keyed = "".join(one.text for one in written(name, KEYED))
    assert "https://ai.example.com" in keyed
    assert "YOUR_KEY" in keyed
    assert "YOUR_KEY" not in "".join(one.text for one in written(name, OPEN))


def test_editors_are_given_the_model_that_fills_gaps() -> None:
    zed = json.loads(first("zed", KEYED))["edit_predictions"]
    assert zed["open_ai_compatible_api"]["model"] == KEYED.fill
    assert zed["open_ai_compatible_api"]["api_url"] == "https://ai.example.com/v1/completions"
    fill, chat = yaml.safe_load(first("continue", KEYED))["models"]
    assert (fill["model"], fill["roles"]) == (KEYED.fill, ["autocomplete"])
    assert (chat["model"], chat["roles"]) == (KEYED.chat, ["chat", "edit"])


def test_programs_that_add_the_v1_are_given_the_address_without_it() -> None:
    root = "http://127.0.0.1:8080"
    assert json.loads(first("llama_vscode", OPEN))["llama-vscode.endpoint"] == root
    assert tomllib.loads(first("jetbrains", OPEN))["server"]["endpoint"] == f"{root}/tabby"
    env = json.loads(first("claude_code", OPEN))["env"]
    assert env["ANTHROPIC_BASE_URL"] == root
    assert env["ANTHROPIC_MODEL"] == "island"
    assert f"'{root}/infill'" in first("llama_vim", OPEN)


def test_curl_sends_a_question_and_the_key() -> None:
    [snippet] = written("curl", KEYED)
    words = words_of(snippet)
    assert words[:2] == ["curl", "https://ai.example.com/v1/chat/completions"]
    assert "Authorization: Bearer YOUR_KEY" in words
    assert json.loads(words[-1])["model"] == KEYED.chat


def test_the_python_program_asks_the_service_by_openais_package() -> None:
    tree = ast.parse(first("python", OPEN))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {"http://127.0.0.1:8080/v1", "none", "island"} <= texts


def test_the_language_server_is_started_with_address_and_models() -> None:
    words = '"lsp", "--url", "http://127.0.0.1:8080/v1", "--model", "coder"'
    assert words in first("neovim_lsp", OPEN)
    for one in written("emacs_lsp", OPEN):
        assert words.replace(",", "") in one.text


@pytest.mark.parametrize("name", ["neovim_lsp", "minuet_neovim"])
def test_neovim_can_read_the_lua(name: str) -> None:
    if not shutil.which("nvim"):
        missing("neovim")
    lua = f"lua assert(load({json.dumps(first(name, OPEN))}))"
    command = ["nvim", "--headless", "--clean", "-c", lua, "-c", "qa!"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""


def test_neovim_can_read_the_vim_script(tmp_path: Path) -> None:
    if not shutil.which("nvim"):
        missing("neovim")
    (tmp_path / "llama.vim").write_text(first("llama_vim", KEYED))
    tell = ["-c", "source llama.vim", "-c", "echo g:llama_config", "-c", "qa!"]
    done = subprocess.run(
        ["nvim", "--headless", "--clean", *tell],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "https://ai.example.com/infill" in done.stderr


def test_without_a_model_for_it_there_is_nothing_to_copy() -> None:
    chats_only = Reached("http://127.0.0.1:8080/v1", "", "island", wants_key=False)
    assert written("zed", chats_only) == []
    assert written("curl", chats_only)
    fills_only = Reached("http://127.0.0.1:8080/v1", "coder", "", wants_key=False)
    assert len(yaml.safe_load(first("continue", fills_only))["models"]) == 1
    assert "--chat-model" not in first("neovim_lsp", fills_only)


def test_models_that_say_they_can_go_before_those_that_say_nothing() -> None:
    silent, fills, chats = (
        Offer("a"),
        Offer("b", abilities=["fill"]),
        Offer("c", abilities=["chat"]),
    )
    assert able([silent, fills, chats], "fill") == ["b"]
    assert able([silent, chats], "fill") == ["a"]
    assert able([chats], "fill") == []


def test_behind_a_proxy_the_address_is_the_proxys() -> None:
    local = "http://127.0.0.1:8080/v1"
    assert api_address(local, None) == local
    assert api_address(local, "https://ai.example.com") == "https://ai.example.com/v1"


def test_the_command_for_a_key_names_the_person_and_a_project_of_theirs() -> None:
    marie = Person("marie", "marie", projects={"web site": "member"})
    order = "archipel keys create editor --project 'web site' --person marie"
    assert order_for_key(marie) == order
    assert order_for_key(LOCAL) == "archipel keys create editor --project PROJECT"
