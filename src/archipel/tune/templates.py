"""The chat template that a model is tuned with: its tokenizer's own, or a plain one of ours."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from archipel.corpus.roles import TURN_BEGIN, TURN_END
from archipel.corpus.tokenizer import take_tokenizer
from archipel.errors import ConfigError, ModelError
from archipel.files import write_atomic
from archipel.models.checkpoint import CONTINUE_TEMPLATE

MARKED_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] + ': ' + message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else '\\n\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)


def prepare_tokenizer(
    start: PreTrainedTokenizerBase, source: Path | None, folder: Path, *, use_default: bool
) -> bool:
    """Write to `folder` the tokenizer that the tuned model will have; whether it got our template.

    `source` is the folder that `start` was read from, whose files are then taken as they are. Ours
    is `MARKED_TEMPLATE` where the tokenizer has its two marks, else `PLAIN_TEMPLATE`.

    Raises:
        ModelError: it has no token to end an answer with.
    """
    own = start.chat_template
    replaces = use_default or own is None or own == CONTINUE_TEMPLATE
    for name, data in _files(start, source).items():
        if not (replaces and name in ("chat_template.jinja", "special_tokens_map.json")):
            write_atomic(folder / name, data)
    if replaces:
        _write_settings(folder / "tokenizer_config.json", _ours(start))
    return replaces


def open_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """A tokenizer's folder, as transformers reads it; no code in it is run.

    Raises:
        ModelError: it holds none that can be read.
    """
    try:
        found: Any = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} holds no tokenizer that can be read ({error}). Give a whole checkpoint"
        ) from error
    assert isinstance(found, PreTrainedTokenizerBase)
    return found


def _files(start: PreTrainedTokenizerBase, source: Path | None) -> Mapping[str, bytes]:
    if source is not None and (source / "tokenizer.json").is_file():
        return take_tokenizer(source)
    with tempfile.TemporaryDirectory() as made:
        start.save_pretrained(made)
        return take_tokenizer(Path(made))


def _ours(start: PreTrainedTokenizerBase) -> Mapping[str, object]:
    """What the tokenizer's settings say of the template and of the token that ends an answer."""
    if {TURN_BEGIN, TURN_END} <= set(start.get_added_vocab()):
        return {"chat_template": MARKED_TEMPLATE, "eos_token": TURN_END}
    if start.eos_token is None:
        raise ModelError(
            "the tokenizer has neither a chat template nor a token that ends an answer: set "
            "eos_token in its tokenizer_config.json"
        )
    return {"chat_template": PLAIN_TEMPLATE, "eos_token": str(start.eos_token)}


def _write_settings(path: Path, ours: Mapping[str, object]) -> None:
    try:
        settings = json.loads(path.read_bytes()) if path.exists() else {}
        write_atomic(path, (json.dumps({**settings, **ours}, indent=2) + "\n").encode())
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} is not a tokenizer's settings: {error}") from error
