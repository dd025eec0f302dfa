"""What a tuning makes is served: the model, and an adapter beside it under its own name."""

import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from openai import OpenAI

from archipel.tune.adapters import Lora
from archipel.tune.conversations import conversation
from archipel.tune.finetune import TuneOptions, finetune
from archipel.tune.lessons import Material
from tests.serve.conftest import archipel, home
from tests.tune.conftest import FACTS, Write

__all__ = ["archipel", "home"]

OTHERS = dict(zip(FACTS, reversed(FACTS.values()), strict=True))


def test_a_model_and_its_adapter_answer_as_they_learnt(
    archipel: Callable[..., subprocess.Popen[str]], base: Path, write: Write, tmp_path: Path
) -> None:
    def tune(start: Path, answers: dict[str, str], out: str, lora: Lora | None = None) -> Path:
        records = [{"prompt": asked, "response": said} for asked, said in answers.items()]
        data = write(f"{out}.jsonl", records)
        material = Material(data=[data], read=conversation, kind="conversations")
        options = TuneOptions(epochs=100, batch=4, learning_rate=1e-2, held_out=0.0, lora=lora)
        assert finetune(
            start, material, tmp_path / out, options, threading.Event(), lambda progress: None
        )
        return tmp_path / out

    model = tune(base, FACTS, "facts")
    adapter = tune(model, OTHERS, "others", Lora(8, 16))
    settings = tmp_path / "service.toml"
    settings.write_text(
        f'[models.facts]\npath = "{model}"\ncontext = 128\nthreads = 1\nparallel = 1\n'
        f'[models.facts.adapters]\nothers = "{adapter}"\n'
    )
    process = archipel("serve", "--config", settings, "--port", 0)
    assert process.stdout is not None
    line = process.stdout.readline().split()
    assert line, process.communicate()[1]
    with OpenAI(base_url=line[1], api_key="none", max_retries=0, timeout=60) as client:
        for name, expected in (("facts", FACTS), ("others", OTHERS)):
            said = {}
            for asked in expected:
                answer = client.chat.completions.create(
                    model=name,
                    messages=[{"role": "user", "content": asked}],
                    temperature=0,
                    max_tokens=24,
                )
                assert answer.choices[0].finish_reason == "stop"
                said[asked] = answer.choices[0].message.content
            assert said == expected
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
