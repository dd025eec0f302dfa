"""What runs inside the sandbox, with Python's standard library (and pytest) only.

The folder is shown to the program at /harness, without the rest of Archipel.
"""
