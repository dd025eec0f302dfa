"""WordprocessingML that python-docx can't make, written by hand."""

from xml.sax.saxutils import escape

from docx.oxml import parse_xml
from docx.text.paragraph import Paragraph
from lxml import etree

from benchmarks.office.packages import Part

_SPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in _SPACES.items())
_BY_ANNE = 'w:author="Anne" w:date="2025-11-03T09:00:00Z"'


def elements(xml: str) -> list[etree._Element]:
    """The elements of a fragment, whose prefixes are known."""
    return list(parse_xml(f"<w:fragment {_DECLARED}>{xml}</w:fragment>"))


def add(paragraph: Paragraph, xml: str) -> Paragraph:
    """The paragraph with this at its end."""
    for element in elements(xml):
        paragraph._p.append(element)
    return paragraph


def run(text: str, look: str = "") -> str:
    """A run; `look` is what its format says."""
    look = f"<w:rPr>{look}</w:rPr>" if look else ""
    return f'<w:r>{look}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def paragraph(*content: str, format: str = "") -> str:
    """A paragraph of runs and the like."""
    format = f"<w:pPr>{format}</w:pPr>" if format else ""
    return f"<w:p>{format}{''.join(content)}</w:p>"


def begin(code: str) -> str:
    """A field's begin, up to what it shows."""
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f'<w:r><w:instrText xml:space="preserve"> {escape(code)} </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    )


END = '<w:r><w:fldChar w:fldCharType="end"/></w:r>'


def field(code: str, *shown: str) -> str:
    """A field in runs of its own."""
    return begin(code) + "".join(shown) + END


def field_in_a_run(before: str, code: str, shown: str, after: str = "") -> str:
    """A field with words around it, all in one run, as scripts write it."""
    return (
        f'<w:r><w:t xml:space="preserve">{before}</w:t><w:fldChar w:fldCharType="begin"/>'
        f'<w:instrText xml:space="preserve"> {code} </w:instrText>'
        f'<w:fldChar w:fldCharType="separate"/><w:t>{shown}</w:t>'
        f'<w:fldChar w:fldCharType="end"/><w:t xml:space="preserve">{after}</w:t></w:r>'
    )


def bookmark(name: str, number: int, *content: str) -> str:
    """What other places of the document refer to by this name."""
    return (
        f'<w:bookmarkStart w:id="{number}" w:name="{name}"/>{"".join(content)}'
        f'<w:bookmarkEnd w:id="{number}"/>'
    )


def link_to(name: str, *content: str) -> str:
    """A link to a bookmark."""
    return f'<w:hyperlink w:anchor="{name}" w:history="1">{"".join(content)}</w:hyperlink>'


def control(content: str, number: int, kind: str = "<w:text/>") -> str:
    """A content control."""
    return (
        f'<w:sdt><w:sdtPr><w:alias w:val="Control {number}"/><w:id w:val="{9000 + number}"/>{kind}'
        f"</w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"
    )


TITLE_BOUND = (
    "<w:dataBinding w:prefixMappings=\"xmlns:ns0='http://purl.org/dc/elements/1.1/' "
    "xmlns:ns1='http://schemas.openxmlformats.org/package/2006/metadata/core-properties'\" "
    'w:xpath="/ns1:coreProperties[1]/ns0:title[1]" '
    'w:storeItemID="{6C3C8BC8-F283-45AE-878A-BAB7291924A1}"/><w:text/>'
)
CHECKBOX = '<w14:checkbox><w14:checked w14:val="0"/></w14:checkbox>'
CHOICE = (
    '<w:dropDownList><w:listItem w:displayText="Full time" w:value="full"/>'
    '<w:listItem w:displayText="Part time" w:value="part"/></w:dropDownList>'
)


def text_box(number: int, *paragraphs: str) -> str:
    """A run with a text box, as Word writes it: a shape, and an older one for older programs."""
    content = f"<w:txbxContent>{''.join(paragraphs)}</w:txbxContent>"
    kind = "http://schemas.microsoft.com/office/word/2010/wordprocessingShape"
    return (
        '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing>'
        '<wp:anchor distT="0" distB="0" distL="114300" distR="114300" simplePos="0" '
        f'relativeHeight="25165{number:04}" behindDoc="0" locked="0" layoutInCell="1" '
        'allowOverlap="1"><wp:simplePos x="0" y="0"/><wp:positionH relativeFrom="column">'
        "<wp:posOffset>3200000</wp:posOffset></wp:positionH><wp:positionV "
        'relativeFrom="paragraph"><wp:posOffset>100000</wp:posOffset></wp:positionV>'
        '<wp:extent cx="2400000" cy="900000"/><wp:effectExtent l="0" t="0" r="0" b="0"/>'
        f'<wp:wrapSquare wrapText="bothSides"/><wp:docPr id="{number}" name="Box {number}"/>'
        f'<wp:cNvGraphicFramePr/><a:graphic><a:graphicData uri="{kind}"><wps:wsp>'
        '<wps:cNvSpPr txBox="1"/><wps:spPr><a:xfrm><a:off x="0" y="0"/>'
        '<a:ext cx="2400000" cy="900000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>'
        f"</a:prstGeom></wps:spPr><wps:txbx>{content}</wps:txbx><wps:bodyPr/></wps:wsp>"
        "</a:graphicData></a:graphic></wp:anchor></w:drawing></mc:Choice><mc:Fallback><w:pict>"
        f'<v:shape id="box{number}" type="#_x0000_t202" style="position:absolute;width:189pt;'
        f'height:71pt"><v:textbox>{content}</v:textbox></v:shape></w:pict></mc:Fallback>'
        "</mc:AlternateContent></w:r>"
    )


def equation(letter: str, *, apart: bool = False) -> str:
    """An equation: the letter squared over two."""
    inner = f"<m:r><m:t>{letter}</m:t></m:r>"
    squared = f"<m:sSup><m:e>{inner}</m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
    half = f"<m:f><m:num>{squared}</m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    whole = f"<m:oMath>{half}</m:oMath>"
    return f"<m:oMathPara>{whole}</m:oMathPara>" if apart else whole


def inserted(text: str, number: int) -> str:
    """Words that Anne put in, which nobody has accepted yet."""
    return f'<w:ins w:id="{number}" {_BY_ANNE}>{run(text)}</w:ins>'


def deleted(text: str, number: int) -> str:
    """Words that Anne took out."""
    gone = run(text).replace("w:t>", "w:delText>").replace("<w:t ", "<w:delText ")
    return f'<w:del w:id="{number}" {_BY_ANNE}>{gone}</w:del>'


def restyled(text: str, number: int) -> str:
    """Words that Anne made bold."""
    return run(text, f'<w:b/><w:rPrChange w:id="{number}" {_BY_ANNE}><w:rPr/></w:rPrChange>')


def note_mark(number: int, kind: str = "footnote") -> str:
    """The mark of a note in the text."""
    return (
        '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
        f'<w:{kind}Reference w:id="{number}"/></w:r>'
    )


def notes(texts: tuple[str, ...], kind: str = "footnote") -> Part:
    """The part with notes, numbered from 1; each text is runs."""
    mark = f'<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:{kind}Ref/></w:r>'
    lines = (("separator", -1), ("continuationSeparator", 0))
    body = "".join(
        f'<w:{kind} w:type="{name}" w:id="{n}">{paragraph(f"<w:r><w:{name}/></w:r>")}</w:{kind}>'
        for name, n in lines
    )
    body += "".join(
        f'<w:{kind} w:id="{n}">{paragraph(mark, run(" "), text)}</w:{kind}>'
        for n, text in enumerate(texts, 1)
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f"<w:{kind}s {_DECLARED}>{body}</w:{kind}s>"
    )
    return Part(f"{kind}s.xml", f"wordprocessingml.{kind}s", f"{kind}s", xml)
