"""Logging set-up, called once by the command line. Libraries of ours only call `getLogger`.

A log line may carry fields: `log.info("…", extra={"round": 7})`. As JSON they stand beside the
message, as text they are left out: the message says what a person needs.
"""

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the fields."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, object] = {}

    def format(self, record: logging.LogRecord) -> str:
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self.fields,
            **extra,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def setup(verbose: bool, *, as_json: bool = False) -> None:
    """Send log lines of level INFO (DEBUG when `verbose`) and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    handler.setFormatter(_JsonLines() if as_json else text)
    root = logging.getLogger("archipel")
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False


def label(**fields: object) -> None:
    """Put these fields into every JSON line from now on: which site this process is, say."""
    for handler in logging.getLogger("archipel").handlers:
        if isinstance(handler.formatter, _JsonLines):
            handler.formatter.fields.update(fields)
