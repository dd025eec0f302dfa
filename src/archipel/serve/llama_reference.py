"""llama.cpp as the service would run it, asked what another engine should answer, and how fast;
and how likely it holds a text that is given."""

import contextlib
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from archipel.errors import ModelError
from archipel.models.sampling import UsualSampling
from archipel.serve.trial import Place, Speed

_LIKELIEST = 20
_FORCED = 1000  # beyond all logits
_SECONDS = 600.0


class LlamaReference:
    """A running engine, by its own API beside OpenAI's.

    Raises:
        httpx.HTTPError: it does not answer, in any of the methods.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def template(self) -> str:
        """The chat template that it uses, its own where the file has none."""
        return str(self._get("/props")["chat_template"])

    def usual(self) -> UsualSampling:
        """How it has tokens chosen where a request does not say."""
        told = self._get("/props")["default_generation_settings"]["params"]
        return UsualSampling.model_validate({**told, "repetition_penalty": told["repeat_penalty"]})

    def encode(self, text: str, *, begins: bool = True) -> list[int]:
        """A text, which may begin one for the model or go on with one."""
        body = {"content": text, "add_special": begins, "parse_special": begins}
        return [int(one) for one in self._post("/tokenize", body)["tokens"]]

    def converse(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Messages in tokens, up to where the answer begins."""
        return self.encode(self._post("/apply-template", {"messages": messages})["prompt"])

    def answer(self, prompt: Sequence[int], tokens: int) -> list[Place]:
        """The likeliest answer, token by token."""
        said = self._complete(prompt, tokens, n_probs=_LIKELIEST, return_tokens=True)
        told = said.get("completion_probabilities", [])
        places: list[Place] = []
        for token in reversed(said["tokens"]):  # what is not told comes before what is
            likely = told.pop()["top_logprobs"] if told and told[-1]["id"] == token else []
            places.insert(0, Place(token, {one["id"]: one["logprob"] for one in likely}))
        return places

    def write(self, start: int, tokens: int, seed: int) -> list[int]:
        """A text of at most so many tokens, drawn as likely as it holds each; `start` is not part
        of what it counts, but of what it gives."""
        free = {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "seed": seed}
        return [start, *self._complete([start], tokens, return_tokens=True, **free)["tokens"]]

    def losses(self, ids: Sequence[int], first: int, slot: int) -> list[float | None]:
        """What each token from number `first` on costs after those before it, in nats; None where
        it does not tell, for the token leaves a character half or ends the text.

        Raises:
            ModelError: it does not take a token that it is to take.
        """
        return [self._loss(ids[:place], ids[place], slot) for place in range(first, len(ids))]

    def _loss(self, before: Sequence[int], token: int, slot: int) -> float | None:
        # It tells the likelihood of what it chose, and that from before the bias.
        forced: dict[str, Any] = {"logit_bias": [[token, _FORCED]], "cache_prompt": True}
        said = self._complete(before, 1, n_probs=1, return_tokens=True, id_slot=slot, **forced)
        if said["tokens"] not in ([token], []):
            raise ModelError(f"llama.cpp chose {said['tokens']} where it was to choose {token}")
        told = said.get("completion_probabilities", [])
        return -float(told[0]["logprob"]) if told else None

    def speed(self, prompt: Sequence[int], tokens: int) -> Speed:
        """As it measures itself."""
        took = self._complete(prompt, tokens, ignore_eos=True)["timings"]
        return Speed(took["prompt_per_second"], took["predicted_per_second"])

    def _complete(self, prompt: Sequence[int], tokens: int, **fields: Any) -> Any:
        asked = {"prompt": list(prompt), "n_predict": tokens, "temperature": 0, **fields}
        return self._post("/completion", {"cache_prompt": False, **asked})

    def _get(self, path: str) -> Any:
        return self._client.get(path).raise_for_status().json()

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._client.post(path, json=body).raise_for_status().json()


@contextlib.contextmanager
def llama_reference(request: Mapping[str, Any]) -> Iterator[LlamaReference]:
    """The engine in a process of its own for the time of the block; `request` as its parent in the
    service would send it."""
    key = secrets.token_urlsafe(32)
    command = [sys.executable, "-m", "archipel.serve.engine_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**request, "api_key": key}).encode() + b"\n")
        process.stdin.flush()
        url = json.loads(process.stdout.readline())["url"]
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(
            base_url=url, headers=headers, timeout=_SECONDS, trust_env=False
        ) as client:
            yield LlamaReference(client)
        process.stdin.close()
