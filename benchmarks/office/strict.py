"""What Word, PowerPoint and Excel are strict about, LibreOffice being lenient: `faults`."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO

import docx
import openpyxl
import pptx
from lxml import etree

from benchmarks.office.packages import entries
from benchmarks.office.tracked import W

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_HOLDERS = ("p", "hyperlink", "sdtContent", "smartTag", "customXml", "dir", "bdo", "fldSimple")
_OPEN = {"docx": docx.Document, "pptx": pptx.Presentation, "xlsx": openpyxl.load_workbook}


def faults(name: str, before: bytes, after: bytes) -> list[str]:
    """What a strict program would not take of the changed file, in words."""
    kind = name.rpartition(".")[2]
    old, new = entries(before), entries(after)
    found = [] if list(old) == list(new) else ["the package has other entries"]
    found += [
        f"{entry} changed"
        for entry in old
        if entry.endswith((".rels", "[Content_Types].xml")) and old[entry] != new.get(entry)
    ]
    for entry, content in new.items():
        if entry.endswith(".xml") and content != old.get(entry):
            try:
                root = etree.fromstring(content)
            except etree.XMLSyntaxError as error:
                found.append(f"{entry}: {error}")
                continue
            check = {"docx": _word, "pptx": _slides, "xlsx": _sheets}[kind]
            had = Counter(check(etree.fromstring(old[entry]))) if entry in old else Counter()
            found += [f"{entry}: {fault}" for fault in Counter(check(root)) - had]
    _OPEN[kind](BytesIO(after))
    return found


def _word(root: etree._Element) -> Iterator[str]:
    ids = Counter(one.get(f"{W}id") for one in root.iter(f"{W}ins", f"{W}del"))
    yield from (f"the number {number} is there twice" for number, n in ids.items() if n > 1)
    for change in root.iter(f"{W}ins", f"{W}del"):
        if len(change):
            yield from _change(change)
    for text in root.iter(f"{W}t", f"{W}delText"):
        gone = next(text.iterancestors(f"{W}del", f"{W}p")).tag == f"{W}del"
        if gone != (text.tag == f"{W}delText"):
            yield f"{text.tag} where the other kind of text belongs"
        if text.text != (text.text or "").strip() and not text.get(_XML_SPACE):
            yield "spaces at the end of a text do not count"
    for run in root.iter(f"{W}r"):
        if any(child.tag == f"{W}rPr" for child in run[1:]):
            yield "a run's format is not first"
        if all(child.tag == f"{W}rPr" for child in run):
            yield "a run is empty"


def _change(change: etree._Element) -> Iterator[str]:
    try:
        datetime.fromisoformat(change.get(f"{W}date", ""))
    except ValueError:
        yield "a change has no date"
    if not (change.get(f"{W}author") and change.get(f"{W}id", "").isdecimal()):
        yield "a change has no author or number"
    if any(child.tag != f"{W}r" for child in change):
        yield "a change has more than runs"
    if change.getparent().tag not in [f"{W}{name}" for name in _HOLDERS]:
        yield f"a change stands in {change.getparent().tag}"


def _slides(root: etree._Element) -> Iterator[str]:
    for run in root.iter(f"{_A}r"):
        if [child.tag for child in run] not in ([f"{_A}rPr", f"{_A}t"], [f"{_A}t"]):
            yield "a run has something else than a format and a text"
    for paragraph in root.iter(f"{_A}p"):
        tags = [child.tag for child in paragraph]
        if f"{_A}pPr" in tags[1:] or f"{_A}endParaRPr" in tags[:-1]:
            yield "a paragraph's format is not where it belongs"


def _sheets(root: etree._Element) -> Iterator[str]:
    if root.tag == f"{_S}sst" and int(root.get("uniqueCount", len(root))) != len(root):
        yield "the count of shared strings is wrong"
    for item in root.iter(f"{_S}si", f"{_S}is"):
        texts = [child for child in item if child.tag in (f"{_S}t", f"{_S}r")]
        runs = [[part.tag for part in one] for one in texts if one.tag == f"{_S}r"]
        if len(texts) != 1 and len(runs) != len(texts):
            yield "a string is neither one text nor runs"
        if any(run not in ([f"{_S}rPr", f"{_S}t"], [f"{_S}t"]) for run in runs):
            yield "a run has something else than a format and a text"
