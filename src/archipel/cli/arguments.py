"""Arguments that several verbs share, and how they are read."""

import typer

from archipel.errors import ConfigError

RUN_URL = typer.Argument(help="The run: s3://…, az://…, gs://…, file:///… or a folder.")


def token_count(text: str) -> int:
    """A number of tokens, with an optional k, M or B behind it.

    Raises:
        ConfigError: it is none.
    """
    scale = {"k": 10**3, "m": 10**6, "b": 10**9}.get(text[-1:].lower(), 1)
    digits = text if scale == 1 else text[:-1]
    try:
        count = int(float(digits.replace("_", "")) * scale)
    except (ValueError, OverflowError):
        count = 0
    if count < 1:
        raise ConfigError(f"{text!r} is not a number of tokens: write it as 500k, 80M or 2B")
    return count
