"""A chart in a Word file, which python-docx has nothing for: its part, its workbook, its place."""

from docx.document import Document as Docx
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from lxml import etree

from archipel.documents.making.charts import chart_xml, workbook_of
from archipel.documents.making.parts import Chart

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
_TYPES = "application/vnd.openxmlformats-officedocument"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_WIDE, _HIGH = 5_486_400, 3_200_400  # English Metric Units: 6 by 3.5 inches


def add_chart(document: Docx, chart: Chart) -> None:
    """The chart in a paragraph of its own at the file's end."""
    package = document.part.package
    number = 1 + sum(
        str(part.partname).startswith("/word/charts/") for part in package.iter_parts()
    )
    book = Part(
        PackURI(f"/word/embeddings/chart{number}.xlsx"),
        f"{_TYPES}.spreadsheetml.sheet",
        workbook_of(chart),
        package,
    )
    name = PackURI(f"/word/charts/chart{number}.xml")
    part = Part(name, f"{_TYPES}.drawingml.chart+xml", b"", package)
    part._blob = _with_workbook(chart_xml(chart), part.relate_to(book, f"{_OFFICE}/package"))
    relation = document.part.relate_to(part, f"{_OFFICE}/chart")
    document.add_paragraph().add_run()._r.append(_place(relation, 1000 + number, chart.title))


def _with_workbook(xml: bytes, relation: str) -> bytes:
    root = etree.fromstring(xml)
    outside = etree.SubElement(root, f"{{{_DRAWING}/chart}}externalData")
    outside.set(f"{{{_OFFICE}}}id", relation)
    etree.SubElement(outside, f"{{{_DRAWING}/chart}}autoUpdate", val="0")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def _place(relation: str, number: int, title: str) -> etree._Element:
    place = parse_xml(
        f'<w:drawing xmlns:w="{_WORD}" xmlns:wp="{_DRAWING}/wordprocessingDrawing">'
        f'<wp:inline><wp:extent cx="{_WIDE}" cy="{_HIGH}"/><wp:docPr id="{number}" name=""/>'
        f'<a:graphic xmlns:a="{_DRAWING}/main"><a:graphicData uri="{_DRAWING}/chart">'
        f'<c:chart xmlns:c="{_DRAWING}/chart" xmlns:r="{_OFFICE}" r:id="{relation}"/>'
        "</a:graphicData></a:graphic></wp:inline></w:drawing>"
    )
    named = place[0].find(f"{{{_DRAWING}/wordprocessingDrawing}}docPr")
    named.set("name", f"Chart {number}")
    named.set("descr", title)
    return place
