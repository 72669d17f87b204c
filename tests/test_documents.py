"""The quarterly report's documents: opened by other libraries, Cyrillic right, totals equal, no formula (R 4.6)."""

from io import BytesIO

import pytest
from docx import Document
from flask import Flask
from flask_babel import force_locale
from openpyxl import load_workbook
from pypdf import PdfReader

from jobs.documents import as_docx, as_pdf, as_xlsx
from jobs.paper import Paper
from models.base import db
from models.periods import Quarter
from models.quarterly_figures import COUNTS, Figures, Line, count_figures
from tests.summary_fixtures import kyiv
from tests.test_models_summary import fill
from webui.quarterly_paper import quarterly_paper

QUARTER = Quarter(2026, 3)
AT = kyiv("2026-10-01 08:00")
REMARK = '=HYPERLINK("http://x";"a")\nНасос водоканалу замінено; під’їзди ще ні.\x07'


@pytest.fixture
def figures(web: Flask) -> Figures:
    with web.app_context():
        fill(db.session())
        return count_figures(db.session(), QUARTER, None, AT)


@pytest.fixture
def paper(web: Flask, figures: Figures) -> Paper:
    with web.test_request_context(), force_locale("uk"):
        return quarterly_paper(figures, QUARTER, remark=REMARK, signed_by="Цапкова О. П.")


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_paper_says_what_the_order_asks_for(paper, figures):
    """Whose report, the period, the tables, the signature; long dates, «quotes», no broken number."""
    assert paper.subtitle == "за\u00a0III\u00a0квартал 2026\u00a0року"
    assert "«Контактний центр»" in paper.title
    assert dict(paper.facts) == {
        "Орган контролю": "за всіма організаціями",
        "Період": "з\u00a01\u00a0липня 2026\u00a0року до\u00a030\u00a0вересня 2026\u00a0року",
        "Станом на": "1\u00a0жовтня 2026\u00a0року",
    }
    assert paper.paragraphs[0].startswith("Надійшло 6\u00a0повідомлень, з них повторних\u00a0— 1.")
    assert "хоча б раз повідомили, що не виконано: 1;" in paper.paragraphs[1]
    assert "5,0\u00a0робочого дня" in paper.paragraphs[2]
    organisations, categories, deadlines = paper.tables
    assert organisations.total[1:] == tuple(figures.total.counts[count] for count in COUNTS)
    for table in (organisations, categories):
        for place in range(1, 8):
            assert sum(row[place] for row in table.rows) == table.total[place]
    assert [row[1:] for row in deadlines.rows][2] == (3, 2, 1, "60%")


def test_the_document_of_word(paper):
    document = Document(BytesIO(as_docx(paper)))
    text = words(" ".join(line.text for line in document.paragraphs))
    for told in (paper.heading, paper.title, paper.subtitle, *paper.paragraphs, "під’їзди ще ні.", "Цапкова О. П."):
        assert words(told) in text
    assert len(document.tables) == 3
    for made, table in zip(document.tables, paper.tables, strict=True):
        cells = [[cell.text for cell in row.cells] for row in made.rows]
        wanted = [table.columns, *table.rows, *([table.total] if table.total else [])]
        assert cells == [[str(cell) for cell in row] for row in wanted]


def test_the_workbook_counts_and_holds_no_formula(paper):
    book = load_workbook(BytesIO(as_xlsx(paper)))
    assert book.sheetnames == ["Організації", "Види проблем", "Строки"]
    for sheet, table in zip(book, paper.tables, strict=True):
        rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
        wanted = [table.columns, *table.rows, *([table.total] if table.total else [])]
        for row in wanted:
            assert list(row) in rows
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    told = [cell.value for row in book["Організації"].iter_rows() for cell in row if cell.value]
    assert REMARK.removesuffix("\x07") in told


def test_the_pdf_can_be_read(paper):
    reader = PdfReader(BytesIO(as_pdf(paper)))
    text = words(" ".join(page.extract_text() for page in reader.pages))
    for told in (paper.heading, "КП «Міськводоканал»", "Вуличне освітлення", "під’їзди ще ні.", "Цапкова О. П."):
        assert words(told) in text
    for table in paper.tables[:2]:
        assert words(" ".join(str(cell) for cell in table.total)) in text
    fonts = {font for page in reader.pages for font in page["/Resources"]["/Font"].values()}
    assert fonts
    assert all("/ToUnicode" in font.get_object() for font in fonts)  # its letters are inside


def test_a_long_list_of_organisations_keeps_its_heading_on_each_page(web, figures):
    many = [Line(place, f"КП «Підприємство {place}»", dict.fromkeys(COUNTS, place)) for place in range(1, 91)]
    long = Figures(**{**figures.__dict__, "organisations": many})
    with web.test_request_context(), force_locale("uk"):
        pages = PdfReader(BytesIO(as_pdf(quarterly_paper(long, QUARTER)))).pages
    assert len(pages) > 3
    for page in pages[1:3]:
        assert "Надійшло" in page.extract_text()
    for place, page in enumerate(pages, 1):
        assert f"сторінка {place}" in page.extract_text()


@pytest.mark.parametrize("organisations", range(6, 30, 2))
def test_the_signature_is_never_alone_on_a_page(organisations, web, figures):
    some = [Line(place, f"КП «Підприємство {place}»", dict.fromkeys(COUNTS, place)) for place in range(organisations)]
    long = Figures(**{**figures.__dict__, "organisations": some})
    with web.test_request_context(), force_locale("uk"):
        paper = quarterly_paper(long, QUARTER)
    last = PdfReader(BytesIO(as_pdf(paper))).pages[-1].extract_text()
    assert words(paper.notes[0]) in words(last)
    assert paper.signature[0] in words(last)


def test_no_tables_heading_stands_alone_in_the_document_of_word(paper):
    """LibreOffice loses the rows of one whose heading is alone at a page's end; and a short table is whole."""
    for table in Document(BytesIO(as_docx(paper))).tables:
        kept = [all(cell.paragraphs[0].paragraph_format.keep_with_next for cell in row.cells) for row in table.rows]
        assert kept[0]
        assert kept[1]
        assert not kept[-1]
        assert all(kept[:-1]) == (len(kept) <= 8)


def test_an_empty_quarter_is_a_paper_too(web):
    with web.test_request_context(), force_locale("uk"):
        nothing = quarterly_paper(count_figures(db.session(), Quarter(2020, 1), None, AT), Quarter(2020, 1))
        for write in (as_docx, as_xlsx, as_pdf):
            assert len(write(nothing)) > 1000
    assert nothing.paragraphs[0].startswith("Надійшло 0\u00a0повідомлень")
