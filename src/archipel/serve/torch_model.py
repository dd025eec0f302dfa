"""A Hugging Face checkpoint answering through transformers' `generate`. Knows nothing about HTTP.

`generate` knows each architecture's own cache. Only the choice of a token is ours: so a seed is one
request's own, and an answer ends within a token.
"""

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    BatchFeature,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from archipel.models.checkpoint import end_tokens
from archipel.models.sampling import usual_sampling
from archipel.serve.text_model import Prompt, Sampling, Token

_NUMBERS_AT_ONCE = 1 << 28  # of a prompt: each of its tokens has one for every token there is
LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}


class TorchTokenizer:
    """A checkpoint's own tokenizer and template."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self.end_token: int | None = own.eos_token_id

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
        ModelError: what it says of choosing tokens can't be.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        torch.set_num_threads(1)  # of the choices; see `_Steps`
        self.tokenizer = self._reader(folder)
        kind = self._kind(folder)
        model: Any = kind.from_pretrained(folder, use_safetensors=True, dtype="auto", **LOCAL)
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        text_config = self._model.config.get_text_config()
        self.context: int | None = getattr(text_config, "max_position_embeddings", None)
        self.end_tokens = end_tokens(self._model, self.tokenizer.end_token)
        self.usual = usual_sampling(folder)
        self._model.generation_config = GenerationConfig()  # each request has its own
        steps = _Steps(threads)
        self._model.forward = steps.in_turn(self._model.forward)
        base = self._model.base_model
        if hasattr(base, "get_image_features"):  # `generate` begins with it, before any step
            base.get_image_features = steps.in_turn(base.get_image_features)

    def _reader(self, folder: Path) -> TorchTokenizer:
        return TorchTokenizer(AutoTokenizer.from_pretrained(folder, **LOCAL))

    def _kind(self, folder: Path) -> Any:
        """What loads it. Some that could see are loaded whole only."""
        config = AutoConfig.from_pretrained(folder, **LOCAL)
        if hasattr(config, "vision_config") and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
            return AutoModelForImageTextToText
        return AutoModelForCausalLM

    def answer(self, prompt: Prompt, sampling: Sampling, tell: Callable[[Token], bool]) -> None:
        ids = torch.tensor([list(prompt.ids)], device=self._model.device)
        seen = BatchFeature(dict(prompt.seen)).to(self._model.device, self._model.dtype)
        chooser = _Chooser(sampling, tell, self._model.device)
        self._model.generate(
            ids,
            **{"attention_mask": torch.ones_like(ids), **seen},
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


class _Steps:
    """One thread for all that is computed, each answer's in turn: teams of threads would fight for
    cores."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(1, initializer=self._begin, initargs=(threads,))
        self._thread = 0

    def _begin(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self._thread = threading.get_ident()

    def in_turn(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """It, done in that thread."""
        computes = torch.no_grad()(function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == self._thread:  # a part of what it does already
                return computes(*args, **kwargs)
            return self._pool.submit(computes, *args, **kwargs).result()

        return call


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
        self._warpers = LogitsProcessorList(_warpers(sampling))
        self.is_enough = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        logits = scores[0].float()
        ids: Any = input_ids  # torch.LongTensor, which no tensor is for the type checker
        chosen = self._chosen(self._warpers(ids, logits[None])[0])
        self.is_enough = self._tell(_told(chosen, logits, self._sampling.likeliest))
        only = torch.full_like(scores, -torch.inf)
        only[0, chosen] = 0
        return only

    def _chosen(self, logits: torch.Tensor) -> int:
        if self._sampling.temperature == 0:
            return int(logits.argmax())
        chances = torch.softmax(logits, dim=-1)
        return int(torch.multinomial(chances, 1, generator=self._draw))


class _Enough(StoppingCriteria):
    def __init__(self, chooser: _Chooser) -> None:
        self._chooser = chooser

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.full((1,), self._chooser.is_enough, device=input_ids.device)


def _warpers(sampling: Sampling) -> Iterator[LogitsProcessor]:
    if sampling.repetition_penalty != 1:
        yield RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)
    if sampling.temperature == 0:
        return
    yield TemperatureLogitsWarper(sampling.temperature)
    if sampling.top_k > 0:
        yield TopKLogitsWarper(sampling.top_k)
    if sampling.top_p < 1:
        yield TopPLogitsWarper(sampling.top_p)
    if sampling.min_p > 0:
        yield MinPLogitsWarper(sampling.min_p)


def _told(chosen: int, logits: torch.Tensor, likeliest: int | None) -> Token:
    if likeliest is None:
        return Token(chosen, None, ())
    logprobs = torch.log_softmax(logits, dim=-1)
    values, ids = logprobs.topk(min(likeliest, len(logprobs)))
    pairs = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return Token(chosen, float(logprobs[chosen]), pairs)
