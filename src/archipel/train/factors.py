"""Runs that learn LoRA factors beside a model that stays as it is (Hu et al., arXiv 2106.09685).

Only the factors are a run's parameters, all that its sites exchange. The model's own, its base, are
fetched once and are buffers, which nothing learns, sends or saves.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from archipel import config
from archipel.errors import IntegrityError, ModelError
from archipel.files import sha256_file, write_atomic
from archipel.ledger import Ledger, LoraSpec
from archipel.train.fragments import Fragment
from archipel.tune.lora import Lora

_WHOLE = ".base_layer"  # where PEFT puts what a matrix was


def base_bytes(model: PreTrainedModel) -> bytes:
    """A model's parameters as a base has them: fp32, little-endian, in the order of their names."""
    tensors = {name: p.detach().cpu().numpy() for name, p in model.named_parameters()}
    return _order(model).flatten(tensors).astype("<f4", copy=False).tobytes()


def fetch_base(ledger: Ledger) -> None:
    """Bring the base of a run that learns factors to this machine's cache, if it is not there.

    Raises:
        IntegrityError: it is missing, truncated or altered.
        StoreError: the store can't be reached; called again, it goes on from here.
    """
    lora = ledger.spec.lora
    if lora is None:
        return
    path = _cached(lora)
    if not path.exists() or sha256_file(path) != lora.base.sha256:
        parts = path.with_suffix(".parts")
        write_atomic(path, ledger.base(lora.base, parts))
        shutil.rmtree(parts, ignore_errors=True)


def load_base(model: PreTrainedModel, lora: LoraSpec) -> None:
    """Give a model its base, which `fetch_base` brought.

    Raises:
        IntegrityError: it is not there, or of another model.
    """
    path, order = _cached(lora), _order(model)
    try:
        values = np.fromfile(path, "<f4")
        tensors = order.unflatten(values)
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{path} can't be used as the run's base: {error}. Remove it and join again"
        ) from error
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(tensors[name]))


def put_factors(model: PreTrainedModel, lora: Lora, seed: int) -> None:
    """Put factors beside all of a model's matrices but the output's, which change nothing yet. What
    were its parameters are buffers then.

    Raises:
        ModelError: PEFT does not know where to put factors in this architecture.
    """
    from peft import inject_adapter_in_model

    from archipel.tune.adapters import peft_config

    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            inject_adapter_in_model(peft_config(lora), model)
    except ValueError as error:
        raise ModelError(
            f"no LoRA for this architecture ({error}): learn it whole, without --lora"
        ) from error
    buffers: dict[int, torch.Tensor] = {}  # tied matrices stay one
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if not parameter.requires_grad:
                delattr(module, name)
                values = buffers.setdefault(id(parameter), parameter.detach())
                module.register_buffer(name, values, persistent=False)


def worked_in(
    model: PreTrainedModel, factors: Mapping[str, np.ndarray], names: Iterable[str]
) -> dict[str, np.ndarray]:
    """The parameters of a model with factors beside them as they are with these worked in, by the
    `names` that they have without any. The model is of no more use then."""
    from peft.tuners.lora import LoraLayer

    state = {name: torch.from_numpy(value) for name, value in factors.items()}
    model.load_state_dict(state, strict=False)
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.merge()
    found = {name.replace(_WHOLE, ""): value for name, value in model.named_buffers()}
    return {name: found[name].numpy() for name in names}


def _order(model: PreTrainedModel) -> Fragment:
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    return Fragment(dict(sorted(shapes.items())))


def _cached(lora: LoraSpec) -> Path:
    return config.home() / "cache" / "bases" / lora.base.sha256
