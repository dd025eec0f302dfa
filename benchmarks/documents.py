"""30 office files made for this, all of their text changed by rule and without a model, as a
correction and as a translation would: do they open, is all else as it was, and do the changes
tracked in Word files come to the new text when they are accepted and to the old one when refused?
The faults that these files found are mended, and no others are held out. LibreOffice 7.4 takes no
tracked change in a content control, whoever made it, and has both texts there: that is what two
files fail by in its own shares.

A file opens without repair when LibreOffice makes a PDF of it and has the new words, and when
nothing is found of what Word, PowerPoint and Excel are strict about. Accepted and refused is by the
format's rules in the XML; in the figures that begin with `libreoffice` by LibreOffice, the text is
then compared with what it has of the same file changed without tracking, and of the file as it was.
Shares are of files, with both changes; `seconds_per_file` is the median of one change.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.office.cases import Case, case
from benchmarks.office.libreoffice import check_installed, converted, texts
from benchmarks.office.made import FILES, QUICK
from benchmarks.office.rules import RULES

_WORD = re.compile(r"\w+")
Shown = Mapping[tuple[str, str], list[str]]  # by file and what was done with its changes


def run(quick: bool) -> dict[str, float]:
    """
    Raises:
        ConfigError: LibreOffice is not on this machine.
    """
    check_installed()
    names = QUICK if quick else tuple(FILES)
    cases = [case(name, rule) for name in names for rule in RULES]
    with tempfile.TemporaryDirectory() as folder:
        opened, shown = _ask(cases, Path(folder))
    word = [one for one in cases if one.is_tracked]
    return {
        "files": len(names),
        "stretches": sum(len(one.old) for one in cases) // len(RULES),
        "opened_without_repair_share": _share(
            cases, lambda one: _file(one) in opened and not one.faults() and _has_words(one, shown)
        ),
        "unchanged_outside_edits_share": _share(cases, lambda one: not one.differences()),
        "tracked_accept_exact_share": _share(word, Case.accepts),
        "tracked_refuse_exact_share": _share(word, Case.refuses),
        "libreoffice_accept_exact_share": _share(
            word, lambda one: shown[_file(one), "accept"] == shown[_file(one, "plain"), "accept"]
        ),
        "libreoffice_refuse_exact_share": _share(
            word, lambda one: shown[_file(one), "refuse"] == shown[_file(one, "before"), "refuse"]
        ),
        "seconds_per_file": round(median(one.seconds for one in cases), 4),
    }


def _ask(cases: Sequence[Case], folder: Path) -> tuple[set[str], Shown]:
    """The files that LibreOffice makes a PDF of, and the text that it has of each."""
    orders: list[tuple[Path, str]] = []
    for one in cases:
        versions = {"after": one.after, "plain": one.plain, "before": one.before}
        for version, data in versions.items():
            (folder / _file(one, version)).write_bytes(data)
        asked = [("after", "keep")]
        if one.is_tracked:
            asked += [("after", "accept"), ("after", "refuse")]
            asked += [("plain", "accept"), ("before", "refuse")]
        orders += [(folder / _file(one, version), action) for version, action in asked]
    opened = converted([folder / _file(one) for one in cases], folder)
    lines = texts(orders, folder)
    shown = {(path.name, action): own for (path, action), own in zip(orders, lines, strict=True)}
    return opened, shown


def _file(one: Case, version: str = "after") -> str:
    return f"{version}-{one.rule}-{one.name}"


def _has_words(one: Case, shown: Shown) -> bool:
    has = "\n".join(shown[_file(one), "keep"])
    return all(word in has for text in one.new for word in _WORD.findall(text))


def _share(cases: Iterable[Case], holds: Callable[[Case], bool]) -> float:
    """Of the files, those for which it holds with every change."""
    by_file: dict[str, bool] = {}
    for one in cases:
        by_file[one.name] = by_file.get(one.name, True) and holds(one)
    return round(sum(by_file.values()) / len(by_file), 3)
