"""One process of a peer: data-parallel, blocking DiLoCo, or alone. For `benchmarks.wan`.

`python -m benchmarks.race.peer TASK RANK`, with TASK as `benchmarks.race.task` writes it.

`fp16` and `uint8` are the protocol of OpenDiLoCo (arXiv 2407.07852), written for this benchmark:
every H steps all stop, the pseudo-gradients of the whole model are averaged by a reduce-scatter and
an all-gather of compressed pieces, and everybody takes the outer step. `data-parallel` is PyTorch's
DistributedDataParallel. All of it over gloo.
"""

import copy
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel

from archipel.models.precision import autocast
from archipel.train.optimisers import Optimisers
from archipel.train.outer import outer_step
from benchmarks.race.task import Report, Task

_PORT = 29_500
_WARM_STEPS = 3
_SIGMAS = 6.0  # on each side of the mean, what hivemind's uniform 8-bit codes reach

Pack = Callable[[torch.Tensor], torch.Tensor]  # fp32 to bytes
Unpack = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    """Train as the task says."""
    task, rank = Task.read(Path(sys.argv[1])), int(sys.argv[2])
    torch.set_num_threads(1 if task.processes > 1 else 2)
    model = task.model()
    for _ in range(_WARM_STEPS):  # on a copy: first steps are slow
        backward(copy.deepcopy(model), *next(task.batches(rank)))
    if task.processes > 1:
        address = f"tcp://{task.address}:{_PORT}"
        dist.init_process_group("gloo", init_method=address, rank=rank, world_size=task.processes)
        dist.barrier()
    _train(task, rank, model)
    if dist.is_initialized():
        dist.destroy_process_group()


def _train(task: Task, rank: int, model: PreTrainedModel) -> None:
    report = Report(task, rank)
    optimisers = Optimisers(model, task.inner)
    blocking = Blocking(task, model) if task.way in PACKERS else None
    parallel = task.way == "data-parallel" and task.processes > 1
    forward = DistributedDataParallel(model) if parallel else model
    report.await_start()
    for step, (x_BT, y_BT) in enumerate(task.batches(rank), 1):
        backward(forward, x_BT, y_BT)
        torch.nn.utils.clip_grad_norm_(model.parameters(), task.inner.gradient_clip)
        optimisers.step(task.rate(step - 1))
        merged = blocking is None or step % task.sync_steps == 0 or step == task.steps
        if blocking and merged:
            blocking.exchange()
        report.step(step)
        if merged:
            report.keep(step, list(model.parameters()))


def backward(forward: torch.nn.Module, x_BT: torch.Tensor, y_BT: torch.Tensor) -> None:
    """The gradients of a batch, in the precision that Archipel's sites have."""
    with autocast(x_BT.device):
        logits_BTV = forward(input_ids=x_BT, use_cache=False).logits
    cross_entropy(logits_BTV.float().flatten(0, 1), y_BT.flatten()).backward()


class Blocking:
    """The outer loop of blocking DiLoCo."""

    def __init__(self, task: Task, model: PreTrainedModel) -> None:
        self._spec = task.outer
        self._parameters = list(model.parameters())
        self._pack, self._unpack = PACKERS[task.way]
        self._global = self._flat().numpy().copy()
        self._momentum = self._global * 0

    def exchange(self) -> None:
        """Average the pseudo-gradients over the sites and take the outer step."""
        update = torch.from_numpy(self._global) - self._flat()
        mean = mean_over_sites(update, self._pack, self._unpack)
        self._global, self._momentum = outer_step(
            self._spec, self._global, self._momentum, mean.numpy()
        )
        vector = torch.from_numpy(self._global).clone()  # the parameters become views of it
        torch.nn.utils.vector_to_parameters(vector, self._parameters)

    def _flat(self) -> torch.Tensor:
        return torch.nn.utils.parameters_to_vector(self._parameters).detach()


def mean_over_sites(vector: torch.Tensor, pack: Pack, unpack: Unpack) -> torch.Tensor:
    """The mean of every process's fp32 vector, in all of them; what travels is packed."""
    count = dist.get_world_size()
    size = -(-len(vector) // count)
    pieces = torch.nn.functional.pad(vector, (0, count * size - len(vector))).view(count, size)
    sent = torch.stack([pack(piece) for piece in pieces])
    received = torch.empty_like(sent)
    dist.all_to_all_single(received, sent)
    mine = pack(torch.stack([unpack(part) for part in received]).mean(0))
    means = [torch.empty_like(mine) for _ in range(count)]
    dist.all_gather(means, mine)
    return torch.cat([unpack(part) for part in means])[: len(vector)]


def pack_fp16(values: torch.Tensor) -> torch.Tensor:
    """Half precision, as bytes."""
    return values.half().view(torch.uint8)


def unpack_fp16(data: torch.Tensor) -> torch.Tensor:
    """The reverse of `pack_fp16`."""
    return data.view(torch.float16).float()


def pack_uint8(values: torch.Tensor) -> torch.Tensor:
    """A byte a value, in equal steps within six deviations of the mean; these two come first."""
    mean, step = values.mean(), values.std() * (2 * _SIGMAS / 256) + 1e-20
    codes = ((values - mean) / step + 128).round().clamp(0, 255).to(torch.uint8)
    return torch.cat([torch.stack([mean, step]).view(torch.uint8), codes])


def unpack_uint8(data: torch.Tensor) -> torch.Tensor:
    """The reverse of `pack_uint8`."""
    mean, step = data[:8].clone().view(torch.float32).unbind()
    return (data[8:].float() - 128) * step + mean


PACKERS: dict[str, tuple[Pack, Unpack]] = {
    "blocking-fp16": (pack_fp16, unpack_fp16),
    "blocking-uint8": (pack_uint8, unpack_uint8),
}


if __name__ == "__main__":
    main()
