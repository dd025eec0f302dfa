"""A model laid out over a site's processes: whole on each (DDP), or cut into shards (FSDP2).

Knows nothing about optimisers or runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel

from archipel.train.group import Group


@dataclass(frozen=True)
class InsideOptions:
    """How a site lays out its own work. It changes speed and memory, and results by rounding only.

    `micro_batch` is how many sequences a process takes in one forward pass (None: all of its own).
    `precision` is that of matrix products, bf16 or fp32 (None: the one that is fast on all of the
    site's devices); parameters are always fp32.
    """

    micro_batch: int | None = None
    checkpoint_activations: bool = False
    compile: bool = False
    sharding: Literal["ddp", "fsdp"] = "ddp"
    precision: torch.dtype | None = None


def lay_out(model: PreTrainedModel, options: InsideOptions, group: Group) -> Any:
    """Put the model where it trains, in place; what to call for a forward pass.

    Parameters keep their names, and with FSDP2 become DTensors cut by rows.
    """
    layers = _layers(model)
    if options.checkpoint_activations:
        model.activation_checkpointing_enable({"use_reentrant": False})
    if options.compile:
        for layer in layers:  # one by one: compiled once, used for all
            layer.compile()
    if group.size > 1 and options.sharding == "fsdp":
        return _shard(model, layers, options, group)
    nn.Module.to(model, group.device)  # transformers hides this method's types
    if group.size > 1:
        return DistributedDataParallel(
            model, forward_sync_buffers=False, gradient_as_bucket_view=True
        )
    return model


def _shard(
    model: PreTrainedModel, layers: Iterable[nn.Module], options: InsideOptions, group: Group
) -> PreTrainedModel:
    mesh = init_device_mesh(group.device.type, (group.size,))
    policy = MixedPrecisionPolicy(param_dtype=options.precision, reduce_dtype=torch.float32)
    for module in (*layers, model):  # each moves itself to the device when its turn comes
        fully_shard(module, mesh=mesh, mp_policy=policy)
    return model


def _layers(model: PreTrainedModel) -> list[nn.Module]:
    """The decoder's layers: of the model's lists of modules, the one with the most parameters."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    sizes = [sum(p.numel() for p in one.parameters()) for one in lists]
    return list(lists[sizes.index(max(sizes))]) if lists else []
