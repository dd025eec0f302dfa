"""The outer optimiser: SGD with Nesterov momentum on the averaged pseudo-gradient, in NumPy.

Element-wise fp32 operations in a fixed order: the same bits on every CPU.
"""

import numpy as np

from archipel.ledger import OuterSpec
from archipel.train.fragments import Vector


def outer_step(
    spec: OuterSpec, parameters: Vector, momentum: Vector, pseudo_gradient: Vector
) -> tuple[Vector, Vector]:
    """New parameters and momentum; the arguments are left as they are.

    As in DiLoCo (arXiv 2311.08105), with PyTorch's form of Nesterov momentum:
    m ← μ m + d, θ ← θ − lr (d + μ m).
    """
    mu, rate = np.float32(spec.momentum), np.float32(spec.learning_rate)
    momentum = mu * momentum
    momentum += pseudo_gradient
    step = mu * momentum
    step += pseudo_gradient
    step *= rate
    return parameters - step, momentum
