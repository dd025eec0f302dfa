"""Models that make pictures from words, behind one interface. torch, diffusers; no HTTP."""
