"""The text that an export is measured on, in tokens."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedConfig

from archipel.errors import ConfigError, ModelError
from archipel.evaluate.text_loss import cut_windows

_MOST_BYTES = 16 << 20
_FEWEST_TOKENS = 64


def text_windows(file: Path, folder: Path, length: int, tokens: int) -> list[list[int]]:
    """About `tokens` of the file by the tokenizer in `folder`, in windows of `length`; each begins
    as the tokenizer begins a text.

    Raises:
        ConfigError: the file can't be read, is not text, or has too much or too little of it.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{file} has more than {_MOST_BYTES >> 20} MiB: give a part of it")
        text = file.read_bytes().decode()  # the ends of its lines are text too
    except OSError as error:
        raise ConfigError(f"can't read {file}: {error.strerror}. Check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not text in UTF-8 ({error}): give plain text") from error
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    if len(ids) < _FEWEST_TOKENS:
        raise ConfigError(
            f"{file} has {len(ids)} tokens only: give a text of {_FEWEST_TOKENS} at least, better "
            f"{tokens:,}"
        )
    start = _put_before(tokenizer)
    return [start + window for window in cut_windows(ids, length - len(start), tokens)]


def first_token(config: PreTrainedConfig) -> int:
    """The token after which a model begins to write.

    Raises:
        ModelError: its configuration names none.
    """
    end = config.eos_token_id
    ends: Sequence[int | None] = end if isinstance(end, list) else [end]
    first = ends[0] if config.bos_token_id is None else config.bos_token_id
    if first is None:
        raise ModelError(
            "config.json names no token with which a text begins or ends: add eos_token_id, or "
            "give a text with --text FILE"
        )
    return first


def _put_before(tokenizer: Tokenizer) -> list[int]:
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a").ids
    return [int(one) for one in full[: full.index(bare[0])]] if bare else []
