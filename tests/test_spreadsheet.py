"""CSV and XLSX: what a spreadsheet gets to open, and that nothing in it is a formula."""

import csv
import io
from datetime import UTC, datetime

import pytest
from openpyxl import load_workbook

from jobs.spreadsheet import LONGEST_CELL, Column, guarded, write_csv, write_xlsx

HEADS = [Column("№"), Column("Що сталося", 60), Column("Коли", 16), Column("Скільки")]
MOMENT = datetime(2026, 11, 26, 9, 5, tzinfo=UTC)
DANGEROUS = (
    "=cmd|'/C calc'!A0",
    "+380671234567",
    "+380 67 123 45 67",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
)


def as_csv(rows):
    file = io.BytesIO()
    assert write_csv(file, HEADS, rows) == len(rows)
    assert not file.closed
    return file.getvalue()


def as_sheet(rows, folder):
    file = io.BytesIO()
    assert write_xlsx(file, "Журнал", HEADS, rows, folder) == len(rows)
    assert list(folder.iterdir()) == []
    return load_workbook(file).active


def read_csv(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_a_csv_opens_in_excel_with_ukrainian_settings():
    content = as_csv([["2026-0001", "Не горить ліхтар; темно\nвже «тиждень»", MOMENT, 5]])
    assert content.startswith(b"\xef\xbb\xbf")
    assert read_csv(content) == [
        ["№", "Що сталося", "Коли", "Скільки"],
        ["2026-0001", "Не горить ліхтар; темно\nвже «тиждень»", "26.11.2026 11:05", "5"],
    ]


def test_a_workbook_has_moments_numbers_and_text_as_such(tmp_path):
    sheet = as_sheet([["2026-0001", "Яма", MOMENT, 5], [None, "", None, None]], tmp_path)
    assert [cell.value for cell in sheet[1]] == ["№", "Що сталося", "Коли", "Скільки"]
    assert [cell.value for cell in sheet[2]] == ["2026-0001", "Яма", datetime(2026, 11, 26, 11, 5), 5]
    assert [cell.value for cell in sheet[3]] == [None] * 4
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == "A1:D3"


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_text_becomes_a_formula(text, tmp_path):
    """CWE-1236: in CSV it gets an apostrophe, in a workbook it is text, and stays text when its cell is edited."""
    assert guarded(text) == f"'{text}"
    assert read_csv(as_csv([["1", text, None, None]]))[1][1] == f"'{text}"
    cell = as_sheet([["1", text, None, None]], tmp_path)["B2"]
    assert cell.data_type in ("s", "inlineStr")
    assert cell.value.replace("_x000D_", "\r") == text
    assert cell.quotePrefix


@pytest.mark.parametrize(
    "text", ["Яма", "вул. Київська, 12", "2026-0001", "— не горить", "5-32-73", "067 123 45 67", ""]
)
def test_ordinary_text_is_left_as_it_is(text):
    assert guarded(text) == text


def test_a_text_longer_than_a_cell_is_cut_off_in_the_workbook_alone(tmp_path):
    long = "я" * 100_000
    assert read_csv(as_csv([["1", long, None, None]]))[1][1] == long
    assert as_sheet([["1", long, None, None]], tmp_path)["B2"].value == "я" * LONGEST_CELL
