"""The inner optimisers: AdamW for all, or Muon for hidden matrices and AdamW for the rest.

Knows nothing about models' forward passes, processes or sites.
"""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from archipel.ledger import InnerSpec


class Optimisers:
    """A model's optimiser or two, stepped as one. Weight decay on matrices only."""

    def __init__(self, model: PreTrainedModel, spec: InnerSpec) -> None:
        self._parameters = dict(model.named_parameters())
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
            # Scaled to AdamW's usual step size, so that one learning rate serves both
            # (Liu et al., arXiv 2502.16982, section 2.2).
            muon = torch.optim.Muon(
                [self._parameters[name] for name in self._parameters if name in hidden],
                lr=spec.learning_rate,
                weight_decay=spec.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
            self._all.append(muon)

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

    def prepare(self) -> None:
        """Make the state that a first step would make, without moving anything."""
        for parameter in self._parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        self.step(0.0)

    def forget(self) -> None:
        """Go back to how it was before the first step."""
        for optimiser in self._all:
            optimiser.state.clear()

    def _state_of(self, parameter: torch.Tensor) -> dict[str, Any]:
        return next((one.state[parameter] for one in self._all if parameter in one.state), {})


def _hidden_matrices(model: PreTrainedModel) -> set[str]:
    """Names of the 2-D weights between the embeddings and the output layer."""
    ends = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    ends += [module for module in (model.get_output_embeddings(),) if module is not None]
    outside = {id(parameter) for module in ends for parameter in module.parameters()}
    return {name for name, p in model.named_parameters() if p.ndim == 2 and id(p) not in outside}
