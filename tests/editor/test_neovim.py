"""Neovim, headless, with `archipel lsp`: keys are sent to it, and its text is read."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from archipel.editor.counts import Counts
from tests.conftest import missing
from tests.serve.scripted import ScriptedService, scripted

__all__ = ["scripted"]

CODE = "def total(prices):\n    \n\n\nprint(total([1]))\n"
COMPLETED = CODE.replace("    \n", "    return sum(prices)\n")
LINES = 'json_encode(getline(1, "$"))'
SETUP = """
local server = vim.lsp.start_client({{
  name = "archipel",
  root_dir = "{folder}",
  cmd = {command},
  on_attach = function() vim.g.attached = 1 end,
}})
vim.lsp.buf_attach_client(0, server)
vim.o.completeopt = "menuone,noinsert"
vim.bo.omnifunc = "v:lua.vim.lsp.omnifunc"
"""

# What docs/editors.md gives to versions whose completion does not run an item's command itself.
TELL = """
vim.api.nvim_create_autocmd("CompleteDone", { callback = function()
  local data = vim.v.completed_item.user_data
  local item = type(data) == "table" and vim.tbl_get(data, "nvim", "lsp", "completion_item")
  if item and item.command then vim.lsp.buf.execute_command(item.command) end
end })
"""


class Neovim:
    """One that runs, with a file open."""

    def __init__(self, socket: Path, screen: IO[bytes]) -> None:
        self._command = ["nvim", "--server", str(socket)]
        self._screen = screen  # what it asks stands there

    def keys(self, keys: str) -> None:
        subprocess.run([*self._command, "--remote-send", keys], check=True, timeout=20)

    def tells(self, expression: str) -> str:
        asked = [*self._command, "--remote-expr", expression]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20)
        return done.stderr or done.stdout  # 0.7 writes to the one, later ones to the other

    def wait(self, expression: str, wanted: Callable[[str], bool]) -> str:
        """What an expression tells as soon as it is as wanted."""
        until = time.monotonic() + 20
        while not wanted(told := self.tells(expression)):
            assert time.monotonic() < until, f"{expression} tells {told!r}"
        return told

    def wait_for(self, words: bytes) -> None:
        """Until they stand on the screen."""
        seen = b""
        while words not in seen:
            piece = os.read(self._screen.fileno(), 4096)
            assert piece, f"it ended after {seen!r}"
            seen += piece


@pytest.fixture
def neovim(scripted: ScriptedService, tmp_path: Path) -> Iterator[Neovim]:
    if not shutil.which("nvim"):
        missing("neovim")
    (tmp_path / "shop.py").write_text(CODE)
    server = [sys.executable, "-m", "archipel", "lsp", "--url", scripted.url, "--model", "reef"]
    quoted = "{" + ", ".join(f'"{word}"' for word in server) + "}"
    (tmp_path / "setup.lua").write_text(SETUP.format(folder=tmp_path, command=quoted))
    socket = tmp_path / "socket"
    command = ["nvim", "--headless", "--clean", "--listen", str(socket), "shop.py"]
    command += ["-c", "luafile setup.lua"]
    environment = {**os.environ, "ARCHIPEL_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, env=environment)
    assert process.stderr
    running = Neovim(socket, process.stderr)
    try:
        running.wait('get(g:, "attached", 0)', lambda told: told.strip() == "1")
        yield running
    finally:
        running.keys("<Esc>:qa!<CR>")
        process.communicate(timeout=20)


def test_a_completion_is_shown_and_accepted(neovim: Neovim, scripted: ScriptedService) -> None:
    neovim.keys("2GA<C-x><C-o>")
    assert scripted.asked()["prompt"] == "def total(prices):\n    "
    scripted.write("return sum(prices)")
    neovim.wait("pumvisible()", lambda told: told.strip() == "1")
    assert json.loads(neovim.tells(LINES)) == CODE.splitlines()
    neovim.keys("<C-y><Esc>")
    told = neovim.wait(LINES, lambda told: "return sum" in told)
    assert json.loads(told) == COMPLETED.splitlines()


def test_an_accepted_completion_is_counted_and_looked_at_in_the_end(
    neovim: Neovim, scripted: ScriptedService, tmp_path: Path
) -> None:
    (tmp_path / "tell.lua").write_text(TELL)
    neovim.keys(":luafile tell.lua<CR>2GA<C-x><C-o>")
    scripted.asked()
    scripted.write("return sum(prices)")
    neovim.wait("pumvisible()", lambda told: told.strip() == "1")
    neovim.keys("<C-y><Esc>")
    counts = Counts(tmp_path / "home" / "editor.db")
    wait_for(lambda: [(one.shown, one.accepted) for one in counts.sums("language")] == [(1, 1)])
    neovim.keys(":lua vim.lsp.stop_client(vim.lsp.get_active_clients())<CR>")
    wait_for(lambda: [(one.name, one.kept) for one in counts.sums("language")] == [("python", 1)])


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until


def test_a_code_action_is_applied(neovim: Neovim, scripted: ScriptedService) -> None:
    choose = "lua vim.lsp.buf.range_code_action(nil, {1, 0}, {2, 4})"
    neovim.keys(f":{choose}<CR>")
    neovim.wait_for(b"Type number")
    neovim.keys("3<CR>")
    assert "def total" in scripted.asked()["messages"][0]["content"]
    scripted.say("```python\ndef total(prices):\n    return sum(prices)\n```")
    scripted.finish()
    told = neovim.wait(LINES, lambda told: "return sum" in told)
    assert json.loads(told) == COMPLETED.splitlines()
