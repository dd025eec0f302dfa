"""The LiteLLM proxy from PyPI, in its own environment: one worker, no database, one route."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archipel.errors import ConfigError
from benchmarks.network.ports import answers, free_port
from benchmarks.peers.environment import peer_python
from benchmarks.serving.load import Door

_FOLDER = Path("build/litellm")
_VERSION = "1.106.2"
_KEY = "sk-a-key-of-the-benchmark"
_START_SECONDS = 120.0
_SETTINGS = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/m, api_base: "{url}", api_key: none}}
litellm_settings: {{telemetry: false}}
general_settings: {{master_key: {key}}}
"""


@contextmanager
def litellm(folder: Path, url: str) -> Iterator[Door]:
    """Run the proxy before the upstream at `url`; the way in.

    Raises:
        ConfigError: it can't be installed, or does not start.
    """
    python = peer_python(_FOLDER, (f"litellm[proxy]=={_VERSION}",))
    settings = folder / "litellm.yaml"
    settings.write_text(_SETTINGS.format(url=url, key=_KEY))
    port = free_port()
    command = [str(python.with_name("litellm")), "--config", str(settings)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with (folder / "litellm.log").open("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **quiet})
        try:
            end = time.monotonic() + _START_SECONDS
            while not answers(port):
                if process.poll() is not None or time.monotonic() > end:
                    tail = Path(log.name).read_text()[-2000:]
                    raise ConfigError(f"LiteLLM did not start:\n{tail}")
                time.sleep(0.2)
            yield Door(f"http://127.0.0.1:{port}/v1", "chat", _KEY)
        finally:
            process.kill()
            process.wait()
