"""Code completion as an editor asks for it: how soon a suggestion comes, what the service adds to
the engine's own time, and how soon a question that is given up leaves the engine free.

The model is a `micro` (15 million parameters, 8 bits) with random weights: how long an answer takes
does not depend on what it says. The questions are places in lines of Python's standard library.
First and next suggestions are those of `archipel lsp`, which gives a model as much of a file as it
reads in time (`given_characters`), asked for as many tokens as the rest of the line really has; the
other figures are of 3,000 characters before the place, 800 behind it and 32 tokens. The service
and who asks it share a process.
"""

import random
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import uvloop
from lsprotocol import types
from pygls.workspace import TextDocument
from tokenizers import Tokenizer

from archipel.chat import ChatService
from archipel.corpus import BuildOptions, build_corpus, read_manifest
from archipel.editor.project import nearby
from archipel.editor.server import Helper, Wishes
from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.models.gaps import FAMILIES
from archipel.models.gguf_export import export_gguf
from archipel.models.sizes import model_config
from archipel.serve.engines import Lease
from archipel.serve.hosting import listen
from archipel.serve.providers import EngineProvider
from archipel.serve.service import Service, service
from archipel.serve.setting_tables import ModelTable
from archipel.serve.settings import Settings, with_models

_SIZE = "micro"
_TAUGHT = ("json", "email", "http", "asyncio", "logging", "xml")  # packages, to the tokenizer
_ASKED = "unittest"  # a package
_CONTEXT, _VOCABULARY = 2048, 8192
_BEFORE, _BEHIND, _LINE = 3000, 800, 6  # characters
_LITTLE = 100  # characters
_TOKENS = 32
_LEARNT = 5  # suggestions in which the speed becomes known
_ENDLESS = 1000
_PATIENCE = 60.0  # seconds


def run(quick: bool) -> dict[str, Any]:
    """Times are medians in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(_measure(_model(Path(folder)), gaps=20 if quick else 100))


async def _measure(model: Path, gaps: int) -> dict[str, Any]:
    table = ModelTable(path=str(model), context=_CONTEXT, parallel=1, gaps="qwen")
    empty = Settings()
    settings, files = with_models(empty, [f"coder={model}"], lambda path: table, model.parent)
    sock = listen("127.0.0.1", 0)
    async with (
        service(settings, files, sock=sock, api_key=None) as running,
        aiohttp.ClientSession() as client,
    ):
        asks = _Asks(client, running, await _engine(running))
        places, others = list(_places(gaps)), list(_places(_LEARNT + gaps, seed=1))
        async with ChatService(running.url) as chat:
            editor = _Editor(Helper(chat, Wishes()), _tokenizer(model.parent))
            for place in others[:_LEARNT]:
                await editor.first(place)
            first = [await editor.first(place) for place in places]
            given = editor.helper.readings["coder"].characters
            typed = [await editor.next(place) for place in others[_LEARNT:]]
        questions = [place.around for place in places]
        whole = [await asks.suggestion(*gap, _TOKENS) for gap in questions]
        added = [await asks.added(*gap, number) for number, gap in enumerate(questions)]
        cancelled = [await asks.cancelled(*gap) for gap in questions[: gaps // 4]]
    return {
        "gaps": gaps,
        "first_suggestion_p50_ms": _ms(first),
        "next_suggestion_p50_ms": _ms(typed),
        "given_characters": given,
        "suggestion_tokens_p50": median(editor.tokens(place) for place in places),
        "p50_ms_of_3800_characters_and_32_tokens": _ms(whole),
        "added_ms": _ms(added),
        "cancel_ms": _ms(cancelled),
    }


def _model(folder: Path) -> Path:
    """A GGUF file of random weights, with a tokenizer of Python."""
    library = Path(sysconfig.get_path("stdlib"))
    inputs = [library / name for name in _TAUGHT]
    build_corpus(inputs, folder / "corpus", BuildOptions(vocab_size=_VOCABULARY))
    manifest = read_manifest(folder / "corpus")
    config = model_config(
        _SIZE,
        vocab_size=manifest.vocab_size,
        context=_CONTEXT,
        end_of_text_id=manifest.end_of_text_id,
    )
    parameters = new_model(config, seed=0).named_parameters()
    tensors = {name: tensor.detach().numpy() for name, tensor in parameters}
    save_checkpoint(folder / "coder", config, tensors, folder / "corpus" / "tokenizer", card="")
    export_gguf(folder / "coder", folder / "coder.gguf", "q8_0")
    return folder / "coder.gguf"


async def _engine(running: Service) -> Lease:
    provider = running.directory.providers["coder"]
    assert isinstance(provider, EngineProvider)
    return await provider.engines.lend("coder")


class _Asks:
    """Who asks, through the service or the engine itself; all times in seconds."""

    def __init__(self, client: aiohttp.ClientSession, running: Service, lease: Lease) -> None:
        self._client = client
        self._service = f"{running.url}/completions"
        self._engine = f"{lease.address.url}/v1/completions"
        self._key = {"Authorization": f"Bearer {lease.address.api_key}"}

    async def suggestion(self, before: str, behind: str, tokens: int) -> float:
        """Through the service, of a text that it has not seen."""
        return await self._service_time(before, behind, tokens, cache_prompt=False)

    async def added(self, before: str, behind: str, number: int) -> float:
        """What the service takes more than the engine, for one token after little text, which takes
        the engine least; each comes first in turn."""
        before, behind = before[-_LITTLE:], behind[:_LITTLE]

        async def engine() -> float:
            prompt = FAMILIES["qwen"].prompt(before, behind)
            body = _body(prompt, 1) | {"cache_prompt": False}
            return await self._time(self._engine, body, self._key)

        async def through() -> float:
            return await self.suggestion(before, behind, 1)

        if number % 2:
            own = await engine()
            return await through() - own
        taken = await through()
        return taken - await engine()

    async def cancelled(self, before: str, behind: str) -> float:
        """How much longer the engine's only place is taken after a client has gone."""
        alone = await self.suggestion(before, behind, 1)
        body = _body(before, _ENDLESS) | {"suffix": behind, "stream": True, "ignore_eos": True}
        async with self._client.post(self._service, json=body) as response:
            await response.content.readline()
            response.close()
        return await self.suggestion(before, behind, 1) - alone

    async def _service_time(self, before: str, behind: str, tokens: int, **more: object) -> float:
        body = _body(before, tokens) | {"suffix": behind, **more}
        return await self._time(self._service, body, {})

    async def _time(self, url: str, body: dict[str, Any], headers: dict[str, str]) -> float:
        began = time.perf_counter()
        async with self._client.post(url, json=body, headers=headers) as response:
            response.raise_for_status()
            await response.read()
        return time.perf_counter() - began


def _body(prompt: str, tokens: int) -> dict[str, Any]:
    return {"model": "coder", "prompt": prompt, "max_tokens": tokens, "temperature": 0}


@dataclass(frozen=True)
class _Place:
    """In a line of a file; what stands in the line behind it is not written yet."""

    file: Path
    text: str
    at: int

    @property
    def end(self) -> int:
        """Where the line ends."""
        return self.text.index("\n", self.at)

    @property
    def around(self) -> tuple[str, str]:
        """The text before and behind."""
        return self.text[self.at - _BEFORE : self.at], self.text[self.end : self.end + _BEHIND]


def _places(count: int, seed: int = 0) -> Iterator[_Place]:
    """In a package of the standard library, in lines that are not empty."""
    dice = random.Random(seed)
    files = sorted((Path(sysconfig.get_path("stdlib")) / _ASKED).rglob("*.py"))
    texts = [(file, file.read_text(encoding="utf-8")) for file in files]
    long = [(file, text) for file, text in texts if len(text) > 2 * (_BEFORE + _BEHIND)]
    while count:
        file, text = dice.choice(long)
        at = dice.randrange(_BEFORE, len(text) - _BEHIND)
        if not text[at].isspace():
            count -= 1
            yield _Place(file, text, at)


def _tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "corpus" / "tokenizer" / "tokenizer.json"))


@dataclass(frozen=True)
class _Editor:
    """Who asks through `archipel lsp`; times in seconds."""

    helper: Helper
    tokenizer: Tokenizer

    def tokens(self, place: _Place) -> int:
        """Of the rest of the line, with its end."""
        return len(self.tokenizer.encode(place.text[place.at : place.end + 1]).ids)

    async def first(self, place: _Place) -> float:
        """For a place where nobody has asked before."""
        return await self._time(place, place.at, self.tokens(place))

    async def next(self, place: _Place) -> float:
        """After some more characters of the line."""
        await self._time(place, place.at - _LINE, 1)
        return await self._time(place, place.at, self.tokens(place))

    async def _time(self, place: _Place, at: int, tokens: int) -> float:
        source = place.text[:at] + place.text[place.end :]
        lines = source[:at].split("\n")
        position = types.Position(len(lines) - 1, len(lines[-1]))
        document = TextDocument(place.file.as_uri(), source)
        helper = replace(self.helper, wishes=Wishes(tokens=tokens, seconds=_PATIENCE))
        began = time.perf_counter()
        await helper.suggest(document, position, _near)
        return time.perf_counter() - began


def _near(path: Path, source: str, room: int) -> list[tuple[str, str]]:
    return nearby(path, source, Path(sysconfig.get_path("stdlib")), {}, room)


def _ms(seconds: list[float]) -> float:
    return round(1000 * median(seconds), 2)
