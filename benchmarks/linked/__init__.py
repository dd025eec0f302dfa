"""The parts of `archipel bench links`."""
