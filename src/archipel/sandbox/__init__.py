"""Programs run apart from this machine, its files and its network, within limits."""
