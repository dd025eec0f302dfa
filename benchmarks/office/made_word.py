"""Word files, each with something that the others lack: `WORD` makes them by name."""

from collections.abc import Callable
from io import BytesIO

import docx
from docx.document import Document
from docx.enum.section import WD_SECTION
from docx.shared import Inches, RGBColor

from benchmarks.office.packages import Part, entries, packed, with_parts
from benchmarks.office.pictures import picture
from benchmarks.office.word_xml import (
    CHECKBOX,
    CHOICE,
    END,
    TITLE_BOUND,
    add,
    begin,
    bookmark,
    control,
    deleted,
    elements,
    equation,
    field,
    field_in_a_run,
    inserted,
    link_to,
    note_mark,
    notes,
    paragraph,
    restyled,
    run,
    text_box,
)

_BOLD, _ITALIC, _RED = "<w:b/>", "<w:i/>", '<w:color w:val="C00000"/>'
_LINK = '<w:color w:val="0563C1"/><w:u w:val="single"/>'


def _saved(document: Document, *parts: Part) -> bytes:
    written = BytesIO()
    document.save(written)
    data = written.getvalue()
    return with_parts(data, "word/document.xml", parts) if parts else packed(entries(data))


def _append(document: Document, xml: str) -> None:
    """Put blocks at the end of the body, before its section's properties."""
    for element in elements(xml):
        document.element.body.sectPr.addprevious(element)


def _letter() -> bytes:
    document = docx.Document()
    section = document.sections[0]
    section.header.paragraphs[0].text = "Harbour Street Housing Association\tTenant services"
    add(section.footer.paragraphs[0], field_in_a_run("Page ", "PAGE", "1", " of this letter"))
    document.add_paragraph("14 Harbour Street\nBristol BS1 4QA\nUnited Kingdom")
    document.add_paragraph("Dear Mrs Whitcombe,")
    told = document.add_paragraph("Thank you for your letter of ")
    told.add_run("3 March").bold = True
    told.add_run(" about the damp in the kitchen. Our surveyor will visit ")
    told.add_run("before the end of the month").italic = True
    told.add_run(", and we ")
    warned = told.add_run("ask you not to paint")
    warned.font.color.rgb = RGBColor(0xC0, 0, 0)
    told.add_run(" until then.")
    document.add_paragraph("Name:\tRosalind Whitcombe\tFlat:\tground floor, left")
    add(
        document.add_paragraph("Questions are answered on "),
        link_to("contact", run("our contact page", _LINK)) + run(" every weekday morning."),
    )
    document.add_paragraph("Yours sincerely,")
    return _saved(document)


def _contract() -> bytes:
    document = docx.Document()
    document.add_heading("Contrat de prestation de services", 0)
    title = document.add_heading("", 1)
    add(title, bookmark("_Ref100", 11, run("Durée du contrat")))
    for text in (
        "Le présent contrat est conclu pour une durée de douze mois.",
        "Il se renouvelle par tacite reconduction, sauf dénonciation par lettre recommandée.",
    ):
        document.add_paragraph(text, style="List Number")
    told = document.add_paragraph("Le ")
    told.add_run("Prestataire").bold = True
    told.add_run(" s’engage envers le ")
    told.add_run("Client").bold = True
    add(
        told,
        run(" à respecter les délais")
        + note_mark(1)
        + run(" prévus à l’article « ")
        + field("REF _Ref100 \\h", run("Durée du contrat"))
        + run(" », page ")
        + field("PAGEREF _Ref100 \\h", run("1"))
        + run(", sous peine de pénalités")
        + note_mark(2)
        + run("."),
    )
    document.add_paragraph("Fait à Lyon, en deux exemplaires originaux.", style="List Bullet")
    return _saved(
        document,
        notes(
            (
                run("Les délais sont comptés en ") + run("jours ouvrés", _ITALIC) + run("."),
                run("Plafonnées à dix pour cent du montant annuel."),
            )
        ),
    )


def _minutes() -> bytes:
    document = docx.Document()
    document.add_heading("Minutes of the parents' council", 1)
    table = document.add_table(rows=4, cols=3, style="Table Grid")
    rows = (
        ("Agenda", "", "Decision"),
        ("School meals", "The kitchen needs a second oven", "Approved by nine votes to two"),
        ("", "The menu is published on Mondays", "Postponed until the summer"),
        ("Playground", "Two benches are broken", "The caretaker repairs them"),
    )
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(1, 0).merge(table.cell(2, 0))
    for text in ("Present were eleven parents.", "Apologies came from the headmaster."):
        document.add_paragraph(text, style="List Bullet")
    told = document.add_paragraph("The next meeting takes place ")
    noted = told.add_run("in the gymnasium")
    told.add_run(" on the second Tuesday of May.")
    document.add_comment(noted, "Is the gymnasium free?", author="Anne", initials="A")
    return _saved(document)


def _thesis() -> bytes:
    document = docx.Document()
    document.add_heading("Mémoire sur les marées", 0)
    first = link_to("_Toc1", run("Introduction\t"), field("PAGEREF _Toc1 \\h", run("1")))
    second = link_to("_Toc2", run("Observations\t"), field("PAGEREF _Toc2 \\h", run("1")))
    shown = [
        paragraph(begin('TOC \\o "1-3" \\h \\z \\u'), first),
        paragraph(second),
        paragraph(END),
    ]
    gallery = '<w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj>'
    _append(document, control(paragraph(run("Sommaire")) + "".join(shown), 1, gallery))
    add(document.add_heading("", 1), bookmark("_Toc1", 21, run("Introduction")))
    add(
        document.add_paragraph("La marée suit la Lune avec un retard"),
        note_mark(1) + run(" que les pêcheurs connaissent depuis toujours."),
    )
    add(document.add_heading("", 1), bookmark("_Toc2", 22, run("Observations")))
    add(
        document.add_paragraph("L’amplitude croît comme "),
        equation("h") + run(" dans les estuaires étroits") + note_mark(1, "endnote") + run("."),
    )
    return _saved(
        document,
        notes((run("De quelques heures à Saint-Malo."),)),
        notes((run("Relevés faits à Brest entre 1990 et 2020."),), "endnote"),
    )


def _brochure() -> bytes:
    document = docx.Document()
    document.add_heading("Week-end à Annecy", 0)
    box = text_box(
        41,
        paragraph(run("Ouvert toute l’année"), format='<w:jc w:val="center"/>'),
        paragraph(run("Réservez "), run("dès maintenant", _BOLD), run(" au bureau du port.")),
    )
    add(document.add_paragraph("Le lac est entouré de sentiers ombragés."), box)
    shown = document.add_paragraph("Au marché, ")
    shown.add_run().add_picture(picture("teal"), width=Inches(0.4))
    shown.add_run(" les producteurs vendent leurs fromages.")
    section = document.add_section(WD_SECTION.CONTINUOUS)
    for columns in section._sectPr.iterchildren("{*}cols"):
        section._sectPr.remove(columns)
    section._sectPr.extend(elements('<w:cols w:num="2" w:space="400" w:sep="1"/>'))
    document.add_paragraph("Samedi, montez au château avant la chaleur de midi.")
    document.add_paragraph("Dimanche, louez un vélo et faites le tour du lac.")
    return _saved(document)


def _form() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Application for a library card"
    _append(document, paragraph(control(run("Application for a library card"), 1, TITLE_BOUND)))
    add(
        document.add_paragraph("I am called "),
        control(run("Oliver Marsh"), 2)
        + run(" and I work ")
        + control(run("Full time"), 3, CHOICE),
    )
    add(
        document.add_paragraph(),
        control(run("☐"), 4, CHECKBOX) + run(" I have read the rules of the library."),
    )
    _append(
        document,
        control(
            paragraph(run("Tell us which books you ")) + paragraph(run("miss on our shelves.")),
            5,
            "<w:richText/>",
        ),
    )
    tagged = '<w:smartTag w:uri="urn:places" w:element="place">' + run("Norwich") + "</w:smartTag>"
    add(document.add_paragraph("The branch in "), tagged + run(" is open on Sundays."))
    add(document.add_paragraph("Signed: "), field("FORMTEXT", run("Oliver Marsh")))
    return _saved(document)


def _notice() -> bytes:
    document = docx.Document()
    rtl = "<w:rtl/>"
    _append(
        document,
        paragraph(run("إعلان للسكان", _BOLD + rtl), format="<w:bidi/>")
        + paragraph(
            run("ستنقطع المياه يوم ", rtl),
            run("الثلاثاء", _BOLD + rtl),
            run(" من الساعة التاسعة حتى الظهر في شارع ", rtl),
            run("Victor Hugo"),
            run(" بسبب أعمال الصيانة.", rtl),
            format='<w:bidi/><w:jc w:val="left"/>',
        ),
    )
    table = document.add_table(rows=2, cols=2, style="Table Grid")
    table._tbl.tblPr.append(elements("<w:bidiVisual/>")[0])
    for cell, text in zip(table._cells, ("اليوم", "الساعة", "الأحد", "صباحا"), strict=True):
        cell.text = ""
        add(cell.paragraphs[0], run(text, rtl))
    document.add_paragraph("Les habitants sont priés de faire des réserves d’eau.")
    return _saved(document)


def _hebrew() -> bytes:
    document = docx.Document()
    rtl = "<w:rtl/>"
    for content in (
        (run("שלום לכולם", rtl),),
        (
            run("הפגישה תתקיים ", rtl),
            run("ביום רביעי", "<w:bCs/>" + rtl),
            run(" במשרד הראשי", rtl),
            note_mark(1),
            run(" בשעה עשר.", rtl),
        ),
    ):
        _append(document, paragraph(*content, format="<w:bidi/>"))
    document.add_paragraph("Please bring the signed lease.", style="List Bullet")
    return _saved(document, notes((run("בקומה השנייה", rtl),)))


def _reviewed() -> bytes:
    document = docx.Document()
    contents = [
        paragraph(begin('TOC \\o "1-1"'), run("Budget\t2")),
        paragraph(inserted("Staff", 51), run("\t3"), END),
    ]
    _append(document, "".join(contents))
    document.add_heading("Budget", 1)
    add(
        document.add_paragraph("The town spends "),
        deleted("less", 52) + inserted("more", 53) + run(" on roads this year."),
    )
    add(
        document.add_paragraph("Schools get "),
        restyled("four new teachers", 54) + run(" in September, and a nurse visits weekly."),
    )
    ended = '<w:rPr><w:ins w:id="55" w:author="Anne" w:date="2025-11-03T09:00:00Z"/></w:rPr>'
    _append(document, paragraph(run("The paragraph mark here is new."), format=ended))
    document.add_heading("Staff", 1)
    document.add_paragraph("Nobody has changed this sentence yet.")
    return _saved(document)


def _manual() -> bytes:
    document = docx.Document()
    document.add_heading("Mode d’emploi de la cafetière", 1)
    web = 'HYPERLINK "https://example.org/garantie"'
    shown = run("conditions ", _LINK) + run("de garantie", _LINK + _BOLD)
    add(
        document.add_paragraph("Lisez les "),
        field(web, shown) + run(" avant la première utilisation."),
    )
    add(
        document.add_paragraph("La page "),
        '<w:fldSimple w:instr=" PAGE ">' + run("1") + "</w:fldSimple>" + run(" montre la cuve, "),
    )
    inner = link_to("cuve", run("la figure 1"))
    add(
        document.add_paragraph("Remplissez la cuve comme sur "),
        bookmark("cuve", 31) + field("REF cuve \\h", inner) + run(" et fermez le couvercle."),
    )
    special = (
        '<w:r><w:t xml:space="preserve">Ne dépassez pas quatre</w:t><w:noBreakHyphen/>'
        '<w:t>vingts degrés de tempé</w:t><w:softHyphen/><w:t xml:space="preserve">rature </w:t>'
        '<w:sym w:font="Wingdings" w:char="F04A"/><w:t xml:space="preserve"> ni deux litres.</w:t>'
        "</w:r>"
    )
    add(document.add_paragraph(), special)
    add(document.add_paragraph(), run("Voir ") + field_in_a_run("page ", "PAGE", "1", " du guide."))
    document.add_paragraph("Débranchez l’appareil\navant de le nettoyer.")
    return _saved(document)


def _report() -> bytes:
    document = docx.Document()
    section = document.sections[0]
    section.different_first_page_header_footer = True
    document.settings.odd_and_even_pages_header_footer = True
    section.first_page_header.paragraphs[0].text = "Confidential until the assembly"
    section.header.paragraphs[0].text = "Annual report of the cooperative"
    section.even_page_footer.paragraphs[0].text = "Printed on recycled paper"
    add(
        section.footer.paragraphs[0],
        run("Page ") + field("PAGE", run("1")) + run(" of ") + field("NUMPAGES", run("2")),
    )
    document.add_heading("Harvest", 1)
    outer = document.add_table(rows=1, cols=2, style="Table Grid")
    outer.cell(0, 0).text = "Apples were late because of the frost."
    inner = outer.cell(0, 1).add_table(rows=2, cols=2)
    for cell, text in zip(inner._cells, ("Variety", "Tonnes", "Bramley", "412"), strict=True):
        cell.text = text
    told = document.add_paragraph("Sales rose by 4 % in ")
    told.add_run("the north").underline = True
    told.add_run(", and fell elsewhere.")
    document.add_page_break()
    document.add_heading("Members", 1)
    document.add_paragraph("Thirty growers joined us; two left for good.")
    return _saved(document)


def _recipe() -> bytes:
    document = docx.Document()
    document.add_heading("Tarte aux pommes", 1)
    for style, text in (
        ("List Number", "Préparer la pâte"),
        ("List Number 2", "Mélanger la farine et le beurre froid"),
        ("List Number 2", "Laisser reposer une heure au frais"),
        ("List Number", "Éplucher les pommes"),
        ("List Bullet 3", "Choisir des reinettes bien mûres"),
    ):
        document.add_paragraph(text, style=style)
    told = document.add_paragraph("Saupoudrer de cannelle ")
    told.add_run().add_picture(picture("brown"), width=Inches(0.3))
    told.add_run(" puis ")
    told.add_run().add_picture(picture("gold"), width=Inches(0.3))
    told.add_run(" enfourner trente minutes.")
    document.add_paragraph("Servir tiède", style="Intense Quote")
    return _saved(document)


def _paper() -> bytes:
    document = docx.Document()
    document.add_heading("On the drag of small boats", 0)
    add(
        document.add_paragraph("We measure the force on a hull of length "),
        equation("L")
        + run(" in calm water")
        + note_mark(1, "endnote")
        + run(" and find that CO")
        + run("2", '<w:vertAlign w:val="subscript"/>')
        + run(" makes no difference."),
    )
    add(document.add_paragraph("The result is "), equation("v", apart=True))
    add(
        document.add_paragraph(),
        run("Speed", '<w:i/><w:lang w:val="en-GB"/>')
        + run(" is in metres per second, and ")
        + run("drag", _ITALIC + _RED)
        + run(" in newtons")
        + note_mark(2, "endnote")
        + run("."),
    )
    return _saved(
        document,
        notes(
            (
                run("The basin in Southampton was used at night."),
                run("See ") + run("Ship Hydrodynamics", _ITALIC) + run(", second edition."),
            ),
            "endnote",
        ),
    )


def _typed() -> bytes:
    """As Word saves what somebody typed: revisions, spelling and languages cut the runs."""
    document = docx.Document()
    typed = (
        '<w:r w:rsidR="00A41B2C"><w:rPr><w:lang w:val="en-GB"/></w:rPr>'
        '<w:t xml:space="preserve">The gard</w:t></w:r>'
        '<w:commentRangeStart w:id="0"/><w:r w:rsidR="00B52C3D"><w:t>eners</w:t></w:r>'
        '<w:commentRangeEnd w:id="0"/><w:proofErr w:type="spellStart"/>'
        '<w:r w:rsidRPr="00C63D4E"><w:rPr><w:lang w:val="fr-FR"/></w:rPr>'
        '<w:lastRenderedPageBreak/><w:t xml:space="preserve"> water the roses </w:t></w:r>'
        '<w:proofErr w:type="spellEnd"/><w:bookmarkStart w:id="61" w:name="_GoBack"/>'
        '<w:r><w:t>every</w:t></w:r><w:bookmarkEnd w:id="61"/>'
        '<w:permStart w:id="62" w:edGrp="everyone"/><w:r w:rsidR="00B52C3D">'
        '<w:t xml:space="preserve"> evening.</w:t></w:r><w:permEnd w:id="62"/>'
    )
    document.add_comment(
        document.add_paragraph("Notes for the new gardener").runs, "Which one?", author="Anne"
    )
    add(document.add_paragraph(), typed)
    same = (
        '<w:r w:rsidR="00A41B2C"><w:t>First line</w:t><w:br/><w:t>second line</w:t><w:tab/>'
        "<w:t>after a tab</w:t><w:cr/><w:t>and the last one.</w:t></w:r>"
    )
    add(document.add_paragraph(), same)
    spaced = '<w:r><w:t>Two  blanks</w:t></w:r><w:r><w:t xml:space="preserve"> stay </w:t></w:r>'
    add(document.add_paragraph(), spaced + run("here.", '<w:highlight w:val="yellow"/>'))
    return _saved(document)


WORD: dict[str, Callable[[], bytes]] = {
    "letter-en.docx": _letter,
    "contract-fr.docx": _contract,
    "minutes-en.docx": _minutes,
    "thesis-fr.docx": _thesis,
    "brochure-fr.docx": _brochure,
    "form-en.docx": _form,
    "notice-ar.docx": _notice,
    "letter-he.docx": _hebrew,
    "reviewed-en.docx": _reviewed,
    "manual-fr.docx": _manual,
    "report-en.docx": _report,
    "recipe-fr.docx": _recipe,
    "paper-en.docx": _paper,
    "typed-en.docx": _typed,
}
