"""Thirty minutes of faults on a real run of four sites, and the same run undisturbed. Linux, root.

`python -m benchmarks.chaos --minutes 30 --json benchmarks/results/chaos.json`
"""
