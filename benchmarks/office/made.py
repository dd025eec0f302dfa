"""The files by name, and the fewer of a quick run."""

from collections.abc import Callable

from benchmarks.office.made_sheets import SHEETS
from benchmarks.office.made_slides import SLIDES
from benchmarks.office.made_word import WORD

FILES: dict[str, Callable[[], bytes]] = WORD | SLIDES | SHEETS
QUICK = (
    *("contract-fr.docx", "brochure-fr.docx", "notice-ar.docx", "reviewed-en.docx"),
    *("manual-fr.docx", "lesson-fr.pptx", "moved-en.pptx", "rich-en.xlsx", "computed-en.xlsx"),
)
