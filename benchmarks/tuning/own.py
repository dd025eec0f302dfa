"""`archipel finetune` without its command line: `python -m benchmarks.tuning.own TASK`.

TASK is the JSON that `benchmarks.tuning.contest` writes.
"""

import sys
import threading
import time
from pathlib import Path

import torch

from archipel.files import read_json, write_json
from archipel.tune.conversations import conversation
from archipel.tune.finetune import TuneOptions, finetune
from archipel.tune.lessons import Material
from archipel.tune.training import Progress


class _Clocks(threading.Event):
    """Never set; it is asked before each step and told after each: so it knows both ends."""

    def __init__(self) -> None:
        super().__init__()
        self._began: tuple[float, float] | None = None
        self.cpu_seconds = self.seconds = 0.0

    def is_set(self) -> bool:
        self._began = self._began or (time.process_time(), time.monotonic())
        return super().is_set()

    def tell(self, _: Progress) -> None:
        """A step is done."""
        assert self._began is not None
        self.cpu_seconds = time.process_time() - self._began[0]
        self.seconds = time.monotonic() - self._began[1]


def main() -> None:
    """Train as the task says, and write what came of it."""
    task = read_json(Path(sys.argv[1]))
    torch.set_num_threads(1)
    options = TuneOptions(
        epochs=task["epochs"],
        batch=task["batch"],
        learning_rate=task["rate"],
        context=task["context"],
        held_out=0.0,
    )
    material = Material(data=[Path(task["data"])], read=conversation, kind="conversations")
    clocks = _Clocks()
    where = (Path(task["model"]), material, Path(task["out"]))
    tuned = finetune(*where, options, clocks, clocks.tell)
    assert tuned is not None
    found = {"cpu_seconds": clocks.cpu_seconds, "seconds": clocks.seconds}
    write_json(Path(task["figures"]), {**found, "tokens": tuned.course.tokens})


if __name__ == "__main__":
    main()
