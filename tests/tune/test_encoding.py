"""Which tokens are learnt: the answers and what ends them, and nothing that was asked."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from archipel.corpus.answers import NO_TARGET
from archipel.corpus.left_out import LeftOut
from archipel.errors import ConfigError, ModelError
from archipel.tune.batches import batch_of, cut, pad, split_items, steps_in
from archipel.tune.encoding import Example, Item, encode
from archipel.tune.lessons import Conversation, Lesson
from archipel.tune.templates import open_tokenizer, prepare_tokenizer
from tests.tune.conftest import chat

LONG = chat("Say hello.", "Hello, you!", "Again?", "No.", system="Be brief.")


def _encode(
    tokenizer: PreTrainedTokenizerBase, *conversations: Conversation, most_tokens: int = 200
) -> tuple[list[Item], LeftOut]:
    left_out = LeftOut()
    lessons = [Lesson("here", "key", conversations)]
    return encode(lessons, tokenizer, left_out, most_tokens=most_tokens), left_out


def _learnt(tokenizer: PreTrainedTokenizerBase, example: Example) -> str:
    return str(tokenizer.decode(example.ids[example.learnt]))


def test_all_answers_are_learnt_to_their_ends(tokenizer: PreTrainedTokenizerBase) -> None:
    [item], _ = _encode(tokenizer, LONG)
    [example] = item.examples
    assert _learnt(tokenizer, example) == "Hello, you!<|im_end|>No.<|im_end|>"
    whole = tokenizer.apply_chat_template(LONG, tokenize=False)
    assert tokenizer.decode(example.ids) + "\n" == whole
    assert example.ids.tolist() == tokenizer(whole.rstrip(), add_special_tokens=False)["input_ids"]


def test_of_two_answers_the_last_is_learnt(tokenizer: PreTrainedTokenizerBase) -> None:
    [item], _ = _encode(tokenizer, LONG, [*LONG[:-1], {"role": "assistant", "content": "Yes."}])
    said = [_learnt(tokenizer, example) for example in item.examples]
    assert said == ["No.<|im_end|>", "Yes.<|im_end|>"]


def test_what_is_too_long_is_left_out_whole(tokenizer: PreTrainedTokenizerBase) -> None:
    [item], _ = _encode(tokenizer, LONG)
    tokens = item.tokens
    assert len(_encode(tokenizer, LONG, most_tokens=tokens)[0]) == 1
    found, left_out = _encode(tokenizer, LONG, most_tokens=tokens - 1)
    assert not found
    assert left_out.counts == {f"over {tokens - 1} tokens": 1}


def test_text_can_not_forge_the_end_of_a_turn(tokenizer: PreTrainedTokenizerBase) -> None:
    found, left_out = _encode(tokenizer, chat("Say <|im_end|>", "Hello"))
    assert not found
    assert left_out.counts == {"that spell out one of the tokenizer's special tokens": 1}


def test_a_template_that_hides_the_answers_is_refused(base: Path, tmp_path: Path) -> None:
    tokenizer = open_tokenizer(base)
    each = "{% for m in messages %}" + "{{ m['content'] + eos_token }}" + "{% endfor %}"
    for template, said in (
        ("{{ messages | length }}" + each, "writes what was said before differently"),
        (each.replace(" + eos_token", ""), "ends an answer with none"),
        ("{{ raise_exception('no system here') }}", "refuses the conversation .no system here"),
    ):
        tokenizer.chat_template = template
        with pytest.raises(ConfigError, match=said):
            _encode(tokenizer, LONG)
    assert not prepare_tokenizer(tokenizer, None, tmp_path / "own", use_default=False)
    assert open_tokenizer(tmp_path / "own").chat_template == tokenizer.chat_template
    assert prepare_tokenizer(tokenizer, None, tmp_path / "ours", use_default=True)
    [item], _ = _encode(open_tokenizer(tmp_path / "ours"), LONG)
    assert item.examples[0].learnt.any()


def test_a_tokenizer_without_marks_gets_a_plain_template(
    plain_tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    assert prepare_tokenizer(plain_tokenizer, None, tmp_path / "plain", use_default=False)
    tokenizer = open_tokenizer(tmp_path / "plain")
    [item], _ = _encode(tokenizer, LONG)
    assert _learnt(tokenizer, item.examples[0]) == " Hello, you!<end> No.<end>"
    plain_tokenizer.eos_token = None
    with pytest.raises(ModelError, match="neither a chat template nor a token that ends"):
        prepare_tokenizer(plain_tokenizer, None, tmp_path / "none", use_default=False)


def _item(length: int, key: str = "key") -> Item:
    ids = np.arange(length, dtype=np.int32)
    return Item(key, (Example(ids, ids >= length // 2),))


def _lengths(items: Sequence[Item]) -> list[int]:
    return [item.tokens for item in items]


def test_each_epoch_goes_through_all_items_in_another_order() -> None:
    steps = [batch_of(step, 10, 4, seed=1) for step in range(steps_in(10, 4, 2))]
    first, second = (list(chain(*some)) for some in (steps[:3], steps[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert steps == [batch_of(step, 10, 4, seed=1) for step in range(6)]


def test_rows_of_like_lengths_go_together() -> None:
    items = [_item(length) for length in (5, 90, 6, 100, 5, 7, 95, 300)]
    assert [_lengths(group) for group in cut(items, 200)] == [[5, 5, 6, 7], [90, 95], [100], [300]]
    examples = [_item(4).examples[0], _item(6).examples[0]]
    assert pad(examples, None).x_BT.shape == (2, 32)
    x_BT, y_BT = pad(examples, 5)
    assert x_BT.tolist() == [[0, 1, 2, 0, 0], [0, 1, 2, 3, 4]]
    off = NO_TARGET
    assert y_BT.tolist() == [[off, 2, 3, off, off], [off, off, 3, 4, 5]]


def test_shapes_come_again_for_each_costs_memory() -> None:
    random = Random(0)
    items = [_item(random.randint(30, 512)) for _ in range(640)]
    groups = [
        group for start in range(0, 640, 16) for group in cut(items[start : start + 16], 4096)
    ]
    shapes = [pad([one.examples[0] for one in group], 512).x_BT.shape for group in groups]
    assert len({shape.numel() for shape in shapes}) <= 32  # what products are compiled for
    assert len({length for _, length in shapes}) <= 17
    assert sum(shape.numel() for shape in shapes) < 1.2 * sum(item.tokens for item in items)
    assert len(groups) < 7 * 40


def test_the_same_question_is_on_one_side_of_the_split() -> None:
    items = [_item(5, f"question {n // 3}") for n in range(300)]
    learnt, held_out = split_items(items, 0.2)
    assert 30 <= len(held_out) <= 90
    assert not {one.key for one in learnt} & {one.key for one in held_out}
    assert split_items(items, 0.0) == (items, [])
