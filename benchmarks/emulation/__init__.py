"""Several sites' training in one process, without ledger, store and clock: for experiments."""
