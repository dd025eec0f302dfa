"""Run by an interpreter that has TRL: tune a model with `SFTTrainer` and print its seconds.

On the command line: the model's folder, the data, the threads, the learning
rate, the batch.
"""

import json
import sys
import tempfile

import torch
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer


def main() -> None:
    """Its own defaults but for what both sides share; activations are kept, as ours are."""
    model, data, threads, rate, batch = sys.argv[1:]
    torch.set_num_threads(int(threads))
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=int(batch),
            num_train_epochs=1,
            learning_rate=float(rate),
            warmup_steps=0.05,
            lr_scheduler_type="cosine",
            weight_decay=0.0,
            adam_beta2=0.95,
            max_length=512,
            gradient_checkpointing=False,
            bf16=True,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            logging_steps=1,
            disable_tqdm=True,
            model_init_kwargs={"dtype": "float32"},
        )
        dataset = load_dataset("json", data_files=data, split="train")
        trainer = SFTTrainer(model=model, args=config, train_dataset=dataset)
        metrics = trainer.train().metrics
    losses = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    figures = {"seconds": metrics["train_runtime"], "losses": losses}
    print("figures", json.dumps(figures))


if __name__ == "__main__":
    main()
