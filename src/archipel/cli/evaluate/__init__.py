"""`archipel eval`: a model's figures on public tasks, compared and gated."""

from archipel.cli.evaluate.verb import evaluate

__all__ = ["evaluate"]
