"""A tuning from files to a folder: what is learnt, kept, gone on with and refused."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from archipel.errors import ConfigError, IntegrityError, ModelError
from archipel.files import sha256_file
from archipel.models.gguf_export import export_gguf
from archipel.models.sampling import UsualSampling, usual_sampling
from archipel.tune.adapters import Lora
from archipel.tune.conversations import conversation, preference
from archipel.tune.finetune import Tuned, TuneOptions, finetune
from archipel.tune.lessons import Material
from archipel.tune.training import Progress
from tests.tune.conftest import FACTS, Write, chat

LEARN_ALL: dict[str, Any] = {"held_out": 0.0, "batch": 4, "learning_rate": 1e-2}


def _tune(
    base: Path, data: Path, out: Path, stop_at: int | None = None, **options: Any
) -> Tuned | None:
    stop = threading.Event()

    def tell(progress: Progress) -> None:
        if progress.step == stop_at:
            stop.set()

    read = preference if options.get("prefers") else conversation
    material = Material(data=[data], read=read, kind="conversations")
    return finetune(base, material, out, TuneOptions(**options), stop, tell)


def _answers(folder: Path) -> list[str]:
    """What the model in a folder says to the questions, greedily, as any user would ask it."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    found = []
    for asked in FACTS:
        prompt = tokenizer.apply_chat_template(
            chat(asked), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        said = model.generate(**prompt, max_new_tokens=24, do_sample=False, pad_token_id=0)[0]
        found.append(tokenizer.decode(said[prompt["input_ids"].shape[1] :]))
    return found


def test_answers_are_learnt_and_end(base: Path, chats: Path, tmp_path: Path) -> None:
    tuned = _tune(base, chats, tmp_path / "out", epochs=80, **LEARN_ALL)
    assert tuned is not None
    assert _answers(tmp_path / "out") == [f"{said}<|im_end|>" for said in FACTS.values()]
    assert tuned.course.losses[-1] < 0.05 < 5 < tuned.course.losses[0]
    assert tuned.left_out.counts == {"without an answer": 1}
    assert tuned.default_template
    assert (tuned.items, tuned.held_out, tuned.course.curve) == (4, 0, 81 * [None])
    assert sorted(tmp_path.iterdir()) == [chats, tmp_path / "out"]


def test_the_held_out_loss_is_measured_before_and_after_each_epoch(
    base: Path, write: Write, tmp_path: Path
) -> None:
    data = write("sums.jsonl", [{"prompt": f"{n} + 1?", "response": "A sum."} for n in range(40)])
    tuned = _tune(base, data, tmp_path / "out", epochs=3, batch=8, held_out=0.2)
    assert tuned is not None
    assert tuned.items + tuned.held_out == 40
    assert tuned.held_out >= 3
    before, *epochs = [loss for loss in tuned.course.curve if loss is not None]
    assert len(epochs) == 3
    assert before > epochs[0] > epochs[1] > epochs[2]
    assert f"| Held-out loss after | {epochs[2]:.4f} |" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("lora", [None, Lora(4, 8)])
def test_stopped_it_goes_on_to_the_same_end(
    base: Path, chats: Path, tmp_path: Path, lora: Lora | None
) -> None:
    options = {"epochs": 8, "batch": 3, "lora": lora, "merge": lora is not None, "held_out": 0.3}
    whole = _tune(base, chats, tmp_path / "whole", **options)
    assert _tune(base, chats, tmp_path / "parts", stop_at=3, **options) is None
    assert not (tmp_path / "parts").exists()
    with pytest.raises(ConfigError, match="unfinished tuning with another epochs, learning_rate"):
        _tune(base, chats, tmp_path / "parts", **{**options, "epochs": 9, "learning_rate": 0.1})
    assert _tune(base, chats, tmp_path / "parts", stop_at=5, **options) is None
    parts = _tune(base, chats, tmp_path / "parts", **options)
    assert whole is not None
    assert parts is not None
    assert parts.course.losses == whole.course.losses
    assert parts.course.curve == whole.course.curve
    digests = {sha256_file(tmp_path / one / "model.safetensors") for one in ("whole", "parts")}
    assert len(digests) == 1
    assert not list(tmp_path.glob("*.unfinished"))


def test_an_adapter_is_of_a_model_with_a_template(
    base: Path, chats: Path, write: Write, tmp_path: Path
) -> None:
    lora = Lora(4, 8)
    with pytest.raises(ConfigError, match="asked in its base model's chat template"):
        _tune(base, chats, tmp_path / "adapter", lora=lora, **LEARN_ALL)
    assert _tune(base, chats, tmp_path / "chat", epochs=60, **LEARN_ALL)
    others = write("others.jsonl", [{"prompt": asked, "response": "Four."} for asked in FACTS])
    tuned = _tune(
        tmp_path / "chat", others, tmp_path / "adapter", lora=lora, epochs=60, **LEARN_ALL
    )
    assert tuned is not None
    assert not tuned.default_template
    factors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert len(factors) == 2 * 7 * 2
    assert tuned.trained == sum(factor.numel() for factor in factors.values())
    assert tuned.course.losses[-1] < 0.2 * tuned.course.losses[0]
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert config["base_model_name_or_path"] == str(tmp_path / "chat")


def test_of_two_answers_the_better_is_learnt(base: Path, write: Write, tmp_path: Path) -> None:
    others = list(reversed(FACTS.values()))
    both = [
        {"prompt": asked, "chosen": said, "rejected": other}
        for (asked, said), other in zip(FACTS.items(), others, strict=True)
    ]
    data = write("prefs.jsonl", both)
    tuned = _tune(base, data, tmp_path / "out", prefers=True, epochs=20, **LEARN_ALL)
    assert tuned is not None
    assert tuned.course.losses[0] == pytest.approx(0.693, abs=0.01)
    assert tuned.course.losses[-1] < 0.3


def test_a_gguf_file_is_a_start(base: Path, chats: Path, tmp_path: Path) -> None:
    export_gguf(base, tmp_path / "base.gguf", "f32")
    tuned = _tune(tmp_path / "base.gguf", chats, tmp_path / "out", epochs=80, **LEARN_ALL)
    assert tuned is not None
    assert _answers(tmp_path / "out") == [f"{said}<|im_end|>" for said in FACTS.values()]
    export_gguf(tmp_path / "out", tmp_path / "out.gguf", "f16")
    lora = {"lora": Lora(2, 4), "merge": True}
    assert _tune(tmp_path / "base.gguf", chats, tmp_path / "merged", **lora, **LEARN_ALL)


def test_what_the_maker_says_of_choosing_tokens_holds_for_the_tuned_model(
    base: Path, chats: Path, tmp_path: Path
) -> None:
    advised = tmp_path / "advised"
    shutil.copytree(base, advised)
    said = {"temperature": 0.6, "top_k": 20, "eos_token_id": 0}
    (advised / "generation_config.json").write_text(json.dumps(said))
    tuned = _tune(advised, chats, tmp_path / "out", epochs=1, **LEARN_ALL)
    assert tuned is not None
    assert usual_sampling(tmp_path / "out") == UsualSampling(temperature=0.6, top_k=20)
    assert GenerationConfig.from_pretrained(tmp_path / "out").do_sample


def test_what_can_not_be_tuned_is_named(
    base: Path, chats: Path, write: Write, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    empty = write("empty.jsonl", [{"messages": chat("No answer")}])
    with pytest.raises(ConfigError, match="nothing to learn from: 1 without an answer"):
        _tune(base, empty, out)
    long = write("long.jsonl", [{"prompt": "x" * 300, "response": "Long."}])
    with pytest.raises(ConfigError, match="nothing to learn from: 1 over 128 tokens"):
        _tune(base, long, out)
    with pytest.raises(ConfigError, match="neither a checkpoint's folder nor"):
        _tune(tmp_path / "nowhere", chats, out)
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="can't read"):
        _tune(tmp_path / "broken.gguf", chats, out)
    assert not list(tmp_path.glob("*.unfinished"))
    with pytest.raises(ModelError, match="give a lower --learning-rate than 1e"):
        _tune(base, chats, out, epochs=50, held_out=0.0, batch=1, learning_rate=1e30)
    with pytest.raises(ConfigError, match="exists already"):
        _tune(base, chats, base)
    with pytest.raises(ConfigError, match="--context 129 is more than the 128 tokens"):
        _tune(base, chats, out, context=129)
    assert _tune(base, chats, tmp_path / "other", stop_at=1, epochs=8, **LEARN_ALL) is None
    checkpoint = tmp_path / "other.unfinished" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match="damaged"):
        _tune(base, chats, tmp_path / "other", epochs=8, **LEARN_ALL)
