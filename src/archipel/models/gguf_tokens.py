"""The tokenizer inside a GGUF file, and the proof that llama.cpp uses it as `tokenizers` does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
from gguf import TokenType
from tokenizers import Tokenizer
from transformers import PreTrainedConfig

from archipel.errors import ModelError, UnsupportedModel
from archipel.files import read_json

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# llama.cpp knows how to split text by name only: the name for each expression.
_PRE_BY_SPLIT = {
    _WORDS + r"\p{N}" + _REST: "qwen2",
    _WORDS + r"\p{N}{1,3}" + _REST: "llama-bpe",
}
_CHECK_SECONDS = 300

# Text on which tokenizers that only look alike differ.
SAMPLES = (
    "Hello, world! It's the 21st of March; we'll see, don't you'd say? I'VE SAID SO.",
    "def area(radius_m: float) -> float:\n    return 3.14159 * radius_m ** 2  # m²\n",
    "for (int i = 0; i < 10_000; ++i) {\r\n\tx[i] += 0xFF;\r\n}\r\n\r\n",
    "L'été, où les élèves lisaient « Les Misérables » à l'ombre : 1 234,56 €.",
    "Cafe\u0301 nai\u0308ve A\u030angstro\u0308m",
    "世界你好。日本語のテキスト、한국어 문장입니다.",
    "שלום עולם مرحبا بالعالم Здравствуй, мир Γειά σου Κόσμε नमस्ते दुनिया",
    "🙂🎉👩‍👩‍👧‍👦🇫🇷 ok👍🏽 ∑∫√≠ ½ ² ① Ⅷ",
    "  two  three   four    \t\ttabs\t \n\n\n newlines \n \n end   ",
    "a\u00a0b\u2003c\u3000d\u200be\ufefff\u2028g\u0085h\x0bi",
    "0 00 007 12345678901234567890 3.14e-10 1,000,000 ٣٤٥ १२३",
    "<|endoftext|> <|im_start|>user\n</s> <s> [INST] <unk> {{ x }} <|end",
    "https://example.org/a?b=c&d=%20e#f someone@example.org C:\\Temp\\x.txt ~/.bashrc",
    "SELECT * FROM t WHERE a<>'b'; -- ???!!! ... === --- ___ @@ $$ %% ^^ && ((((",
    "x" * 70 + " " * 40 + "é" * 20 + "\n" * 9,
    "\x00\x01\x7f � 'S 'sx ''ll \"'T\" ſ's K",
    " ",
    "\n",
    "",
)


def write_tokenizer(writer: gguf.GGUFWriter, folder: Path, config: PreTrainedConfig) -> None:
    """Copy a checkpoint's tokenizer and chat template into `writer`.

    Raises:
        UnsupportedModel: llama.cpp has no equal of this tokenizer.
        ModelError: its files are not sound.
    """
    path = folder / "tokenizer.json"
    content = read_json(path)
    if content["model"]["type"] != "BPE":
        raise UnsupportedModel(f"{path} is not byte-level BPE, the only kind that can be exported")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pre_tokenizer(content["pre_tokenizer"], path))
    texts, types = _tokens(content, config.vocab_size, path)
    writer.add_token_list(texts)
    writer.add_token_types(types)
    merges = content["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    _write_special_tokens(writer, config, path)
    template = _chat_template(folder)
    if template is not None:
        writer.add_chat_template(template)


def check_tokens(tokenizer: Path, model: Path) -> None:
    """Let llama.cpp cut `SAMPLES` with the vocabulary in `model`, in a child process.

    Raises:
        UnsupportedModel: the tokens differ from those of `tokenizer`.
        ModelError: llama.cpp can't read the file.
    """
    ours = Tokenizer.from_file(str(tokenizer))
    theirs = llama_tokens(model, SAMPLES)
    for text, ids in zip(SAMPLES, theirs, strict=True):
        expected = ours.encode(text, add_special_tokens=False).ids
        if ids != expected:
            raise UnsupportedModel(
                f"llama.cpp cuts {text!r} into other tokens than {tokenizer}: {ids} instead of "
                f"{expected}. The model would read garbage, so it was not exported"
            )


def llama_tokens(model: Path, texts: tuple[str, ...]) -> list[list[int]]:
    """Each text in tokens, by llama.cpp with the vocabulary in a GGUF file.

    Raises:
        ModelError: llama.cpp can't read the file.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-m", "archipel.models.gguf_child", str(model)],
            input=json.dumps(texts).encode(),
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"llama.cpp did not read the exported file in {_CHECK_SECONDS} s, so it was not kept. "
            "Try again when the machine is less busy"
        ) from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise ModelError(
            f"llama.cpp can't read the exported file ({said[-1] if said else error}), so it was "
            "not kept. Please report this with the checkpoint's config.json"
        ) from error
    tokens: list[list[int]] = json.loads(child.stdout)
    return tokens


def _pre_tokenizer(pre_tokenizer: dict[str, Any] | None, path: Path) -> str:
    """llama.cpp's name for a pre-tokenizer."""
    match _steps(pre_tokenizer):
        case [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]:
            return "gpt-2"
        case [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        ]:
            return "smollm"
        case [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated"},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ] if regex in _PRE_BY_SPLIT:
            return _PRE_BY_SPLIT[regex]
    raise UnsupportedModel(
        f"{path} splits text in a way that llama.cpp has no name for. Supported are the splits of "
        "gpt-2, smollm, qwen2 and llama-bpe: train with a tokenizer of `archipel corpus build`"
    )


def _steps(pre_tokenizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    if pre_tokenizer is None:
        return []
    steps: list[dict[str, Any]] = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    return [{"use_regex": True, **step} for step in steps]


def _tokens(content: dict[str, Any], size: int, path: Path) -> tuple[list[str], list[TokenType]]:
    texts = [f"[PAD{number}]" for number in range(size)]
    types = [TokenType.UNUSED] * size
    added = {
        token["content"]: (token["id"], TokenType.CONTROL)
        if token["special"]
        else (token["id"], TokenType.USER_DEFINED)
        for token in content["added_tokens"]
    }
    normal = {
        text: (number, TokenType.NORMAL) for text, number in content["model"]["vocab"].items()
    }
    for text, (number, kind) in {**normal, **added}.items():
        if number >= size:
            raise ModelError(
                f"{path} has token {number}, but the model's vocabulary ends at {size}"
            )
        texts[number], types[number] = text, kind
    return texts, types


def _write_special_tokens(writer: gguf.GGUFWriter, config: PreTrainedConfig, path: Path) -> None:
    ends = config.eos_token_id
    end = ends[0] if isinstance(ends, list) else ends
    if end is None:
        raise ModelError(f"{path.parent / 'config.json'} has no eos_token_id: add it first")
    # llama.cpp takes token 11 where no beginning is given; GPT-2's own habit is the end token.
    begin = end if config.bos_token_id is None else config.bos_token_id
    writer.add_eos_token_id(end)
    writer.add_bos_token_id(begin)
    writer.add_pad_token_id(end if config.pad_token_id is None else config.pad_token_id)
    tokenizer = Tokenizer.from_file(str(path))
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a").ids
    if full not in (bare, [begin, *bare], [*bare, end], [begin, *bare, end]):
        raise UnsupportedModel(f"{path} surrounds text with tokens that GGUF can't express: {full}")
    writer.add_add_bos_token(full[: len(bare)] != bare)
    writer.add_add_eos_token(full[-len(bare) :] != bare)


def _chat_template(folder: Path) -> str | None:
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    template = read_json(settings).get("chat_template") if settings.is_file() else None
    return template if isinstance(template, str) else None
