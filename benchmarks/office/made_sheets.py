"""Excel files, each with something that the others lack: `SHEETS` makes them by name."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from io import BytesIO

import openpyxl
from lxml import etree
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image
from openpyxl.formatting.rule import CellIsRule, FormulaRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from benchmarks.office.packages import Part, entries, packed, with_parts
from benchmarks.office.pictures import picture

_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RED = PatternFill("solid", bgColor="FFC7CE")
_SHEET = re.compile(r"xl/worksheets/[^/]*\.xml")


def _saved(book: openpyxl.Workbook) -> bytes:
    written = BytesIO()
    book.save(written)
    return packed(entries(written.getvalue()))


def _fill(sheet: Worksheet, rows: Iterable[Sequence[object]]) -> None:
    for row in rows:
        sheet.append(list(row))


def _budget() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Household"
    rows = (
        ("Item", "Cost", "Paid on", "State"),
        ("Rent of the flat", 950, date(2026, 1, 2), '=IF(B2>900,"too much","fine")'),
        ("Electricity and gas", 120.5, date(2026, 1, 9), '=IF(B3>900,"too much","fine")'),
        ("fine", 40, date(2026, 1, 12), None),
        ("Sum of all items", "=SUM(B2:B4)", None, '=COUNTIF(D2:D3,"fine")&" are fine"'),
    )
    _fill(sheet, rows)
    for cell in sheet["B"][1:]:
        cell.number_format = '#,##0.00 "£"'
    for cell in sheet["C"][1:]:
        cell.number_format = "d mmmm yyyy"
    sheet.freeze_panes = "B2"
    sheet["A1"].font = Font(bold=True)
    return _shared(_saved(book))


def _stock() -> bytes:
    """Its strings are in its cells, as reports often have them."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Réserve"
    _fill(
        sheet,
        (
            ("Article", "Quantité", "Rayon"),
            ("Vis à bois", 400, "quincaillerie"),
            ("Pinceau large", 25, "peinture"),
            ("Colle forte", 12, "peinture"),
        ),
    )
    table = Table(displayName="Stock", ref="A1:C4")
    table.tableStyleInfo = TableStyleInfo(name="TableStyleMedium9", showRowStripes=True)
    sheet.add_table(table)
    sheet["E1"], sheet["F1"] = "Total des articles", "=SUM(Stock[Quantité])"
    sheet["E2"], sheet["F2"] = "En peinture", '=SUMIF(Stock[Rayon],"peinture",Stock[Quantité])'
    other = book.create_sheet("Fournisseurs")
    _fill(other, (("Nom", "Ville"), ("Maison Durand", "Nantes"), ("Outils du Midi", "Toulouse")))
    other.auto_filter.ref = "A1:B3"
    other.auto_filter.add_filter_column(1, ["Nantes"])
    return _saved(book)


def _rich() -> bytes:
    """Formatted words in cells, among the shared strings."""
    book = openpyxl.Workbook()
    sheet = book.active
    bold, red = InlineFont(b=True), InlineFont(i=True, color="FFC00000")
    sheet["A1"] = CellRichText("Read the ", TextBlock(bold, "safety rules"), " before you start.")
    sheet["A2"] = CellRichText(TextBlock(red, "Never"), " open the ", TextBlock(bold, "left door"))
    sheet["A3"] = "An ordinary sentence\non two lines."
    sheet["A3"].alignment = Alignment(wrap_text=True)
    sheet["A4"] = sheet["A5"] = "The same words twice"
    return _shared(_saved(book))


def _shared(data: bytes) -> bytes:
    """The workbook with its strings where Excel puts them: each once, in a part of their own."""
    files = entries(data)
    known: dict[bytes, int] = {}
    count = 0
    for name in filter(_SHEET.fullmatch, files):
        root = etree.fromstring(files[name])
        for inline in list(root.iter(f"{_S}is")):
            cell = inline.getparent()
            cell.set("t", "s")
            cell.remove(inline)
            inline.tag = f"{_S}si"
            number = known.setdefault(etree.tostring(inline), len(known))
            etree.SubElement(cell, f"{_S}v").text = str(number)
            count += 1
        files[name] = etree.tostring(root, encoding="UTF-8")
    xml = (
        f'<sst xmlns="{_S[1:-1]}" count="{count}" uniqueCount="{len(known)}">'
        f"{b''.join(known).decode()}</sst>"
    )
    part = Part("sharedStrings.xml", "spreadsheetml.sharedStrings", "sharedStrings", xml)
    return with_parts(packed(files), "xl/workbook.xml", (part,))


def _arabic() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "المشتريات"
    sheet.sheet_view.rightToLeft = True
    _fill(sheet, (("الصنف", "السعر"), ("خبز وحليب", 12), ("فواكه", 30), ("المجموع", "=SUM(B2:B3)")))
    sheet["A6"] = CellRichText("يرجى ", TextBlock(InlineFont(b=True), "الدفع نقدا"), " عند التسليم")
    return _saved(book)


def _planning() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Planning"
    _fill(
        sheet,
        (
            ("Tâche", "Responsable", "État"),
            ("Peindre le couloir", "Amélie", "en cours"),
            ("Réparer le portail", "Karim", "terminé"),
            ("Tailler la haie", "Louise", "en retard"),
        ),
    )
    states = DataValidation(type="list", formula1='"en cours,terminé,en retard"')
    sheet.add_data_validation(states)
    states.add("C2:C10")
    names = DataValidation(type="list", formula1="Équipe!$A$1:$A$3")
    sheet.add_data_validation(names)
    names.add("B2:B10")
    sheet.conditional_formatting.add("C2:C10", CellIsRule("equal", ['"en retard"'], fill=_RED))
    sheet.conditional_formatting.add("A2:A10", FormulaRule(['$C2="terminé"'], fill=_RED))
    team = book.create_sheet("Équipe")
    _fill(team, (("Amélie",), ("Karim",), ("Louise",)))
    return _shared(_saved(book))


def _charts() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Rain"
    rows = (("Month", "Millimetres"), ("January", 80), ("February", 64), ("Whole winter", 210))
    _fill(sheet, rows)
    chart = BarChart()
    chart.title = "Rain in winter"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=4), titles_from_data=True)
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=4))
    sheet.add_chart(chart, "D2")
    sheet["A4"].comment = Comment("Ask the weather office.", "Anne")
    sheet["A6"], sheet["A6"].hyperlink = "Read the whole series", "https://example.org/rain"
    return _shared(_saved(book))


def _images() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Accueil"
    sheet["A1"] = "Inventaire de la bibliothèque"
    sheet.merge_cells("A1:D2")
    sheet.add_image(Image(picture("navy")), "F1")
    sheet["A4"], sheet["B4"] = "Livres prêtés", "='Prêts'!B3"
    lent = book.create_sheet("Prêts")
    _fill(lent, (("Titre du livre", "Jours"), ("Les Misérables", 21), ("Total", "=SUM(B2)")))
    lent.merge_cells("A5:A7")
    lent["A5"] = "Rendre les livres à temps"
    book.create_sheet("Vide").sheet_state = "hidden"
    return _shared(_saved(book))


def _computed() -> bytes:
    """As Excel saves it: results are beside the formulas."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Report"
    _fill(
        sheet,
        (
            ("Machine", "Place", "Label"),
            ("Lathe", "north hall", '=A2&" in the "&B2'),
            ("Milling machine", "south hall", '=A3&" in the "&B3'),
        ),
    )
    files = entries(_saved(book))
    name = next(filter(_SHEET.fullmatch, files))
    root = etree.fromstring(files[name])
    results = iter(("Lathe in the north hall", "Milling machine in the south hall"))
    for formula in root.iter(f"{_S}f"):
        cell = formula.getparent()
        cell.set("t", "str")
        cell.find(f"{_S}v").text = next(results)
    files[name] = etree.tostring(root, encoding="UTF-8")
    files["xl/workbook.xml"] = files["xl/workbook.xml"].replace(b' fullCalcOnLoad="1"', b"")
    return _shared(packed(files))


SHEETS: dict[str, Callable[[], bytes]] = {
    "budget-en.xlsx": _budget,
    "stock-fr.xlsx": _stock,
    "rich-en.xlsx": _rich,
    "shopping-ar.xlsx": _arabic,
    "planning-fr.xlsx": _planning,
    "rain-en.xlsx": _charts,
    "library-fr.xlsx": _images,
    "computed-en.xlsx": _computed,
}
