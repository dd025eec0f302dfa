"""Archipel: train one language model over every site you have, and serve it to your people."""

__version__ = "0.1.0"
