"""Logging set-up, called once by the command line. Libraries of ours only call `getLogger`."""

import logging
import sys


def setup(verbose: bool) -> None:
    """Send log lines of level INFO (DEBUG when `verbose`) and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    )
    root = logging.getLogger("archipel")
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
