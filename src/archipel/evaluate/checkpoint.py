"""A Hugging Face checkpoint under measurement: batches of texts through transformers, greedily.

Tokens, the mark before a text, and what is left out of one that is too long are as in
lm-evaluation-harness.
"""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jinja2 import TemplateError
from transformers import AutoTokenizer, GenerationConfig

from archipel.errors import ModelError
from archipel.evaluate.asking import Prompt, Read, Span, Written, until
from archipel.files import sha256_bytes, sha256_file
from archipel.models.checkpoint import end_tokens, load_model

_LOGITS = 1 << 26  # at a time: 256 MiB of them
_NO_CONTEXT_KNOWN = 2048


class _Window(NamedTuple):
    """Tokens that are read, the last `scored` of them as continuations of those before."""

    tokens: list[int]
    scored: int


class Checkpoint:
    """The model in a folder, in fp32, on the GPU if there is one.

    Raises:
        ModelError: the checkpoint can't be loaded.
    """

    reads_together = 64
    writes_together = 16
    workers = 1

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.identity = _digest(folder)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = load_model(folder)
        self._model = model.to(device).eval()
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise ModelError(
                f"can't load the tokenizer in {folder}: {error}. Fetch or export it again"
            ) from error
        config = self._model.config
        self._context_tokens = getattr(config, "max_position_embeddings", _NO_CONTEXT_KNOWN)
        self._ends = end_tokens(self._model, self._tokenizer.eos_token_id)
        begin = self._tokenizer.bos_token_id
        self._begin: int = min(self._ends, default=0) if begin is None else begin

    async def read(self, spans: Sequence[Span]) -> list[Read]:
        """How likely each continuation is."""
        return await asyncio.to_thread(self._read, spans)

    async def write(self, prompts: Sequence[Prompt]) -> list[Written]:
        """What the model writes after each prompt.

        Raises:
            ModelError: it has no template for messages.
        """
        return await asyncio.to_thread(self._write, prompts)

    @torch.no_grad()
    def _read(self, spans: Sequence[Span]) -> list[Read]:
        windows, owners, cut = [], [], []
        for number, span in enumerate(spans):
            before, after = self._encoded(span)
            some = list(_windows(before, after, self._context_tokens))
            windows += some
            owners += [number] * len(some)
            cut.append(bool(span.context) and len(before) + len(after) > self._context_tokens + 1)
        nats, greedy = [0.0] * len(spans), [True] * len(spans)
        for place, logprob, likeliest in self._scores(windows):
            nats[owners[place]] += logprob
            greedy[owners[place]] &= likeliest
        return [Read(*each) for each in zip(nats, greedy, cut, strict=True)]

    def _encoded(self, span: Span) -> tuple[list[int], list[int]]:
        """The tokens before the continuation, at least one, and those of it."""
        if not span.context:
            ids = self._ids(span.continuation, add_special_tokens=False)
            return ([], ids) if ids and ids[0] == self._begin else ([self._begin], ids)
        bare = span.context.rstrip()  # a word's space belongs to its token
        before = self._ids(bare)
        return before, self._ids(span.context + span.continuation)[len(before) :]

    def _ids(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        found = self._tokenizer(text, add_special_tokens=add_special_tokens, verbose=False)
        return list(found["input_ids"])

    def _scores(self, windows: list[_Window]) -> Iterator[tuple[int, float, bool]]:
        """Of each window: its place, the log-probability of what is scored, and whether each token
        of that was the likeliest."""
        order = sorted(range(len(windows)), key=lambda place: -len(windows[place].tokens))
        vocabulary = self._model.config.get_text_config().vocab_size
        while order:
            length = len(windows[order[0]].tokens) - 1
            room = max(1, _LOGITS // (vocabulary * length))
            batch, order = order[:room], order[room:]
            x_BT = torch.zeros(len(batch), length, dtype=torch.long)
            for row, place in enumerate(batch):
                inputs = windows[place].tokens[:-1]
                x_BT[row, : len(inputs)] = torch.tensor(inputs)
            logits_BTV = self._model(
                input_ids=x_BT.to(self._model.device), use_cache=False
            ).logits.float()
            for row, place in enumerate(batch):
                tokens, scored = windows[place]
                end = len(tokens) - 1
                y_S = torch.tensor(tokens[-scored:], device=logits_BTV.device)
                logprobs_SV = torch.log_softmax(logits_BTV[row, end - scored : end], dim=-1)
                logprob = float(logprobs_SV.gather(1, y_S[:, None]).sum())
                yield place, logprob, bool((logprobs_SV.argmax(-1) == y_S).all())

    @torch.no_grad()
    def _write(self, prompts: Sequence[Prompt]) -> list[Written]:
        ids = [self._prompt_ids(prompt) for prompt in prompts]
        room = [
            min(prompt.most_tokens, self._context_tokens - len(some))
            for prompt, some in zip(prompts, ids, strict=True)
        ]
        written = [Written("", too_long=True)] * len(prompts)
        fits = [place for place in range(len(prompts)) if room[place] > 0]
        fits.sort(key=lambda place: (room[place], prompts[place].stops, -len(ids[place])))
        for (most, stops), places in groupby(fits, lambda one: (room[one], prompts[one].stops)):
            batch = list(places)
            texts = self._generate([ids[place] for place in batch], most, stops)
            for place, text in zip(batch, texts, strict=True):
                written[place] = Written(until(text, stops))
        return written

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt.asked, str):
            return self._ids(prompt.asked)
        messages = [{"role": one.role, "content": one.content} for one in prompt.asked]
        try:
            text = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, ValueError, TypeError) as error:
            raise ModelError(
                f"the template of {self.name} does not take these messages: {error}. Choose tasks "
                "that go on with a text, or give its tokenizer a chat template"
            ) from error
        return self._ids(text, add_special_tokens=False)

    def _generate(self, prompts: list[list[int]], most: int, stops: tuple[str, ...]) -> list[str]:
        """Prompts are padded before their beginnings."""
        longest, pad = max(map(len, prompts)), min(self._ends, default=0)
        x_BT = torch.tensor([[pad] * (longest - len(ids)) + ids for ids in prompts])
        mask_BT = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts])
        found_BT = self._model.generate(
            x_BT.to(self._model.device),
            attention_mask=mask_BT.to(self._model.device),
            tokenizer=self._tokenizer,
            generation_config=GenerationConfig(  # a checkpoint's habits are not asked
                max_new_tokens=most,
                do_sample=False,
                eos_token_id=sorted(self._ends) or None,
                pad_token_id=pad,
                stop_strings=list(stops) or None,
            ),
        )
        texts: list[str] = self._tokenizer.batch_decode(
            found_BT[:, longest:], skip_special_tokens=True
        )
        return texts


def _windows(before: list[int], after: list[int], context_tokens: int) -> Iterator[_Window]:
    """A continuation that fits in one window, with what fits of the tokens before it; a longer one
    in several, each token once, with as much before it as fits."""
    tokens, done = before + after, 0
    scored = len(tokens) - max(1, len(before))  # the first token follows nothing
    while done < scored:
        count = min(scored - done, context_tokens)
        end = len(tokens) - scored + done + count
        yield _Window(tokens[max(0, end - context_tokens - 1) : end], count)
        done += count


def _digest(folder: Path) -> str:
    """Of all that decides what the model answers."""
    kinds = (".json", ".jinja", ".safetensors")
    files = sorted(file for file in folder.iterdir() if file.suffix in kinds)
    return sha256_bytes("".join(f"{file.name} {sha256_file(file)}\n" for file in files).encode())
