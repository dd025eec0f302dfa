"""What a checkpoint says of texts, batched, against its logits taken one text at a time."""

import asyncio
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from archipel.chat import Message
from archipel.errors import ModelError
from archipel.evaluate.asking import Prompt, Span
from archipel.evaluate.checkpoint import Checkpoint
from archipel.models.checkpoint import load_model

LONG = "The quick brown fox jumps over the lazy dog; " * 30


@pytest.fixture(scope="module")
def subject(checkpoint: Path) -> Checkpoint:
    return Checkpoint(checkpoint, "tiny")


def _nats(folder: Path, before: str, after: str) -> float:
    """By hand; `before` may be empty: the end token then begins."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), load_model(folder)
    context = tokenizer(before)["input_ids"] if before else [tokenizer.eos_token_id]
    tokens = [*context, *tokenizer(before + after)["input_ids"][len(context) if before else 0 :]]
    with torch.no_grad():
        logprobs = model(torch.tensor([tokens])).logits.log_softmax(-1)[0]
    return sum(float(logprobs[at - 1, tokens[at]]) for at in range(len(context), len(tokens)))


def test_likelihoods_do_not_depend_on_what_is_read_beside(
    subject: Checkpoint, checkpoint: Path
) -> None:
    spans = [
        Span("The quick brown", " fox"),
        Span("", "def add(first):\n    return"),
        Span("a", "b"),
    ]
    reads = asyncio.run(subject.read([*spans, Span("", LONG)]))
    for span, read in zip(spans, reads, strict=False):
        known = _nats(checkpoint, span.context, span.continuation)
        assert read.nats == pytest.approx(known, abs=1e-3)
        assert not read.cut


def test_a_text_longer_than_the_context_is_read_in_windows(subject: Checkpoint) -> None:
    whole, half = asyncio.run(subject.read([Span("", LONG), Span("", LONG[: len(LONG) // 2])]))
    assert whole.nats == pytest.approx(2 * half.nats, rel=0.1)
    assert not whole.cut


def test_a_context_that_is_too_long_is_cut_and_told(subject: Checkpoint) -> None:
    (read,) = asyncio.run(subject.read([Span(LONG, " fox")]))
    assert read.cut


def test_texts_are_continued_as_one_by_one(subject: Checkpoint) -> None:
    prompts = [Prompt("The quick", 12), Prompt("def add(first: int, second", 12), Prompt("L'", 5)]
    together = asyncio.run(subject.write(prompts))
    alone = [asyncio.run(subject.write([prompt]))[0] for prompt in prompts]
    assert together == alone
    first = together[0].text
    stopped = asyncio.run(subject.write([Prompt("The quick", 12, (first[3:5],))]))
    assert stopped[0].text == first[: first.index(first[3:5])]


def test_a_prompt_without_room_for_an_answer_is_told(subject: Checkpoint) -> None:
    written = asyncio.run(subject.write([Prompt(LONG, 10), Prompt("The", 4)]))
    assert [one.too_long for one in written] == [True, False]


def test_messages_need_a_template(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        if file.name != "tokenizer_config.json":
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}'
    )
    prompt = Prompt((Message("user", "The fox"),), 4)
    with pytest.raises(ModelError, match="template"):
        asyncio.run(Checkpoint(tmp_path, "bare").write([prompt]))
