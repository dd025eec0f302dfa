"""The inner optimisers: AdamW for all, or Muon for hidden matrices and AdamW for the rest.

Knows nothing about models' forward passes, processes or sites.
"""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from archipel.ledger import InnerSpec
from archipel.train.muon import Muon


class Optimisers:
    """A model's optimiser or two, stepped as one. Weight decay on matrices only; what asks for no
    gradient stays as it is."""

    def __init__(self, model: PreTrainedModel, spec: InnerSpec) -> None:
        learnt = ((name, p) for name, p in model.named_parameters() if p.requires_grad)
        self._parameters = dict(learnt)
        hidden = _hidden_matrices(model) if spec.optimiser == "muon" else set()
        rest = [p for name, p in self._parameters.items() if name not in hidden]
        groups = [
            {"params": [p for p in rest if p.ndim >= 2], "weight_decay": spec.weight_decay},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ]
        betas = (spec.beta1, spec.beta2)
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=spec.learning_rate, betas=betas, fused=True)
        ]
        if hidden:
            matrices = [p for name, p in self._parameters.items() if name in hidden]
            self._all.append(Muon(matrices, lr=spec.learning_rate, weight_decay=spec.weight_decay))

    def step(self, learning_rate: float) -> None:
        """Move the parameters by their gradients, and clear these."""
        for optimiser in self._all:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state(self) -> dict[str, torch.Tensor]:
        """What is remembered, live, as kind/parameter: empty before the first step."""
        return {
            f"{kind}/{name}": value
            for name, parameter in self._parameters.items()
            for kind, value in self._state_of(parameter).items()
        }

    def reset(self, *, used: bool) -> None:
        """Forget everything; with `used`, then make the state that steps would have made."""
        for optimiser in self._all:
            optimiser.state.clear()
        if used:  # a step that moves nothing
            for parameter in self._parameters.values():
                parameter.grad = torch.zeros_like(parameter)
            self.step(0.0)

    def _state_of(self, parameter: torch.Tensor) -> dict[str, Any]:
        return next((one.state[parameter] for one in self._all if parameter in one.state), {})


def _hidden_matrices(model: PreTrainedModel) -> set[str]:
    """Names of the 2-D weights between the embeddings and the output layer."""
    ends = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    ends += [module for module in (model.get_output_embeddings(),) if module is not None]
    outside = {id(parameter) for module in ends for parameter in module.parameters()}
    return {name for name, p in model.named_parameters() if p.ndim == 2 and id(p) not in outside}
