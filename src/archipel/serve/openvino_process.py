"""A model served by OpenVINO in a process of its own, if it answers as well as by llama.cpp.

Asks both before it serves; where they differ, or it is slower, it tells its parent, and ends.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from archipel.serve.child import begin
from archipel.serve.llama_reference import LlamaReference, llama_reference
from archipel.serve.openvino_model import OpenVinoModel
from archipel.serve.text_model import Prompt, Sampling, Token
from archipel.serve.text_server import serve
from archipel.serve.trial import Speed, answer_fault, compared, speed_fault, tokens_fault

_TEXTS = (
    "The capital of France is",
    "It's the 21st of March 2026; we'll see, don't you say? 1,234.56 € to www.example.org/a?b=c.",
    "L'été, où les élèves lisaient « Les Misérables » à l'ombre, s'achève : « Où est-ce ? »",
    "def area(radius_m: float) -> float:\n    return 3.14159 * radius_m ** 2  # m²\n\n\ndef ",
    "for (int i = 0; i < 10_000; ++i) {\r\n\tx[i] += 0xFF;\r\n}\r\n\r\nSELECT * FROM t WHERE a<>1;",
    "  two  three   four    \t\ttabs\t \n\n\n newlines \n \n世界你好。日本語 🙂🎉 Здравствуй",
)
_CONVERSATION = (
    {"role": "system", "content": "You answer briefly."},
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "Paris."},
    {"role": "user", "content": "Et celle de l'Italie ?"},
)
_ANSWER_TOKENS = 12
_READ_TOKENS, _WRITTEN_TOKENS, _ROUNDS = 256, 16, 2


def faults(model: OpenVinoModel, llama: LlamaReference, context: int) -> Iterator[str]:
    """What is wrong with the model, the cheapest to find first; nothing about its speed."""
    prompts = [(text, model.tokenizer.encode(text)) for text in _TEXTS]
    for text, ids in prompts:
        if fault := tokens_fault(text, ids, llama.encode(text)):
            yield fault
        if (back := model.tokenizer.decode(ids)) != text:
            yield f"it makes {back[:60]!r} of the tokens of {text[:60]!r}"
    said = model.tokenizer.converse(_CONVERSATION)
    if fault := tokens_fault("a conversation", said, llama.converse(_CONVERSATION)):
        yield fault
    long = _long(prompts, context)
    for text, ids in [*prompts, ("a conversation", said), ("a long text", long)]:
        asked = ids[: context // 2]
        ours = _answer(model, asked)
        if fault := answer_fault(text, ours, llama.answer(asked, _ANSWER_TOKENS)):
            yield fault


def speeds(model: OpenVinoModel, llama: LlamaReference, context: int) -> tuple[Speed, Speed]:
    """Ours and llama.cpp's, each the quicker of two, measured in turns."""
    prompts = [(text, model.tokenizer.encode(text)) for text in _TEXTS]
    ours, theirs = [], []
    for number in range(1, _ROUNDS + 1):
        # Each begins otherwise than all before: what is known of a prompt is not read again.
        prompt = _long(prompts, context, skip=number)
        took = model.timed(prompt, _WRITTEN_TOKENS)
        ours.append(Speed(len(prompt) / took.first_seconds, 1 / took.token_seconds))
        theirs.append(llama.speed(prompt, _WRITTEN_TOKENS))
    return _best(ours), _best(theirs)


def _best(found: list[Speed]) -> Speed:
    return Speed(max(one.reads for one in found), max(one.writes for one in found))


def _long(prompts: list[tuple[str, list[int]]], context: int, skip: int = 0) -> list[int]:
    """All of them again and again, as far as half of the context goes."""
    one = [token for _, ids in prompts for token in ids][skip:]
    size = min(_READ_TOKENS, context // 2)
    return (one * (size // len(one) + 1))[:size]


def _answer(model: OpenVinoModel, prompt: list[int]) -> list[Token]:
    """The likeliest, without the token that ends it, which llama.cpp does not tell."""
    told: list[Token] = []

    def tell(token: Token) -> bool:
        told.append(token)
        return False

    model.answer(Prompt(prompt), Sampling(_ANSWER_TOKENS, 0, 1.0, None, likeliest=0), tell)
    return [token for token in told if token.id not in model.end_tokens]


def main() -> None:
    """Serve one model until standard input ends, if it is as good as llama.cpp's."""
    settings, say = begin()
    context = settings["context_tokens"]
    with llama_reference(settings["reference"]) as llama:
        path = Path(settings["path"])
        model = OpenVinoModel(path, llama.template(), llama.usual(), settings)
        fault = next(faults(model, llama, context), None)
        if fault is None:
            ours, theirs = speeds(model, llama, context)
            fault = speed_fault(ours, theirs)
    if fault is not None:
        say({"unfit": fault})
        return
    with contextlib.suppress(KeyboardInterrupt):
        about = {"about": compared(ours, theirs)}
        asyncio.run(serve(settings, model, lambda line: say({**line, **about})))


if __name__ == "__main__":
    main()
