"""Fragments, the outer step: arithmetic that every site must share."""

import numpy as np
import pytest
import torch
from torch import nn

from archipel.errors import ConfigError
from archipel.ledger import OuterSpec
from archipel.train.fragments import ModelFragments, Vector, assemble, split
from archipel.train.outer import outer_step

SHAPES = {f"layers.{n}.{name}": (8, size) for n in range(6) for name, size in (("q", 4), ("m", 12))}


def numbers(count: int, seed: int = 0) -> Vector:
    return np.random.default_rng(seed).standard_normal(count, np.float32)


def test_fragments_hold_every_parameter_once_and_are_balanced() -> None:
    fragments = split({**SHAPES, "embed": (10, 10)}, 3)
    names = [name for fragment in fragments for name in fragment.shapes]
    assert sorted(names) == sorted([*SHAPES, "embed"])
    sizes = [fragment.values for fragment in fragments]
    assert max(sizes) <= 1.2 * min(sizes)


def test_a_tensor_larger_than_a_fragment_is_cut_by_rows() -> None:
    tensors = {"embed": numbers(5000).reshape(100, 50), "q": numbers(200).reshape(8, 25)}
    parts = split({name: tensor.shape for name, tensor in tensors.items()}, 4)
    sizes = [part.values for part in parts]
    assert sum(sizes) == 5200
    assert max(sizes) <= 1.2 * min(sizes)
    again = assemble(parts, [part.flatten(tensors) for part in parts])
    assert all(np.array_equal(again[name], tensors[name]) for name in tensors)


def test_more_fragments_than_the_model_can_fill_is_refused() -> None:
    with pytest.raises(ConfigError, match="97 fragments"):
        split(SHAPES, 97)


def test_flatten_and_unflatten_are_inverse() -> None:
    tensors = {
        name: numbers(8 * shape[1], i).reshape(shape)
        for i, (name, shape) in enumerate(SHAPES.items())
    }
    for fragment in split(SHAPES, 3):
        again = fragment.unflatten(fragment.flatten(tensors))
        assert all(np.array_equal(again[name], tensors[name]) for name in fragment.shapes)


def test_a_live_model_is_captured_and_corrected_by_fragment() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))
    parts = split({name: tuple(p.shape) for name, p in model.named_parameters()}, 2)
    live = ModelFragments(model, parts)
    before = [live.capture(0), live.capture(1)]
    change = numbers(parts[1].values)
    live.add(1, change)
    assert np.array_equal(live.capture(0), before[0])
    assert np.allclose(live.capture(1), before[1] + change)


def test_the_outer_step_is_pytorchs_nesterov() -> None:
    parameter = nn.Parameter(torch.from_numpy(numbers(100)))
    peer = torch.optim.SGD([parameter], lr=0.7, momentum=0.9, nesterov=True)
    spec = OuterSpec(learning_rate=0.7, momentum=0.9)
    ours, momentum = numbers(100), np.zeros(100, np.float32)
    for seed in range(5):
        gradient = numbers(100, seed + 1)
        parameter.grad = torch.from_numpy(gradient.copy())
        peer.step()
        ours, momentum = outer_step(spec, ours, momentum, gradient)
    assert np.allclose(ours, parameter.detach().numpy(), rtol=1e-5, atol=1e-6)
