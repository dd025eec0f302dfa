"""One process of torchft's DiLoCo, a site each. For `benchmarks.wan`.

`python -m benchmarks.race.torchft_peer TASK RANK`, with TASK as `benchmarks.race.task` writes it,
in the environment that `benchmarks.race.environment` makes.

The pseudo-gradients travel in one bucket: torchft's default of one all-reduce for each parameter
would wait for as many round trips more. A sync that fails ends the process.
"""

import copy
import socket
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torchft import Manager, ProcessGroupGloo
from torchft.local_sgd import DiLoCo
from transformers import PreTrainedModel

from archipel.train.optimisers import Optimisers
from benchmarks.race.peer import backward
from benchmarks.race.task import Report, Task

_TIMEOUT = timedelta(minutes=15)  # of everything: a sync on a slow link takes a minute
_WARM_STEPS = 3


class Inner(torch.optim.Optimizer):
    """Archipel's inner optimisers as one that DiLoCo can hook itself to."""

    def __init__(self, task: Task, model: PreTrainedModel) -> None:
        super().__init__(model.parameters(), {})
        self._optimisers = Optimisers(model, task.inner)

    def step(self, learning_rate: float) -> None:  # type: ignore[override]
        """Take a step; every H steps, DiLoCo's hook then merges the sites."""
        self._optimisers.step(learning_rate)


def main() -> None:
    """Train as the task says."""
    task, rank = Task.read(Path(sys.argv[1])), int(sys.argv[2])
    torch.set_num_threads(1)
    model = task.model()
    for _ in range(_WARM_STEPS):  # on a copy: first steps are slow
        backward(copy.deepcopy(model), *next(task.batches(rank)))
    address = _own_address(task.lighthouse)
    store = TCPStore(address, 0, is_master=True, wait_for_workers=False)
    manager = _manager(task, rank, address, store.port)
    manager.start_quorum()  # connects the sites
    _train(task, rank, model, manager)
    manager.shutdown()


def _own_address(lighthouse: str) -> str:
    """This site's address, as the lighthouse sees it."""
    parts = urlsplit(lighthouse)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((parts.hostname, parts.port))
        return str(probe.getsockname()[0])


def _manager(task: Task, rank: int, address: str, store_port: int) -> Manager:
    """The process's member of the quorum, which needs all sites."""
    return Manager(
        pg=ProcessGroupGloo(timeout=_TIMEOUT),
        load_state_dict=None,
        state_dict=None,
        min_replica_size=task.sites,
        use_async_quorum=False,  # DiLoCo demands it
        timeout=_TIMEOUT,
        quorum_timeout=_TIMEOUT,
        connect_timeout=_TIMEOUT,
        rank=0,
        world_size=1,
        store_addr=address,
        store_port=store_port,
        lighthouse_addr=task.lighthouse,
        replica_id=f"site_{rank}",
        hostname=address,
        init_sync=False,  # all sites begin with the same parameters
        max_retries=0,
    )


def _train(task: Task, rank: int, model: PreTrainedModel, manager: Manager) -> None:
    report = Report(task, rank)
    inner = Inner(task, model)
    outer = torch.optim.SGD(
        model.parameters(),
        lr=task.outer_rate,
        momentum=task.outer_momentum,
        nesterov=task.outer_momentum > 0,
    )
    report.await_start()
    with DiLoCo(manager, [model], inner, outer, task.sync_steps, use_bucketization=True):
        for step, (x_BT, y_BT) in enumerate(task.batches(rank), 1):
            backward(model, x_BT, y_BT)
            torch.nn.utils.clip_grad_norm_(model.parameters(), task.inner.gradient_clip)
            inner.step(task.rate(step - 1))
            report.step(step)
            if step % task.sync_steps == 0:
                report.keep(step, list(model.parameters()))


if __name__ == "__main__":
    main()
