"""A Hugging Face checkpoint answering through transformers' `generate`. Knows nothing about HTTP.

`generate` knows each architecture's own cache. Only the choice of a token is ours: so a seed is one
request's own, and an answer ends within a token.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from archipel.models.checkpoint import end_tokens
from archipel.serve.text_model import Sampling, Token

_NUMBERS_AT_ONCE = 1 << 28  # of a prompt: each of its tokens has one for every token there is
_LOCAL = {"local_files_only": True, "trust_remote_code": False}


class TorchTokenizer:
    """A checkpoint's own tokenizer and template."""

    def __init__(self, folder: Path) -> None:
        self._own: Any = AutoTokenizer.from_pretrained(folder, **_LOCAL)
        self.end_token: int | None = self._own.eos_token_id

    def __len__(self) -> int:
        return len(self._own)

    def encode(self, text: str) -> list[int]:
        return list(self._own(text)["input_ids"])

    def converse(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        try:
            text = self._own.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, TypeError, KeyError) as error:
            raise ValueError(str(error)) from error
        return list(self._own(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: list[int]) -> str:
        return str(self._own.decode(ids, skip_special_tokens=True))

    def shown(self, token: int) -> str:
        return str(self._own.decode([token]))


class TorchModel:
    """One checkpoint, in its own type, on the GPU if there is one; several answers take turns.

    Raises:
        OSError, ValueError: the checkpoint can't be loaded, or wants code of its own.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        torch.set_num_threads(1)  # of the choices; see `steps`
        self.tokenizer = TorchTokenizer(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype="auto", **_LOCAL
        )
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self.context: int | None = getattr(model.config, "max_position_embeddings", None)
        self.end_tokens = end_tokens(self._model, self.tokenizer.end_token)
        self._model.generation_config = GenerationConfig()  # a checkpoint's habits are not asked
        # All steps are one thread's, each answer's in turn: teams of threads would fight for cores.
        steps = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(threads,))
        forward = self._model.forward

        @functools.wraps(forward)
        def in_turn(*args: Any, **kwargs: Any) -> Any:
            return steps.submit(torch.no_grad()(forward), *args, **kwargs).result()

        self._model.forward = in_turn

    def answer(
        self, prompt: Sequence[int], sampling: Sampling, tell: Callable[[Token], bool]
    ) -> None:
        ids = torch.tensor([list(prompt)], device=self._model.device)
        chooser = _Chooser(sampling, tell, self._model.device)
        self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=GenerationConfig(
                max_new_tokens=sampling.max_tokens,
                do_sample=False,
                eos_token_id=sorted(self.end_tokens) or None,
                pad_token_id=min(self.end_tokens, default=0),
            ),
            logits_processor=LogitsProcessorList([chooser]),
            stopping_criteria=StoppingCriteriaList([_Enough(chooser)]),
        )

    def read(self, prompt: Sequence[int], likeliest: int) -> list[Token]:
        """As `LogprobModel.read`."""
        ids = torch.tensor([list(prompt)], device=self._model.device)
        at_once = max(1, _NUMBERS_AT_ONCE // self._model.config.get_text_config().vocab_size)
        tokens = [Token(prompt[0])]
        for first in range(0, len(prompt) - 1, at_once):
            end = min(first + at_once, len(prompt) - 1)
            # No cache: what a Mamba keeps does not do for several further tokens.
            found = self._model(ids[:, :end], use_cache=False, logits_to_keep=end - first)
            rows = zip(prompt[first + 1 : end + 1], found.logits[0], strict=True)
            tokens += [_told(token, row.float(), likeliest) for token, row in rows]
        return tokens


class _Chooser(LogitsProcessor):
    """Chooses the next token and leaves `generate` no other."""

    def __init__(
        self, sampling: Sampling, tell: Callable[[Token], bool], device: torch.device
    ) -> None:
        self._sampling, self._tell = sampling, tell
        self._draw = torch.Generator(device)
        if sampling.seed is None:
            self._draw.seed()
        else:
            self._draw.manual_seed(sampling.seed)
        self.is_enough = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        logits = scores[0].float()
        chosen = _chosen(logits, self._sampling, self._draw)
        self.is_enough = self._tell(_told(chosen, logits, self._sampling.likeliest))
        only = torch.full_like(scores, -torch.inf)
        only[0, chosen] = 0
        return only


class _Enough(StoppingCriteria):
    def __init__(self, chooser: _Chooser) -> None:
        self._chooser = chooser

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.full((1,), self._chooser.is_enough, device=input_ids.device)


def _chosen(logits: torch.Tensor, sampling: Sampling, draw: torch.Generator) -> int:
    if sampling.temperature == 0:
        return int(logits.argmax())
    chances = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        ordered, places = chances.sort(descending=True)
        before = ordered.cumsum(-1) - ordered
        chances = torch.zeros_like(chances).scatter(
            0, places, torch.where(before < sampling.top_p, ordered, 0)
        )
    return int(torch.multinomial(chances, 1, generator=draw))


def _told(chosen: int, logits: torch.Tensor, likeliest: int | None) -> Token:
    if likeliest is None:
        return Token(chosen, None, ())
    logprobs = torch.log_softmax(logits, dim=-1)
    values, ids = logprobs.topk(min(likeliest, len(logprobs)))
    pairs = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return Token(chosen, float(logprobs[chosen]), pairs)
