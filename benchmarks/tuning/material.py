"""Questions and answers out of the standard library: what a function is for, by its docstring."""

import ast
import json
import sysconfig
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from archipel.corpus.tokenizer import train_tokenizer
from archipel.models.checkpoint import new_model, save_checkpoint
from archipel.models.sizes import model_config
from archipel.tune.templates import MARKED_TEMPLATE, TURN_END

_VOCABULARY = 4096
_SHORTEST, _LONGEST = 40, 900  # characters of an answer


def make_material(folder: Path, size: str, conversations: int) -> tuple[Path, Path]:
    """A model of this size with random weights and a chat template, and a file to tune it on."""
    answers = list(islice(_answers(), conversations))
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    texts = [text for pair in answers for text in pair]
    for name, data in train_tokenizer(texts, _VOCABULARY).items():
        (tokenizer / name).write_bytes(data)
    settings = json.loads((tokenizer / "tokenizer_config.json").read_text())
    settings |= {"chat_template": MARKED_TEMPLATE, "eos_token": TURN_END}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(settings))
    config = model_config(size, vocab_size=_VOCABULARY, context=512, end_of_text_id=0)
    model = new_model(config, seed=0)
    tensors = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    save_checkpoint(folder / "model", config, tensors, tokenizer, card="")
    chats = folder / "chats.jsonl"
    chats.write_text("".join(_line(asked, said) for asked, said in answers), encoding="utf-8")
    return folder / "model", chats


def _line(asked: str, said: str) -> str:
    record = {
        "prompt": [{"role": "user", "content": asked}],
        "completion": [{"role": "assistant", "content": said}],
    }
    return json.dumps(record) + "\n"


def _answers() -> Iterator[tuple[str, str]]:
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                said = ast.get_docstring(node) or ""
                if _SHORTEST <= len(said) <= _LONGEST:
                    yield f"What is {node.name} of {path.stem} for?", said
