"""Watching a run: a page, TensorBoard files, Prometheus metrics. Reads the ledger only."""
