"""The processes of one site under torchrun: rank 0 leads, the others do as they are told.

Commands and tokens go over gloo, parameters and gradients over the device's own backend. Knows
nothing about models or runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, distribute_tensor

from archipel.errors import RunError

_PATIENCE = timedelta(minutes=10)  # with a process that is silent in the midst of an operation
_IDLE = timedelta(days=365)  # rank 0 may have no work for as long as the store is away
_COMMAND_WORDS = 5


def pick_device() -> torch.device:
    """The accelerator, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Group:
    """This process among those of its site."""

    device: torch.device
    rank: int = 0
    size: int = 1
    control: dist.ProcessGroup | None = None  # gloo, for commands and tokens

    def tell(self, *words: int) -> None:
        """On rank 0: send a command of up to five whole numbers to the others."""
        if self.rank == 0 and self.size > 1:
            padded = [*words, *[0] * (_COMMAND_WORDS - len(words))]
            dist.broadcast(torch.tensor(padded), src=0, group=self.control)

    def hear(self) -> list[int]:
        """On the others: wait for the next command."""
        words = torch.empty(_COMMAND_WORDS, dtype=torch.int64)
        dist.broadcast(words, src=0, group=self.control)
        return [int(word) for word in words]

    def deal(self, parts: Sequence[torch.Tensor] | None, shape: tuple[int, ...]) -> torch.Tensor:
        """This process's int64 tensor, of this shape, of those that rank 0 has, in host memory."""
        if self.size == 1:
            assert parts is not None
            return parts[0]
        mine = torch.empty(shape, dtype=torch.int64)
        sent = [part.contiguous() for part in parts] if parts else None
        dist.scatter(mine, sent, src=0, group=self.control)
        return mine

    def gather(self, mine: torch.Tensor, sizes: Sequence[int]) -> list[torch.Tensor]:
        """On rank 0, the vectors of all processes, of these sizes; elsewhere nothing."""
        if self.rank:
            _exchange([dist.P2POp(dist.isend, mine, 0)] if len(mine) else [])
            return []
        parts = [mine, *(torch.empty(size, device=self.device) for size in sizes[1:])]
        others = [(rank, part) for rank, part in enumerate(parts) if rank and len(part)]
        _exchange([dist.P2POp(dist.irecv, part, rank) for rank, part in others])
        return parts

    def scatter(self, parts: Sequence[torch.Tensor] | None, size: int) -> torch.Tensor:
        """This process's vector, of this size, of those that rank 0 has."""
        if parts is None:
            mine = torch.empty(size, device=self.device)
            _exchange([dist.P2POp(dist.irecv, mine, 0)] if size else [])
            return mine
        parts = [part.to(self.device) for part in parts]
        others = [(rank, part) for rank, part in enumerate(parts) if rank and len(part)]
        _exchange([dist.P2POp(dist.isend, part, rank) for rank, part in others])
        return parts[0]

    def broadcast(self, vector: torch.Tensor | None, size: int) -> torch.Tensor:
        """The vector, of this size, that rank 0 has."""
        same = torch.empty(size, device=self.device) if vector is None else vector.to(self.device)
        dist.broadcast(same, src=0)
        return same

    def spread(self, whole: torch.Tensor, into: torch.Tensor) -> None:
        """Copy rank 0's whole tensor into every process's own, or into its shard of it."""
        whole = whole.to(self.device)
        if isinstance(into, DTensor):
            whole = distribute_tensor(whole, into.device_mesh, into.placements)
        elif self.size > 1:
            dist.broadcast(whole, src=0)
        into.copy_(whole)

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of all processes' values, in place."""
        if self.size > 1:
            dist.all_reduce(value)
        return value


def _exchange(operations: list[dist.P2POp]) -> None:
    for work in dist.batch_isend_irecv(operations) if operations else ():
        work.wait()


@contextmanager
def peers_needed() -> Iterator[None]:
    """Say it clearly when another process is gone.

    Raises:
        RunError: it has ended, or was silent for too long.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise RunError(
            "another process of this site has ended or does not answer: look for its own message, "
            f"then start the site again ({str(error).partition('. ')[0]})"
        ) from error


@contextmanager
def open_group() -> Iterator[Group]:
    """The group that torchrun started this process in; without torchrun, this process alone.

    Left without an error, rank 0 lets the others go; after an error they hear of its end.
    """
    device = pick_device()
    if not dist.is_torchelastic_launched():
        yield Group(device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", dist.get_node_local_rank())
        torch.cuda.set_device(device)
    backends = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backends, timeout=_PATIENCE)
    control = dist.new_group(backend="gloo", timeout=_IDLE)
    group = Group(device, dist.get_rank(), dist.get_world_size(), control)
    yield group
    group.tell(0)
    dist.destroy_process_group()
