"""One file a format: bytes to blocks. Runs in the reading process only (`child.py`)."""
