"""Sizes, checkpoints, GGUF export and the catalogue of models to pull. No torch on import."""
