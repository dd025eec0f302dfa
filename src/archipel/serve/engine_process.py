"""One engine: llama.cpp's server for one model, in a process of its own, where it may crash.

Reads its settings, a line of JSON, from standard input; writes its address, a line of JSON, to
standard output when it is ready; ends when standard input does, so never outlives its parent.
"""

import os
import sys
from typing import Any

import xllamacpp

from archipel.serve.child import begin

_POOLING = {
    "mean": xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN,
    "cls": xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_CLS,
    "last": xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST,
}

_NGRAM_TOKENS, _GUESSED_TOKENS = 8, 8


def parameters(settings: dict[str, Any]) -> xllamacpp.CommonParams:
    """llama.cpp's parameters, with its open defaults (no key, any origin, 8 GiB cache) closed."""
    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["name"]}
    params.api_keys = [settings["api_key"]]
    params.hostnames = [settings["host"]]
    params.n_parallel = settings["parallel"]
    params.n_ctx = settings["context_tokens"] * settings["parallel"]  # shared out among the slots
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.sampling.temp = 0.3  # unless the client says; small models ramble at 0.8
    params.cache_ram_mib = 256
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_metrics = True  # how many streams there are, for who scales
    params.offline = True
    if settings["adapters"]:
        # Its server copies states of the prompt between requests that differ in adapters.
        params.cache_ram_mib = 0
        params.lora_init_without_apply = True  # each request names its own
        params.lora_adapters = [
            xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in settings["adapters"]
        ]
    if settings["projector"]:
        params.mmproj.path = settings["projector"]
    if settings["speculation"]:
        _speculate(params)
    params.verbosity = 1  # errors only: more would write what people ask into the log
    if settings["pooling"]:
        params.embedding = True
        params.pooling_type = _POOLING[settings["pooling"]]
        params.n_batch = params.n_ubatch = settings["context_tokens"]  # a text goes in one piece
    return params


def _speculate(params: xllamacpp.CommonParams) -> None:
    """After tokens that the same text has had before, guess those that came next then; the model
    checks them in one pass (docs/decisions/0018). Nothing is kept from one text to another."""
    kinds = xllamacpp.common_speculative_type
    params.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_MAP_K]
    params.speculative.ngram_map_k.size_n = _NGRAM_TOKENS
    params.speculative.ngram_map_k.size_m = _GUESSED_TOKENS


def main() -> None:
    """Serve one model until standard input ends."""
    settings, say = begin()
    server = xllamacpp.Server(parameters(settings))
    say({"url": server.listening_address})
    sys.stdin.read()
    os._exit(0)  # the server's own end waits for answers that nobody reads any more


if __name__ == "__main__":
    main()
