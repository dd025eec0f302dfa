"""A model behind an API says of texts what it says of them here; one that can't is named."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from transformers import AutoTokenizer

from archipel.chat import ChatService, ServiceError
from archipel.errors import ModelError
from archipel.evaluate.asking import Read, Span
from archipel.evaluate.checkpoint import Checkpoint
from archipel.evaluate.service import Service
from archipel.models.checkpoint import load_model
from archipel.serve.hosting import hosted, listen

SPANS = [
    Span("The quick brown", " fox jumps"),
    Span("L'été, les élèves", " lisent à l'ombre"),
    Span("def add(first", ": int)"),
]


class Echoing:
    """`/v1/completions` with echo and logprobs as vLLM and OpenAI have it, over a checkpoint; with
    `mark`, a mark before the text counts in the offsets, as vLLM counts it."""

    def __init__(self, folder: Path, mark: bool) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = load_model(folder)
        self.mark = mark

    async def complete(self, request: Request) -> JSONResponse:
        asked = await request.json()
        if not asked.get("echo"):
            return JSONResponse({"error": {"message": "only echo", "code": None}}, 400)
        encoded = self.tokenizer(asked["prompt"], return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], [start for start, _ in encoded["offset_mapping"]]
        with torch.no_grad():
            logprobs = self.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        told: list[Any] = [None]
        likeliest: list[Any] = [None]
        for row, token in zip(logprobs, [*ids[1:], int(logprobs[-1].argmax())], strict=True):
            best = int(row.argmax())
            told.append(float(row[token]))
            likeliest.append({str(best): float(row[best])})
        offsets.append(len(asked["prompt"]))
        if self.mark:
            told, likeliest = [None, *told], [None, *likeliest]
            offsets = [0, *(offset + len("<|endoftext|>") for offset in offsets)]
        choice = {
            "text": asked["prompt"] + "…",
            "logprobs": {
                "token_logprobs": told,
                "top_logprobs": likeliest,
                "text_offset": offsets,
            },
        }
        return JSONResponse({"choices": [choice]})


async def _read(app: Starlette, spans: list[Span]) -> list[Read]:
    async with (
        hosted(app, listen("127.0.0.1", 0)) as url,
        ChatService(f"{url}/v1") as service,
    ):
        return await Service(service, "tiny", identity="x", workers=1).read(spans)


@pytest.mark.parametrize("mark", [False, True])
def test_an_api_with_echo_says_what_the_checkpoint_says(checkpoint: Path, mark: bool) -> None:
    echoing = Echoing(checkpoint, mark)
    app = Starlette(routes=[Route("/v1/completions", echoing.complete, methods=["POST"])])
    known = asyncio.run(Checkpoint(checkpoint, "tiny").read(SPANS))
    found = asyncio.run(_read(app, SPANS))
    assert [one.nats for one in found] == pytest.approx([one.nats for one in known], abs=1e-3)
    assert [one.greedy for one in found] == [one.greedy for one in known]


def test_an_api_without_echo_is_named_as_such(checkpoint: Path) -> None:
    async def without(_: Request) -> JSONResponse:
        return JSONResponse({"choices": [{"text": "…", "logprobs": None}]})

    app = Starlette(routes=[Route("/v1/completions", without, methods=["POST"])])
    with pytest.raises(ModelError, match=r"how likely a text is .* tasks that write"):
        asyncio.run(_read(app, SPANS))


def test_a_service_that_is_not_there_is_no_model_that_can_not() -> None:
    async def read() -> None:
        async with ChatService("http://127.0.0.1:9/v1") as service:
            await Service(service, "tiny", identity="x", workers=1).read(SPANS)

    with pytest.raises(ServiceError, match="no service answers"):
        asyncio.run(read())
