"""PowerPoint files, each with something that the others lack: `SLIDES` makes them by name."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import pptx
from lxml import etree
from pptx.chart.data import ChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.presentation import Presentation
from pptx.slide import Slide
from pptx.util import Inches

from benchmarks.office.packages import entries, packed
from benchmarks.office.pictures import picture

_SPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)


def _saved(presentation: Presentation) -> bytes:
    written = BytesIO()
    presentation.save(written)
    return packed(entries(written.getvalue()))


def _slide(presentation: Presentation, layout: int, title: str) -> Slide:
    slide: Slide = presentation.slides.add_slide(presentation.slide_layouts[layout])
    if slide.shapes.title is not None:
        slide.shapes.title.text = title
    return slide


def _bullets(slide: Slide, lines: Sequence[tuple[str, int]]) -> None:
    frame: Any = slide.placeholders[1].text_frame
    for number, (text, level) in enumerate(lines):
        paragraph = frame.add_paragraph() if number else frame.paragraphs[0]
        paragraph.text, paragraph.level = text, level


def _box(slide: Slide, top: float = 5.0) -> Any:
    """The paragraph of a new text box."""
    size = Inches(1), Inches(top), Inches(7), Inches(1)
    return slide.shapes.add_textbox(*size).text_frame.paragraphs[0]


def _put(paragraph: Any, xml: str) -> None:
    """Put elements into a paragraph, after its runs."""
    for element in list(parse_xml(f"<a:fragment {_SPACES}>{xml}</a:fragment>")):
        paragraph._p.append(element)


def _runs(paragraph: Any, *texts: str) -> list[Any]:
    runs = []
    for text in texts:
        run = paragraph.add_run()
        run.text = text
        runs.append(run)
    return runs


def _pitch() -> bytes:
    presentation = pptx.Presentation()
    _slide(presentation, 0, "A bakery on wheels")
    plan = _slide(presentation, 1, "Our plan")
    _bullets(
        plan,
        [("Two vans in the first year", 0), ("one for the market", 1), ("paid by a loan", 2)],
    )
    last = _slide(presentation, 1, "What we need")
    _bullets(last, [("Forty thousand pounds", 0), ("A parking space near the station", 0)])
    frame = last.notes_slide.notes_text_frame
    assert frame is not None
    frame.text = "Mention the letter from the council here.\nThen pause."
    return _saved(presentation)


def _lesson() -> bytes:
    presentation = pptx.Presentation()
    slide = _slide(presentation, 5, "Les oiseaux du jardin")
    size = Inches(1), Inches(2), Inches(6), Inches(2)
    table = slide.shapes.add_table(3, 3, *size).table
    texts = ("Espèce", "", "Saison", "Rouge-gorge", "familier", "l’hiver", "", "méfiant", "l’été")
    for cell, text in zip(table.iter_cells(), texts, strict=True):
        cell.text = text
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(1, 0).merge(table.cell(2, 0))
    slide.shapes.add_picture(picture("green"), Inches(8), Inches(5))
    bold = _runs(_box(slide), "Observez-les ", "sans bruit", " depuis la fenêtre.")[1]
    bold.font.bold = True
    return _saved(presentation)


def _charts() -> bytes:
    presentation = pptx.Presentation()
    slide = _slide(presentation, 5, "Visitors of the museum")
    data = ChartData()
    data.categories = ["Spring", "Summer", "Autumn"]
    data.add_series("Adults", (1200, 3100, 900))
    size = Inches(1), Inches(2), Inches(6), Inches(3)
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *size, data)
    _runs(_box(slide), "Summer brings three times as many people.")
    return _saved(presentation)


def _groups() -> bytes:
    presentation = pptx.Presentation()
    slide = _slide(presentation, 5, "Circuit de l’eau")
    outer = slide.shapes.add_group_shape()
    inner = outer.shapes.add_group_shape()
    for group, left, text in (
        (outer, 1, "La source alimente le réservoir."),
        (inner, 4, "Le réservoir alimente la ville."),
        (inner, 7, "La station épure l’eau usée."),
    ):
        shape = group.shapes.add_textbox(Inches(left), Inches(3), Inches(2), Inches(1))
        shape.text_frame.word_wrap = True
        shape.text_frame.text = text
    return _saved(presentation)


def _links() -> bytes:
    presentation = pptx.Presentation()
    slide = _slide(presentation, 1, "Where to read more")
    _bullets(slide, [("Start with the handbook", 0)])
    found = _runs(_box(slide), "The ", "city archive", " keeps ", "every", " map since 1750.")
    found[1].hyperlink.address = "https://example.org/archive"
    found[3].font.italic = True
    found[3].font.color.rgb = RGBColor(0xC0, 0, 0)
    _runs(_box(slide, 6), "Prices fell by 12 %", " (", "see below", ").")[2].font.bold = True
    return _saved(presentation)


def _numbers() -> bytes:
    presentation = pptx.Presentation()
    slide = _slide(presentation, 1, "Calendrier des travaux")
    _bullets(slide, [("Le toit avant l’automne", 0), ("La façade au printemps", 0)])
    number = _box(slide)
    _runs(number, "Diapositive ")
    guid = "{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}"
    _put(
        number,
        f'<a:fld id="{guid}" type="slidenum"><a:rPr lang="fr-FR"/><a:t>1</a:t></a:fld>'
        '<a:r><a:rPr lang="fr-FR" dirty="0"/><a:t> du dossier</a:t></a:r>'
        '<a:br><a:rPr lang="fr-FR"/></a:br>'
        '<a:r><a:rPr lang="fr-FR" err="1"/><a:t>Présenté au </a:t></a:r>'
        '<a:r><a:rPr lang="en-US"/><a:t>conseil municipal</a:t></a:r>'
        '<a:endParaRPr lang="fr-FR" sz="1800"/>',
    )
    return _saved(presentation)


def _moved() -> bytes:
    """Its last slide was moved to the front."""
    presentation = pptx.Presentation()
    for title, note in (
        ("Second in the talk", ""),
        ("Third in the talk", "Thank the volunteers."),
        ("First in the talk", "Welcome everybody warmly."),
    ):
        slide = _slide(presentation, 5, title)
        if note:
            frame = slide.notes_slide.notes_text_frame
            assert frame is not None
            frame.text = note
    order: etree._Element = presentation.slides._sldIdLst
    order.insert(0, order[-1])
    return _saved(presentation)


def _arabic() -> bytes:
    presentation = pptx.Presentation()
    slide = _slide(presentation, 5, "مرحبا بكم في المدرسة")
    paragraph = _box(slide)
    _runs(paragraph, "يبدأ الدرس ", "في الثامنة", " صباحا كل يوم")[1].font.bold = True
    paragraph._p.get_or_add_pPr().set("rtl", "1")
    formula = _box(slide, 6)
    _runs(formula, "The area is ")
    _put(
        formula,
        '<mc:AlternateContent><mc:Choice Requires="a14"><a14:m><m:oMath><m:r><m:t>a</m:t></m:r>'
        '</m:oMath></a14:m></mc:Choice><mc:Fallback><a:r><a:rPr lang="en-GB"/><a:t>a</a:t></a:r>'
        "</mc:Fallback></mc:AlternateContent>"
        '<a:r><a:rPr lang="en-GB"/><a:t> in square metres.</a:t></a:r>',
    )
    return _saved(presentation)


SLIDES: dict[str, Callable[[], bytes]] = {
    "pitch-en.pptx": _pitch,
    "lesson-fr.pptx": _lesson,
    "charts-en.pptx": _charts,
    "groups-fr.pptx": _groups,
    "links-en.pptx": _links,
    "numbers-fr.pptx": _numbers,
    "moved-en.pptx": _moved,
    "school-ar.pptx": _arabic,
}
