"""Whether all that is not the text of edited stretches is as it was: `differences`."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import groupby

from lxml import etree

from archipel.documents.editing.stretches import OBJECT
from benchmarks.office.packages import entries
from benchmarks.office.tracked import W, without_changes

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_EDITED = "edited"
_UNSEEN = ("lang", "altLang", "dirty", "err")  # what spelling checkers note at a run


def differences(
    before: bytes, after: bytes, texts: list[str], new: list[str], author: str
) -> list[str]:
    """The entries in which something else than these texts of stretches differs, which are `new`
    in the changed file. What the author changed in a Word file is refused first."""
    old, now = entries(before), entries(after)
    found = [] if list(old) == list(now) else ["the package's entries"]
    words = set(_segments(texts))
    later = words | set(_segments(new))
    for name, content in old.items():
        if content == now.get(name) or name not in now:
            continue
        if not name.endswith(".xml"):
            found.append(name)
            continue
        roots = etree.fromstring(content), etree.fromstring(now[name])
        if name.startswith("word/"):
            same = _word(roots[0]) == _word(without_changes(roots[1], author))
        else:
            same = _shown(roots[0], words) == _shown(roots[1], later)
        found += [] if same else [name]
    return found


def _segments(texts: list[str]) -> Iterator[str]:
    for text in texts:
        yield from filter(None, text.split(OBJECT))


def _word(root: etree._Element) -> bytes:
    """A part's XML with neighbouring runs of one format as one."""
    root = deepcopy(root)
    for text in root.iter(f"{W}t"):
        text.attrib.pop(_XML_SPACE, None)
    for parent in {run.getparent() for run in root.iter(f"{W}r")}:
        for _, group in groupby(list(parent), _run_format):
            first, *others = group
            if first.tag == f"{W}r":
                _merge(first, others)
    return bytes(etree.tostring(root, method="c14n"))


def _run_format(run: etree._Element) -> object:
    if run.tag != f"{W}r":
        return run
    formats = [etree.tostring(one, method="c14n") for one in run.iterchildren(f"{W}rPr")]
    return tuple(sorted(run.attrib.items())), tuple(formats)


def _merge(first: etree._Element, others: list[etree._Element]) -> None:
    for run in others:
        first.extend([child for child in run if child.tag != f"{W}rPr"])
        run.getparent().remove(run)
    for kind, group in groupby(list(first), lambda child: child.tag):
        text, *rest = group
        if kind == f"{W}t":
            text.text = "".join(one.text or "" for one in (text, *rest))
            for one in rest:
                first.remove(one)


def _shown(root: etree._Element, words: set[str]) -> bytes:
    """A slide's or a sheet's XML: for edited runs, or a cell's text, there is only which formats
    they have."""
    root = deepcopy(root)
    _forget_results(root)
    for holder in list(root.iter(f"{_A}p", f"{_S}si", f"{_S}is")):
        for kind, group in groupby(list(holder), lambda child: child.tag):
            runs = list(group)
            if kind not in (f"{_A}r", f"{_S}r", f"{_S}t"):
                continue
            if "".join("".join(run.itertext()) for run in runs) in words:
                runs[0].addprevious(_summary(runs))
                for run in runs:
                    holder.remove(run)
    return bytes(etree.tostring(root, method="c14n"))


def _forget_results(root: etree._Element) -> None:
    """Texts that formulas resulted in are computed anew, for they may show changed words."""
    for told in root.iter(f"{_S}calcPr"):
        told.attrib.pop("fullCalcOnLoad", None)
    for cell in root.iter(f"{_S}c"):
        value = cell.find(f"{_S}v")
        if cell.get("t") == "str" and value is not None:
            cell.remove(value)


def _summary(runs: list[etree._Element]) -> etree._Element:
    formats = set()
    for format in (deepcopy(one) for run in runs for one in run.iterchildren("{*}rPr")):
        for name in _UNSEEN:
            format.attrib.pop(name, None)
        formats.add(etree.tostring(format, method="c14n", with_tail=False).decode())
    return etree.Element(_EDITED, formats="\n".join(sorted(formats)))
