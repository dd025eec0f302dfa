"""M copies of one small Llama, computed side by side, with their inner optimiser.

The same arithmetic as the Hugging Face model and `archipel.train.optimisers`, in fp32, but every
operation does all copies at once: at these sizes the time goes to operations, not to numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import LlamaConfig, PreTrainedModel

from archipel.ledger import InnerSpec
from archipel.models.checkpoint import new_model

_EMBEDDING = "model.embed_tokens.weight"
_MUON_MOMENTUM = 0.95  # torch.optim.Muon's default


@dataclass(frozen=True)
class Shape:
    """A Llama with tied embeddings."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocab: int
    context: int

    def model(self, seed: int) -> PreTrainedModel:
        """The Hugging Face model, initialised as `archipel run create` does."""
        config = LlamaConfig(
            vocab_size=self.vocab,
            hidden_size=self.hidden,
            intermediate_size=self.feed_forward,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=self.context,
            rms_norm_eps=1e-5,
            initializer_range=self.hidden**-0.5,
            tie_word_embeddings=True,
        )
        return new_model(config, seed)


class Stacked:
    """`flat`, fp32 [M, values]: each row a copy's parameters, tensors in the model's order."""

    def __init__(self, shape: Shape, copies: int, seed: int) -> None:
        self.shape, self.copies = shape, copies
        named = {n: p.detach() for n, p in shape.model(seed).named_parameters()}
        self.shapes = {name: tuple(tensor.shape) for name, tensor in named.items()}
        self.flat = torch.cat([t.reshape(-1) for t in named.values()]).repeat(copies, 1)
        self.grad = torch.zeros_like(self.flat)
        self.parameters: dict[str, torch.Tensor] = {}
        self.spans: dict[str, slice] = {}
        at = 0
        for name, tensor in named.items():
            self.spans[name] = span = slice(at, at + tensor.numel())
            leaf = self.flat[:, span].view(copies, *tensor.shape).detach().requires_grad_()
            leaf.grad = self.grad[:, span].view(copies, *tensor.shape)
            self.parameters[name] = leaf
            at = span.stop


def losses(
    shape: Shape, parameters: Mapping[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Mean loss of each copy, [M], on its own batch: int64 [M, sequences, tokens]."""
    copies, batch, tokens = x.shape
    offsets = torch.arange(copies)[:, None] * shape.vocab
    embedding = parameters[_EMBEDDING]
    h = functional.embedding((x.reshape(copies, -1) + offsets).view(-1), embedding.flatten(0, 1))
    h = h.view(copies, batch * tokens, shape.hidden)
    for layer in range(shape.layers):
        at = f"model.layers.{layer}."
        mine = {name.removeprefix(at): p for name, p in parameters.items() if name.startswith(at)}
        h = h + _attention(shape, mine, _norm(h, mine["input_layernorm.weight"]))
        a = _norm(h, mine["post_attention_layernorm.weight"])
        gate, up = _linear(a, mine["mlp.gate_proj.weight"]), _linear(a, mine["mlp.up_proj.weight"])
        h = h + _linear(functional.silu(gate) * up, mine["mlp.down_proj.weight"])
    logits = _linear(_norm(h, parameters["model.norm.weight"]), embedding)
    each = functional.cross_entropy(logits.flatten(0, 1), y.reshape(-1), reduction="none")
    return each.view(copies, -1).mean(1)


def _norm(h: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-5) * weight[:, None, :]


def _linear(h: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.bmm(h, weight.transpose(1, 2))


def _attention(shape: Shape, parameters: dict[str, torch.Tensor], h: torch.Tensor) -> torch.Tensor:
    width, tokens = shape.hidden // shape.heads, shape.context
    inverse = 1 / 10_000 ** (torch.arange(0, width, 2) / width)
    angles = torch.outer(torch.arange(tokens), inverse).repeat(1, 2)

    def heads(name: str, count: int) -> torch.Tensor:
        flat = _linear(h, parameters[f"self_attn.{name}_proj.weight"])
        return flat.view(-1, tokens, count, width).transpose(1, 2)

    def rotated(q: torch.Tensor) -> torch.Tensor:
        first, second = q.chunk(2, -1)
        return q * angles.cos() + torch.cat([-second, first], -1) * angles.sin()

    repeat = shape.heads // shape.kv_heads
    q, k = rotated(heads("q", shape.heads)), rotated(heads("k", shape.kv_heads))
    k, v = (part.repeat_interleave(repeat, 1) for part in (k, heads("v", shape.kv_heads)))
    found = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return _linear(found.transpose(1, 2).reshape(h.shape), parameters["self_attn.o_proj.weight"])


class StackedOptimiser:
    """AdamW, or Muon for the hidden matrices and AdamW for the rest, of each copy by itself."""

    def __init__(self, model: Stacked, spec: InnerSpec) -> None:
        self._model, self._spec = model, spec
        self._first, self._second = torch.zeros_like(model.flat), torch.zeros_like(model.flat)
        self._steps = 0
        self._decay, self._adamw = torch.zeros(model.flat.shape[1]), torch.ones(model.flat.shape[1])
        self._muon: dict[tuple[int, ...], list[str]] = {}
        for name, shape in model.shapes.items():
            if len(shape) == 2:
                self._decay[model.spans[name]] = spec.weight_decay
                if spec.optimiser == "muon" and name != _EMBEDDING:
                    self._adamw[model.spans[name]] = 0
                    self._muon.setdefault(tuple(sorted(shape)), []).append(name)
        self._momenta: dict[tuple[int, ...], torch.Tensor] = {}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Clip each copy's gradient, take the step, clear the gradients."""
        model, spec = self._model, self._spec
        self._steps += 1
        grad = model.grad
        grad *= torch.clamp(spec.gradient_clip / (grad.norm(dim=1, keepdim=True) + 1e-6), max=1)
        self._first.lerp_(grad, 1 - spec.beta1)
        self._second.mul_(spec.beta2).addcmul_(grad, grad, value=1 - spec.beta2)
        model.flat.mul_(1 - rate * self._decay)
        unbiased = math.sqrt(1 - spec.beta2**self._steps)
        spread = self._second.sqrt().div_(unbiased).add_(1e-8)
        model.flat.sub_(self._first / spread * (self._adamw * rate / (1 - spec.beta1**self._steps)))
        for shape, names in self._muon.items():
            self._muon_step(shape, names, rate)
        grad.zero_()

    def _muon_step(self, shape: tuple[int, ...], names: list[str], rate: float) -> None:
        """torch.optim.Muon with `match_rms_adamw`, on all matrices of one shape at once."""
        wide = [self._wide(self._model.parameters[name].grad) for name in names]
        gradients = torch.stack(wide, 1)
        momentum = self._momenta.setdefault(shape, torch.zeros_like(gradients))
        momentum.lerp_(gradients, 1 - _MUON_MOMENTUM)
        update = gradients.lerp_(momentum, _MUON_MOMENTUM)
        steps = orthogonal(update.flatten(0, 1)).view_as(update)
        for index, name in enumerate(names):
            self._wide(self._model.parameters[name]).sub_(
                steps[:, index], alpha=rate * 0.2 * math.sqrt(max(shape))
            )

    @staticmethod
    def _wide(matrices: torch.Tensor | None) -> torch.Tensor:
        assert matrices is not None
        return matrices if matrices.shape[1] <= matrices.shape[2] else matrices.transpose(1, 2)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Muon's five Newton-Schulz steps on [n, rows, columns], rows ≤ columns."""
    x: torch.Tensor = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        square = torch.bmm(x, x.transpose(1, 2))
        poly = torch.baddbmm(square, square, square, beta=-4.775, alpha=2.0315)
        x = torch.baddbmm(x, poly, x, beta=3.4445)
    return x
