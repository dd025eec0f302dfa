"""The run's protocol under a virtual clock, on a store where everything goes wrong, from a seed.

What runs is the real exchange, claims, merge duty, state, joining and ledger; what is simulated is
time, the store and training. `python -m tests.simulation --help` says how to run many seeds and how
to replay one.
"""
