"""The contestants of `benchmarks.finetune`, and what both learn from."""
