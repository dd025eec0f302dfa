"""How a model has learnt to fill a gap in a text: the marks around what stands before it and behind
it, as its vocabulary tells ("fill in the middle", Bavarian et al. 2022, arXiv 2207.14255).
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_HEAD_BYTES = 32 << 20  # of a GGUF file: its vocabulary is in there, before the weights
_TOKENIZER_BYTES = 64 << 20

Family = Literal["qwen", "starcoder", "santacoder", "codellama", "deepseek", "codestral"]


@dataclass(frozen=True)
class Marks:
    """The tokens of one family of models, as their vocabularies write them."""

    before: str
    behind: str
    middle: str
    behind_first: bool = False

    def prompt(self, before: str, behind: str) -> str:
        """The text after which the model writes what belongs into the gap."""
        if self.behind_first:
            return f"{self.behind}{behind}{self.before}{before}{self.middle}"
        return f"{self.before}{before}{self.behind}{behind}{self.middle}"

    @property
    def tokens(self) -> list[str]:
        """The marks that there are."""
        return [mark for mark in (self.before, self.behind, self.middle) if mark]


FAMILIES: Mapping[Family, Marks] = {
    "qwen": Marks("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # CodeGemma, Granite, ours
    "starcoder": Marks("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StableCode, Refact
    "santacoder": Marks("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    "codellama": Marks("▁<PRE>", "▁<SUF>", "▁<MID>"),
    "deepseek": Marks("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    "codestral": Marks("[PREFIX]", "[SUFFIX]", "", behind_first=True),
}
_BY_HAND: tuple[Family, ...] = ("codestral",)  # its marks are in vocabularies of chat models too


def find_marks(path: Path) -> Marks | None:
    """The marks that are in the vocabulary of a GGUF file or a checkpoint's folder; None if there
    are none, or there is no such file."""
    if path.is_dir():
        return _in_tokenizer(path / "tokenizer.json")
    return _in_gguf(path) if path.is_file() else None


def _in_gguf(file: Path) -> Marks | None:
    """By the bytes that a token has in a GGUF file's header: its length, then itself."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)

    def has(token: str) -> bool:
        text = token.encode()
        return struct.pack("<Q", len(text)) + text in head

    return next((marks for marks in _told() if all(map(has, marks.tokens))), None)


def _in_tokenizer(file: Path) -> Marks | None:
    if not file.is_file() or file.stat().st_size > _TOKENIZER_BYTES:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        added = {token["content"] for token in found["added_tokens"]}
    except (ValueError, KeyError, TypeError):
        return None
    return next((marks for marks in _told() if added.issuperset(marks.tokens)), None)


def _told() -> list[Marks]:
    return [marks for family, marks in FAMILIES.items() if family not in _BY_HAND]
