"""TRL's SFTTrainer, for `benchmarks.finetune`: `python trl_peer.py TASK`, in its own environment.

TASK is the JSON that `benchmarks.tuning.contest` writes. What is not the task's is as TRL would
have it, but for gradient checkpointing, which only costs time where there is memory.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found]

# ChatML as `archipel finetune` has it, with what TRL needs to tell an answer.
_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{{ '<|im_start|>assistant\\n' }}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endif %}{% endfor %}"
)


class _Clocks(TrainerCallback):
    """Seconds from before the first step to behind the last."""

    cpu_seconds = seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.cpu_seconds, self.seconds = time.process_time(), time.monotonic()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.cpu_seconds = time.process_time() - self.cpu_seconds
        self.seconds = time.monotonic() - self.seconds


def main() -> None:
    """Train as the task says, and write what came of it."""
    task = json.loads(Path(sys.argv[1]).read_bytes())
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(task["model"])
    tokenizer.chat_template = _TEMPLATE
    lines = Path(task["data"]).read_text(encoding="utf-8").splitlines()
    clocks = _Clocks()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32),
        args=_settings(task),
        train_dataset=Dataset.from_list([json.loads(line) for line in lines]),
        processing_class=tokenizer,
        callbacks=[clocks],
    )
    tokens = task["epochs"] * sum(map(len, trainer.train_dataset["input_ids"]))
    trainer.train()
    trainer.save_model(task["out"])
    found = {"cpu_seconds": clocks.cpu_seconds, "seconds": clocks.seconds, "tokens": tokens}
    Path(task["figures"]).write_text(json.dumps(found), encoding="utf-8")


def _settings(task: dict[str, Any]) -> Any:
    """Packed, a row is one forward pass: several would be one long row with a mask as wide."""
    ways: dict[str, dict[str, Any]] = {
        "grouped": {
            "train_sampling_strategy": "group_by_length",
            "per_device_train_batch_size": task["batch"],
        },
        "packed": {
            "packing": True,
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": task["rows"],
        },
    }
    return SFTConfig(
        output_dir=task["out"],
        max_length=task["context"],
        assistant_only_loss=True,
        num_train_epochs=task["epochs"],
        learning_rate=task["rate"],
        warmup_steps=task["warmup"],
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        optim="adamw_torch_fused",
        adam_beta2=0.95,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=task["bf16"],
        use_cpu=True,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **ways[task["way"]],
    )


if __name__ == "__main__":
    main()
