"""Tracked changes of a Word file accepted or refused in its XML, by the format's own rules."""

from copy import deepcopy

from lxml import etree

from benchmarks.office.packages import entries, packed

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def accepted(data: bytes, author: str) -> bytes:
    """The file with all that the author changed."""
    return _resolved(data, author, "ins", "del")


def refused(data: bytes, author: str) -> bytes:
    """The file without anything that the author changed."""
    return _resolved(data, author, "del", "ins")


def without_changes(root: etree._Element, author: str) -> etree._Element:
    """A copy of a part without anything that the author changed."""
    copy = deepcopy(root)
    _resolve(copy, author, "del", "ins")
    return copy


def _resolved(data: bytes, author: str, stays: str, goes: str) -> bytes:
    files = entries(data)
    for name in files:
        if name.startswith("word/") and name.endswith(".xml"):
            root = etree.fromstring(files[name])
            _resolve(root, author, stays, goes)
            files[name] = etree.tostring(root, encoding="UTF-8", standalone=True)
    return packed(files)


def _resolve(root: etree._Element, author: str, stays: str, goes: str) -> None:
    changes = [one for one in root.iter() if one.get(f"{W}author") == author]
    for change in changes:
        if change.tag == f"{W}{goes}":
            change.getparent().remove(change)
        elif change.tag == f"{W}{stays}":
            for text in change.iter(f"{W}delText"):
                text.tag = f"{W}t"
            for run in list(change):
                change.addprevious(run)
            change.getparent().remove(change)
