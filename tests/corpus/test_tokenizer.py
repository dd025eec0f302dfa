"""The tokenizer: exact, reversible, and at home in transformers."""

import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from archipel.corpus import read_manifest
from archipel.corpus.tokenizer import PRE_TOKENIZER, encoder, load_tokenizer
from archipel.errors import ArchipelError


def test_every_character_is_encoded_as_tokenizers_does(corpus: Path) -> None:
    characters = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
    rows = [characters[start::9000] for start in range(9000)]
    texts = ["".join(f"a{c}b 1{c}2  {c}{c} .{c}\n{c}'{c}s" for c in row) for row in rows[::10]]
    texts += ["", " ", "\r\n \r\n\n  x", "I'LL it'ſ \u00a0\u2028\u3000", "<|endoftext|>"]
    tokenizer = load_tokenizer(corpus / "tokenizer")
    ids, ends = encoder(corpus / "tokenizer", texts[:3])(texts)
    for text, found in zip(texts, np.split(ids, ends), strict=False):
        assert found.tolist() == tokenizer.encode(text, add_special_tokens=False).ids
        assert tokenizer.decode(found) == text


def test_transformers_opens_it(corpus: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(corpus / "tokenizer")
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id) == (0, 0, 0)
    assert theirs.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"]) == [1, 2]
    gaps = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
    assert theirs.convert_tokens_to_ids(gaps) == [3, 4, 5]
    assert len(theirs) == read_manifest(corpus).vocab_size == 512
    text = "def f(x):\n    return x  # 12 été\n\n\n"
    ids = theirs(text)["input_ids"]
    assert ids == load_tokenizer(corpus / "tokenizer").encode(text).ids
    assert theirs.decode(ids) == text


def test_the_pre_tokenizer_is_the_one_that_llama_cpp_calls_qwen2(corpus: Path) -> None:
    convert = pytest.importorskip("tokenizers")
    pieces = convert.pre_tokenizers.Split(convert.Regex(PRE_TOKENIZER), "isolated")
    found = [piece for piece, _ in pieces.pre_tokenize_str("We'll see 2026!\n\n  ok")]
    assert found == ["We", "'ll", " see", " ", "2", "0", "2", "6", "!\n\n", " ", " ok"]


@pytest.mark.parametrize("content", ["", "{", "{}", '{"model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ArchipelError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)
