"""Papers as files: DOCX to be edited, XLSX to be counted with, PDF to be kept. All three from one `Paper`.

What a person typed is written as text, never as a formula or as markup.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from docx import Document
from docx.document import Document as DocxDocument
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.table import Table as DocxTable
from docx.table import _Cell
from docx.text.paragraph import Paragraph
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from xlsxwriter import Workbook

from jobs.paper import Cell, Paper, Table

# Official papers are printed in a face like Times (DSTU 4163:2020); the one that Debian has may be put into a file.
FONTS = Path("/usr/share/fonts/truetype/liberation")
_FACES = {"": "LiberationSerif-Regular.ttf", "B": "LiberationSerif-Bold.ttf", "I": "LiberationSerif-Italic.ttf"}
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 10, 20, 20  # the margins of an official paper, in millimetres
_WIDE, _HIGH = 297, 210  # A4 on its side
_SIGNATURE = 25  # its height with the space above it, in millimetres
_SHORT = 8  # rows of a table that is not parted
_NUMBERS, _WIDEST = 23, 136  # of columns, in millimetres; the first takes what the numbers leave


def as_docx(paper: Paper) -> bytes:
    """The paper as a document of Word and LibreOffice."""
    document = Document()
    _docx_page(document, paper)
    _docx_line(document, paper.heading, bold=True, centred=True)
    _docx_line(document, paper.title, bold=True, centred=True)
    _docx_line(document, paper.subtitle, bold=True, centred=True, after=8)
    for word, told in paper.facts:
        line = _docx_line(document, f"{word}: ")
        line.add_run(told).bold = True
    for text in paper.paragraphs:
        line = _docx_line(document, text, after=4)
        line.alignment, line.paragraph_format.first_line_indent = WD_ALIGN_PARAGRAPH.JUSTIFY, Mm(10)
    for table in paper.tables:
        _docx_line(document, table.title, bold=True, before=8, after=3).paragraph_format.keep_with_next = True
        _docx_table(document, table)
    heading, remark = paper.remark
    for note in paper.notes:
        line = _docx_line(document, note, before=3)
        line.runs[0].font.size = Pt(9.5)
        line.paragraph_format.keep_with_next = not remark  # a signature does not stand alone on a page
    if remark:
        _docx_line(document, heading, bold=True, before=8)
        for text in remark.splitlines():
            _docx_line(document, text, after=2)
    role, name = paper.signature
    line = _docx_line(document, f"{role}\t{'_' * 22}\t{name or '_' * 28}", before=24)
    for stop in (110, 170):
        line.paragraph_format.tab_stops.add_tab_stop(Mm(stop))
    return _saved(document.save)


def _docx_page(document: DocxDocument, paper: Paper) -> None:
    section = document.sections[0]
    section.orientation, section.page_width, section.page_height = WD_ORIENT.LANDSCAPE, Mm(_WIDE), Mm(_HIGH)
    section.left_margin, section.right_margin = Mm(_LEFT), Mm(_RIGHT)
    section.top_margin, section.bottom_margin = Mm(_TOP), Mm(_BOTTOM)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Times New Roman", Pt(12)
    language = OxmlElement("w:lang")
    language.set(qn("w:val"), paper.language)
    normal.element.get_or_add_rPr().append(language)
    properties = document.core_properties
    properties.title, properties.author, properties.language = paper.title, "", paper.language
    properties.created = properties.modified = paper.at.replace(tzinfo=None)
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    footer.add_run(f"{paper.page_word} ")
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    footer._p.append(field)


def _docx_line(
    document: DocxDocument, text: str, *, bold: bool = False, centred: bool = False, before: float = 0, after: float = 0
) -> Paragraph:
    line = document.add_paragraph()
    line.add_run(text).bold = bold
    line.paragraph_format.space_before, line.paragraph_format.space_after = Pt(before), Pt(after)
    if centred:
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    return line


def _docx_table(document: DocxDocument, table: Table) -> None:
    made = document.add_table(rows=0, cols=len(table.columns), style="Table Grid")
    made.autofit = False
    for column, width in zip(made.columns, _widths(len(table.columns)), strict=True):
        column.width = Mm(width)
    _docx_row(made, table.columns, bold=True, heading=True)
    for row in table.rows:
        _docx_row(made, row)
    if table.total:
        _docx_row(made, table.total, bold=True)
    together = made.rows[:-1] if len(made.rows) <= _SHORT else [*made.rows[:2], made.rows[-2]]
    for row in together:  # LibreOffice loses the rows of a table whose heading is alone at a page's end
        for cell in row.cells:
            cell.paragraphs[0].paragraph_format.keep_with_next = True


def _docx_row(made: DocxTable, cells: tuple[Cell, ...], *, bold: bool = False, heading: bool = False) -> None:
    row = made.add_row()
    traits = row._tr.get_or_add_trPr()
    traits.append(OxmlElement("w:cantSplit"))
    if heading:
        traits.append(OxmlElement("w:tblHeader"))
    widths = _widths(len(cells))
    for place, (cell, told) in enumerate(zip(row.cells, cells, strict=True)):
        cell.width = Mm(widths[place])
        _docx_cell(cell, told, bold, heading, number=place > 0)


def _docx_cell(cell: _Cell, told: Cell, bold: bool, heading: bool, number: bool) -> None:
    line = cell.paragraphs[0]
    run = line.add_run(str(told))
    run.bold, run.font.size = bold, Pt(8 if heading else 10.5)
    if heading:
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    elif number:
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def as_xlsx(paper: Paper) -> bytes:
    """The paper as a workbook: a sheet for each table, the words on the first."""
    buffer = BytesIO()
    book = Workbook(buffer, {"in_memory": True})
    book.set_properties({"title": paper.title, "created": paper.at.replace(tzinfo=None)})
    plain = {"font_name": "Times New Roman", "font_size": 11, "valign": "top"}
    text = book.add_format({**plain, "text_wrap": True})
    strong = book.add_format({**plain, "bold": True, "text_wrap": True})
    cells = {"border": 1, "text_wrap": True}
    numbers = {**plain, **cells, "num_format": "#,##0", "align": "right"}
    name, number = book.add_format({**plain, **cells}), book.add_format(numbers)
    head = book.add_format({**plain, **cells, "bold": True, "align": "center", "bg_color": "#E9ECEA"})
    total_name, total = book.add_format({**plain, **cells, "bold": True}), book.add_format({**numbers, "bold": True})
    for place, table in enumerate(paper.tables):
        sheet = book.add_worksheet(table.short)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.set_footer(f"&C{paper.page_word} &P")
        last = len(table.columns) - 1
        sheet.set_column(0, 0, 42)
        sheet.set_column(1, last, 13)
        words = [(paper.heading, strong), (paper.title, strong), (paper.subtitle, strong)]
        if place == 0:
            words += [(f"{word}: {told}", text) for word, told in paper.facts]
            words += [(told, text) for told in paper.paragraphs]
        words.append((table.title, strong))
        for row, (told, style) in enumerate(words):
            sheet.merge_range(row, 0, row, last, "", style)
            sheet.write_string(row, 0, told, style)
            sheet.set_row(row, 15 * (1 + len(told) // (42 + 11 * last)))
        at = len(words)
        lines = [(table.columns, head, head), *((row, name, number) for row in table.rows)]
        if table.total:
            lines.append((table.total, total_name, total))
        for row, (told, first, others) in enumerate(lines, at):
            for column, cell in enumerate(told):
                write = sheet.write_number if isinstance(cell, int) else sheet.write_string
                write(row, column, cell, others if column else first)
        sheet.set_row(at, 48)  # the words of the columns take up to three lines
        sheet.repeat_rows(at)
        sheet.freeze_panes(at + 1, 1)
        if place == 0 and paper.remark[1]:
            _xlsx_remark(sheet, at + len(lines) + 1, last, paper.remark, strong, text)
    book.close()
    return buffer.getvalue()


def _xlsx_remark(sheet, row: int, last: int, remark: tuple[str, str], strong, text) -> None:
    for place, (told, style) in enumerate(zip(remark, (strong, text), strict=True)):
        sheet.merge_range(row + place, 0, row + place, last, "", style)
        sheet.write_string(row + place, 0, told, style)
    lines = sum(1 + len(line) // (42 + 11 * last) for line in remark[1].splitlines())
    sheet.set_row(row + 1, 15 * lines)


class _Pdf(FPDF):
    """A4 on its side, with the number of each page below."""

    def __init__(self, page_word: str) -> None:
        super().__init__(orientation="landscape", format="A4")
        self.page_word = page_word
        self.set_margins(_LEFT, _TOP, _RIGHT)
        self.set_auto_page_break(True, _BOTTOM)
        for style, file in _FACES.items():
            self.add_font("Serif", style, FONTS / file)

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("Serif", "", 9)
        self.cell(0, 5, f"{self.page_word} {self.page_no()}", align="C")

    def line_of(self, text: str, size: float = 12, style: str = "", align: str = "L", after: float = 0) -> None:
        self.set_font("Serif", style, size)
        self.multi_cell(0, size * 0.45, text, align=align, new_x="LMARGIN", new_y="NEXT")
        self.ln(after)


def as_pdf(paper: Paper) -> bytes:
    """The paper as a PDF with its fonts inside."""
    pdf = _Pdf(paper.page_word)
    pdf.set_title(paper.title)
    pdf.set_lang(paper.language)
    pdf.set_creation_date(paper.at)
    pdf.add_page()
    pdf.line_of(paper.heading, 13, "B", "C", after=1)
    pdf.line_of(paper.title, 13, "B", "C")
    pdf.line_of(paper.subtitle, 13, "B", "C", after=4)
    for word, told in paper.facts:
        pdf.line_of(f"{word}: {told}")
    pdf.ln(3)
    for text in paper.paragraphs:
        pdf.line_of(text, after=2)
    for table in paper.tables:
        _pdf_table(pdf, table)
    heading, remark = paper.remark
    pdf.ln(2)
    if not remark and pdf.will_page_break(5 * len(paper.notes) + _SIGNATURE):
        pdf.add_page()  # a signature does not stand alone on a page
    for note in paper.notes:
        pdf.line_of(note, 10)
    if remark:
        pdf.ln(4)
        pdf.line_of(heading, 12, "B", after=1)
        pdf.line_of(remark)
    if pdf.will_page_break(_SIGNATURE):
        pdf.add_page()
    pdf.ln(12)
    role, name = paper.signature
    pdf.set_font("Serif", "", 12)
    pdf.cell(110, 6, role)
    pdf.cell(60, 6, "_" * 22)
    pdf.cell(0, 6, name or "_" * 28)
    return bytes(pdf.output())


def _pdf_table(pdf: _Pdf, table: Table) -> None:
    if pdf.will_page_break(35):  # a title does not stand alone
        pdf.add_page()
    pdf.ln(4)
    pdf.line_of(table.title, 12, "B", after=1.5)
    pdf.set_font("Serif", "", 10)
    widths = _widths(len(table.columns))
    bold, small = FontFace(emphasis="BOLD"), FontFace(emphasis="BOLD", size_pt=8.5)
    with pdf.table(
        width=sum(widths),
        col_widths=widths,
        align="LEFT",
        text_align=("LEFT", *("RIGHT",) * (len(widths) - 1)),
        headings_style=small,
        borders_layout=TableBordersLayout.ALL,
        line_height=4.6,
        padding=0.8,
    ) as made:
        heading = made.row()
        for told in table.columns:
            heading.cell(told, align="CENTER")
        for cells in table.rows:
            made.row([str(cell) for cell in cells])
        if table.total:
            made.row([str(cell) for cell in table.total], style=bold)


def _widths(columns: int) -> list[int]:
    room = _WIDE - _LEFT - _RIGHT
    first = min(room - _NUMBERS * (columns - 1), _WIDEST)
    return [first, *[_NUMBERS] * (columns - 1)]


def _saved(save: Callable[[BytesIO], None]) -> bytes:
    buffer = BytesIO()
    save(buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Paper], bytes]] = {"docx": as_docx, "xlsx": as_xlsx, "pdf": as_pdf}
