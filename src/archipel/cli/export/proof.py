"""A checkpoint as a GGUF of one kind, and what that costs: both measured on the same text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archipel.cli.export.text import PlainText, Source, first_token
from archipel.evaluate.text_loss import token_losses
from archipel.evaluate.windows import Rise, compare
from archipel.models.checkpoint import load_model
from archipel.models.gguf_export import export_gguf, tensor_kinds
from archipel.models.sizes import read_config
from archipel.serve.gguf_trial import Figures, trial

_MOST_CONTEXT = 1024
_WINDOW = 256
PLAIN = "f16"  # the kind that others are compared with


@dataclass(frozen=True)
class Measured:
    """One kind of GGUF, and its loss beside the checkpoint's."""

    kind: str
    figures: Figures
    rise: Rise
    tensors: dict[str, int]  # how many are of which type


@dataclass(frozen=True)
class Proof:
    """What was measured, on how many tokens of context, for whom."""

    checkpoint_bytes: int
    context: int
    plain: Measured
    chosen: Measured


async def prove(
    checkpoint: Path,
    file: Path,
    kind: str,
    source: Source | None,
    tokens: int,
    say: Callable[[str], None],
) -> Proof:
    """Write `file`, and measure it beside the plain kind on about so many tokens of `source`, or
    of what the model writes by itself.

    Raises:
        ModelError: the checkpoint can't be read, exported or run.
        ConfigError: the file can't be written.
    """
    config = read_config(checkpoint)
    context = min(_MOST_CONTEXT, config.max_position_embeddings)
    length = min(_WINDOW, context - 1)
    plain_file = file.with_name("plain.gguf")
    say(f"writing {PLAIN}")
    export_gguf(checkpoint, plain_file, PLAIN)
    async with trial(plain_file, context) as running:
        say("taking the text")
        if isinstance(source, PlainText):
            windows = source.windows(length, tokens)
        elif source:
            windows = await running.conversations(source.all, tokens)
        else:
            windows = await running.own_texts(first_token(config), length, tokens)
        say(f"measuring {PLAIN}")
        figures = await running.figures(windows)
    say("measuring the checkpoint")
    losses = token_losses(load_model(checkpoint), windows)
    plain = Measured(PLAIN, figures, compare(losses, figures.losses), tensor_kinds(plain_file))
    if kind == PLAIN:
        plain_file.replace(file)
        chosen = plain
    else:
        plain_file.unlink()
        say(f"writing {kind}")
        export_gguf(checkpoint, file, kind)
        say(f"measuring {kind}")
        async with trial(file, context) as running:
            figures = await running.figures(windows)
        chosen = Measured(kind, figures, compare(losses, figures.losses), tensor_kinds(file))
    weights = sum(path.stat().st_size for path in checkpoint.glob("*.safetensors"))
    return Proof(weights, context, plain, chosen)
