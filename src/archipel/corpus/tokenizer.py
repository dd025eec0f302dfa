"""The tokenizer: trained or taken over, written as files, and the fastest way to encode with it.

A byte-level BPE with Qwen 2's pre-tokenizer, which llama.cpp knows as `pre=qwen2`.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archipel.corpus.middles import MIDDLE, PREFIX, SUFFIX
from archipel.errors import ConfigError
from archipel.files import read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END_OF_TEXT = "<|endoftext|>"
SPECIAL_TOKENS = [END_OF_TEXT, "<|im_start|>", "<|im_end|>", PREFIX, SUFFIX, MIDDLE]
SMALLEST_VOCABULARY = 256 + len(SPECIAL_TOKENS)
PRE_TOKENIZER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Texts to the ids of all of them in a row, and where in that row each text ends.
Encode = Callable[[list[str]], tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]]

_TAKEN_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)
# `tokenizers` keeps some 150 bytes for each token that it returns.
_CHUNK_TEXTS = 256

log = logging.getLogger(__name__)


def train_tokenizer(
    texts: Sequence[str], vocab_size: int, further: Sequence[str] = ()
) -> dict[str, bytes]:
    """Train a tokenizer, with `further` special tokens, and return its files."""
    special = [*SPECIAL_TOKENS, *further]
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZER), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "additional_special_tokens": special[1:],
        "clean_up_tokenization_spaces": False,
    }
    return {
        "tokenizer.json": (tokenizer.to_str(pretty=True) + "\n").encode(),
        "tokenizer_config.json": (json.dumps(settings, indent=2) + "\n").encode(),
    }


def take_tokenizer(folder: Path) -> dict[str, bytes]:
    """The files of a tokenizer in Hugging Face's form.

    Raises:
        ConfigError: the folder holds no tokenizer.json.
    """
    files = {name: folder / name for name in _TAKEN_FILES}
    taken = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
    if "tokenizer.json" not in taken:
        raise ConfigError(f"{folder} holds no tokenizer.json. Name a Hugging Face tokenizer.")
    return taken


def load_tokenizer(folder: Path) -> "Tokenizer":
    """Open a tokenizer so that text can't forge special tokens: `<|endoftext|>` in it is text.

    Raises:
        ConfigError: the folder holds no tokenizer that `tokenizers` can read.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    read_json(path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # `tokenizers` raises nothing narrower
        raise ConfigError(f"{path} is not a tokenizer: {error}. Name another.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def end_of_text_id(folder: Path, tokenizer: "Tokenizer") -> int:
    """The token that ends a document: the configured `eos_token`, else `<|endoftext|>`.

    Raises:
        ConfigError: the tokenizer has neither.
    """
    path = folder / "tokenizer_config.json"
    settings: dict[str, Any] = read_json(path) if path.exists() else {}
    token = settings.get("eos_token") or END_OF_TEXT
    name = token["content"] if isinstance(token, dict) else token
    found = tokenizer.token_to_id(name)
    if found is None:
        raise ConfigError(f"{folder}: no token {name!r} to end documents. Set eos_token in {path}.")
    return found


def middle_ids(tokenizer: "Tokenizer") -> dict[str, int]:
    """The tokens that mark text rearranged for filling in the middle.

    Raises:
        ConfigError: the tokenizer lacks one.
    """
    ids = {}
    for mark in (PREFIX, SUFFIX, MIDDLE):
        found = tokenizer.token_to_id(mark)
        if found is None:
            raise ConfigError(
                f"the tokenizer has no token {mark!r} to mark a gap with. Leave the text as it is "
                "(--fill-in 0), or have a tokenizer trained."
            )
        ids[mark] = found
    return ids


def vocabulary_size(tokenizer: "Tokenizer") -> int:
    """One more than the highest id, so that every id has its row in a model."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def encoder(folder: Path, sample: Sequence[str]) -> Encode:
    """How to encode many texts: `fastokens` where it agrees with `tokenizers` on `sample`."""
    exact = _encoder_tokenizers(load_tokenizer(folder))
    fast = _encoder_fastokens(folder)
    if fast is not None:
        texts = [text[:2000] for text in sample]
        (ids, ends), (exact_ids, exact_ends) = fast(texts), exact(texts)
        if np.array_equal(ids, exact_ids) and np.array_equal(ends, exact_ends):
            return fast
    log.info("fastokens is missing or differs on this tokenizer: encoding with tokenizers")
    return exact


def _encoder_fastokens(folder: Path) -> Encode | None:
    try:
        import fastokens  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return None
    try:
        fast = fastokens.Tokenizer.from_file(str(folder / "tokenizer.json"))
    except ValueError:  # a kind of tokenizer that it does not know
        return None
    fast.no_truncation()
    fast.no_padding()

    def encode(texts: list[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        ids, offsets = fast.encode_batch_flat(texts, split_special_tokens=True)
        return np.frombuffer(ids, "<u4"), np.frombuffer(offsets, "<i8")[1:]

    return encode


def _encoder_tokenizers(tokenizer: "Tokenizer") -> Encode:
    def encode(texts: list[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        rows = [np.empty(0, np.uint32)]
        for start in range(0, len(texts), _CHUNK_TEXTS):
            chunk = texts[start : start + _CHUNK_TEXTS]
            found = tokenizer.encode_batch_fast(chunk, add_special_tokens=False)
            rows += [np.array(encoding.ids, np.uint32) for encoding in found]
        return np.concatenate(rows), np.cumsum([len(row) for row in rows[1:]], dtype=np.int64)

    return encode
