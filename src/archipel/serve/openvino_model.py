"""A model by OpenVINO GenAI; its answers share its steps. Knows nothing about HTTP.

One thread alone touches the pipeline: a step keeps Python's lock while it computes.
"""

import os
import queue
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_genai

from archipel.models.sampling import UsualSampling
from archipel.serve.text_model import Prompt, Sampling, Token

_BLOCK_TOKENS = 32  # of its cache of keys and values, on a CPU
_STEP_TOKENS = 512  # of prompts that one step reads: others wait for it
_GGUF_TEXT_TOKENS = 8192  # a tokenizer made from a GGUF file cuts longer texts, and does not say so
# Beside the end token that a file names; as llama.cpp has them.
_ENDS = (
    *(b"<|im_end|>", b"<|endoftext|>", b"<|eot_id|>", b"<|eom_id|>", b"<|end_of_text|>"),
    *(b"<|end|>", b"</s>"),
)


class OpenVinoTokenizer:
    """The pipeline's own, with a template that llama.cpp has for the same model."""

    def __init__(self, own: Any, template: str | None) -> None:
        self._own = own
        if template:
            own.set_chat_template(template)
        self.numbers: Mapping[bytes, int] = own.get_vocab()
        self._texts: dict[int, bytes] = {number: text for text, number in self.numbers.items()}
        each = [[number] for number in self._texts]
        shown, unmarked = (own.decode(each, skip_special_tokens=skip) for skip in (False, True))
        self._marks = {
            number
            for [number], whole, bare in zip(each, shown, unmarked, strict=True)
            if whole and not bare
        }

    def __len__(self) -> int:
        return len(self.numbers)

    def encode(self, text: str) -> list[int]:
        return self._numbers(text, special=True)

    def converse(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        try:
            text = self._own.apply_chat_template(list(messages), add_generation_prompt=True)
        except RuntimeError as error:
            raise ValueError(str(error).strip().splitlines()[-1]) from error
        return self._numbers(text, special=False)

    def decode(self, ids: list[int]) -> str:
        # Its own takes 0.1 ms, and loses what is no whole character.
        texts = (self._texts.get(number, b"") for number in ids if number not in self._marks)
        return str(b"".join(texts), errors="replace")

    def shown(self, token: int) -> str:
        return str(self._texts.get(token, b""), errors="replace")

    def _numbers(self, text: str, *, special: bool) -> list[int]:
        if not text:
            return []
        found = self._own.encode(text, add_special_tokens=special).input_ids.data
        return [int(one) for one in found[0]]


@dataclass
class _Asking:
    """One answer on its way from the pipeline's thread."""

    prompt: list[int]
    how: Any
    told: "queue.SimpleQueue[Token | None]" = field(default_factory=queue.SimpleQueue)
    is_left: bool = False
    handle: Any = None


@dataclass(frozen=True)
class Timed:
    """Seconds until the first token of an answer, and for each further one."""

    first_seconds: float
    token_seconds: float


class OpenVinoModel:
    """A GGUF file, or a folder that holds the model as OpenVINO's own graph, on the CPU.

    Raises:
        RuntimeError: OpenVINO can't load it.
    """

    def __init__(
        self, path: Path, template: str | None, usual: UsualSampling, settings: Mapping[str, Any]
    ) -> None:
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_seqs = settings["parallel"]
        scheduler.max_num_batched_tokens = _STEP_TOKENS
        blocks = -(-settings["context_tokens"] // _BLOCK_TOKENS)
        scheduler.num_kv_blocks = (blocks + 1) * settings["parallel"]
        scheduler.enable_prefix_caching = True
        numerics = {
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f16",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
        }
        threads = {"INFERENCE_NUM_THREADS": settings["threads"], "ENABLE_CPU_PINNING": False}
        self._pipeline: Any = openvino_genai.ContinuousBatchingPipeline(
            str(path), scheduler, "CPU", {**numerics, **threads}
        )
        own = self._pipeline.get_tokenizer()
        self.tokenizer = OpenVinoTokenizer(own, template)
        self.usual = usual
        self.context = _GGUF_TEXT_TOKENS if path.is_file() else None
        known = {self.tokenizer.numbers[end] for end in _ENDS if end in self.tokenizer.numbers}
        self.end_tokens = frozenset(known | {int(own.get_eos_token_id())})
        self._asked: queue.SimpleQueue[_Asking] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def answer(self, prompt: Prompt, sampling: Sampling, tell: Callable[[Token], bool]) -> None:
        self._ask(prompt.ids, _how(sampling, self.end_tokens), tell)

    def timed(self, prompt: Sequence[int], tokens: int) -> Timed:
        """How quickly it goes on after a prompt, for two tokens or more, whatever they are."""
        how = _how(Sampling(tokens, 0, 1.0, None), frozenset())
        how.ignore_eos = True
        times = [time.perf_counter()]

        def tell(token: Token) -> bool:
            times.append(time.perf_counter())
            return len(times) > tokens

        self._ask(prompt, how, tell)
        return Timed(times[1] - times[0], (times[-1] - times[1]) / (len(times) - 2))

    def _ask(self, prompt: Sequence[int], how: Any, tell: Callable[[Token], bool]) -> None:
        asking = _Asking(list(prompt), how)
        self._asked.put(asking)
        try:
            for token in iter(asking.told.get, None):
                if tell(token):
                    return
        finally:
            asking.is_left = True

    def _serve(self) -> None:
        """Step after step while anybody asks. A pipeline that failed is of no use any more: the
        process ends, and its parent starts another."""
        under_way: list[_Asking] = []
        try:
            for number in range(1 << 62):
                under_way += self._begun(number, waits=not under_way)
                self._pipeline.step()
                under_way = [asking for asking in under_way if _passed_on(asking)]
        except Exception:  # noqa: BLE001 (the thread's end)
            traceback.print_exc()
            os._exit(1)

    def _begun(self, number: int, *, waits: bool) -> list[_Asking]:
        """Those who have asked meanwhile; waits for one if there is nothing else to do."""
        found: list[_Asking] = []
        waits = waits and not self._pipeline.has_non_finished_requests()
        while waits or not self._asked.empty():
            asking = self._asked.get()
            ids = openvino.Tensor(np.array([asking.prompt], dtype=np.int64))
            asking.handle = self._pipeline.add_request(number << 16 | len(found), ids, asking.how)
            found.append(asking)
            waits = False
        return found


def _passed_on(asking: _Asking) -> bool:
    """Whether there will be more."""
    if asking.is_left:
        asking.handle.stop()
        return False
    is_running: bool = asking.handle.get_status() == openvino_genai.GenerationStatus.RUNNING
    while asking.handle.can_read():
        for output in asking.handle.read().values():
            pairs = zip(output.generated_ids, output.generated_log_probs, strict=True)
            for token, logprob in pairs:
                told = float(logprob) if asking.how.logprobs else None
                asking.told.put(Token(int(token), told))
    if not is_running:
        asking.told.put(None)
    return is_running


def _how(sampling: Sampling, ends: frozenset[int]) -> Any:
    how = openvino_genai.GenerationConfig()
    how.max_new_tokens = sampling.max_tokens
    how.stop_token_ids = set(ends)
    how.logprobs = 0 if sampling.likeliest is None else 1
    how.repetition_penalty = sampling.repetition_penalty
    how.do_sample = sampling.temperature > 0
    if how.do_sample:
        how.temperature, how.top_p = sampling.temperature, sampling.top_p
        how.min_p = sampling.min_p
        if sampling.top_k > 0:
            how.top_k = sampling.top_k
        seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
        how.rng_seed = seed % (1 << 32)
    return how
