"""A small Llama with random weights, and the conversations that both contestants learn from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archipel.cli.provenance import ROOT
from archipel.corpus.left_out import LeftOut
from archipel.corpus.tokenizer import train_tokenizer
from archipel.errors import ConfigError
from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.models.sizes import model_config
from archipel.tune.batches import split_items
from archipel.tune.conversations import conversation
from archipel.tune.encoding import Item, encode
from archipel.tune.lessons import Lesson, Material, read_material
from archipel.tune.templates import open_tokenizer, prepare_tokenizer

_DATA = ROOT.parent / "shared" / "data" / "instructions"
_FILES = ("dolly_hhrlhf_train_small.jsonl.xz", "oasst_fr_top1.jsonl.xz")
_HELD_OUT = 0.1
_VOCABULARY = 4_096


@dataclass(frozen=True)
class Prepared:
    """Where it lies: a checkpoint, and JSON Lines of messages, all of which fit its context."""

    model: Path
    data: Path
    items: int
    tokens: int  # in one epoch
    held_out: Sequence[Item]


def prepare(folder: Path, size: str, most: int | None) -> Prepared:
    """Make both in `folder`; of the conversations at most so many.

    Raises:
        ConfigError: the conversations are not there.
    """
    absent = [name for name in _FILES if not (_DATA / name).is_file()]
    if absent:
        raise ConfigError(f"{_DATA} lacks {', '.join(absent)}: put them there, or others so named")
    material = Material(
        data=[_DATA / name for name in _FILES], read=conversation, kind="conversations"
    )
    lessons, _ = read_material(material, LeftOut())
    model = _new_model(folder, size, lessons)
    by_item = _fitting(model, folder / "tokenizer", lessons)
    items, held_out = split_items(list(by_item), _HELD_OUT)
    items = items[:: max(1, len(items) // most)][:most] if most else items
    data = folder / "data.jsonl"
    records = [{"messages": by_item[item].conversations[0]} for item in items]
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    data.write_text("".join(lines), encoding="utf-8")
    return Prepared(model, data, len(items), sum(item.tokens for item in items), held_out)


def _new_model(folder: Path, size: str, lessons: Sequence[Lesson]) -> Path:
    said = [one["content"] for lesson in lessons for one in lesson.conversations[0]]
    made = folder / "new-tokenizer"
    made.mkdir()
    for name, data in train_tokenizer(said, _VOCABULARY).items():
        (made / name).write_bytes(data)
    config = model_config(size, vocab_size=_VOCABULARY, end_of_text_id=0)
    model = new_model(config, 0)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(folder / "model", config, tensors, made, card="")
    return folder / "model"


def _fitting(model: Path, tuned: Path, lessons: Sequence[Lesson]) -> dict[Item, Lesson]:
    """Those that fit the model's context, by what the tuned model will read."""
    prepare_tokenizer(open_tokenizer(model), model, tuned, use_default=False)
    tokenizer = open_tokenizer(tuned)
    context = json.loads((model / "config.json").read_bytes())["max_position_embeddings"]
    found = {}
    for lesson in lessons:
        for item in encode([lesson], tokenizer, LeftOut(), most_tokens=context):
            found[item] = lesson
    return found
