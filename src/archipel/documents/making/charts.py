"""A chart as Office's files have it: its XML, and the workbook that its numbers are edited in."""

from pptx.chart.data import CategoryChartData
from pptx.chart.xmlwriter import ChartXmlWriter
from pptx.enum.chart import XL_CHART_TYPE

from archipel.documents.making.parts import Chart

_LEGEND = '<c:legend><c:legendPos val="b"/><c:overlay val="0"/></c:legend>'
KINDS = {
    "column": XL_CHART_TYPE.COLUMN_CLUSTERED,
    "bar": XL_CHART_TYPE.BAR_CLUSTERED,
    "line": XL_CHART_TYPE.LINE_MARKERS,
    "pie": XL_CHART_TYPE.PIE,
}


def chart_data(chart: Chart) -> CategoryChartData:
    """Its numbers as python-pptx takes them."""
    data = CategoryChartData()
    data.categories = chart.names
    for name, values in chart.series:
        data.add_series(name, values)
    return data


def chart_xml(chart: Chart) -> bytes:
    """The chart's own part, without its workbook, with a legend if there is something to tell
    apart."""
    xml = str(ChartXmlWriter(KINDS[chart.kind], chart_data(chart)).xml)
    if has_legend(chart):
        xml = xml.replace("</c:plotArea>", f"</c:plotArea>{_LEGEND}", 1)
    return xml.encode()


def has_legend(chart: Chart) -> bool:
    """Whether its colours have to be explained."""
    return len(chart.series) > 1 or chart.kind == "pie"


def workbook_of(chart: Chart) -> bytes:
    """An xlsx file of its numbers."""
    return bytes(chart_data(chart)._workbook_writer.xlsx_blob)
