"""Run as a child process: the texts on standard input (a JSON list) as llama.cpp's tokens.

Apart, because llama.cpp may end the process on a file that it does not like.
"""

import json
import secrets
import sys

import httpx
import xllamacpp


def main() -> None:
    """Load the GGUF file named on the command line and print a JSON list of token lists."""
    key = secrets.token_hex()
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.api_keys = [key]
    params.n_ctx = 64
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    params.warmup = params.fit_params = params.ui = False
    server = xllamacpp.Server(params)
    with httpx.Client(
        base_url=server.listening_address,
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
        trust_env=False,
    ) as client:
        texts = json.load(sys.stdin)
        replies = [client.post("/tokenize", json={"content": text}) for text in texts]
    json.dump([reply.raise_for_status().json()["tokens"] for reply in replies], sys.stdout)


if __name__ == "__main__":
    main()
