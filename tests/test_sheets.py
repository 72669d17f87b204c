"""Files with tables: whatever Excel wrote, and whatever is no table at all."""

import io
import zipfile

import pytest
from openpyxl import Workbook

from jobs.sheets import LONGEST_CELL, Trouble, Unreadable, read_sheet

ROWS = [["Назва", "Колишні назви"], ["вулиця Ґонти", "Леніна, «Іскри»"]]


def xlsx(rows: list[list[object]]) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_in_any_encoding_and_with_any_delimiter(encoding, delimiter, end):
    text = end.join([f"Назва{delimiter}Колишні назви", f'вулиця Ґонти{delimiter}"Леніна, «Іскри»"', "", ""])
    assert read_sheet(text.encode(encoding), 10) == ROWS


def test_an_xlsx_gives_text_and_computes_nothing():
    rows = [["Назва", "x"], ["=1+1", 5], ['=HYPERLINK("http://example")', 5.0], [True, 1.5], [None, None]]
    assert read_sheet(xlsx(rows), 10) == [
        ["Назва", "x"],
        ["=1+1", "5"],
        ['=HYPERLINK("http://example")', "5"],
        ["так", "1.5"],
    ]


def test_quotes_hold_line_breaks_and_delimiters():
    content = 'Назва;Примітка\n"вулиця; ""Нова""";"два\nрядки"\n'.encode()
    assert read_sheet(content, 10)[1] == ['вулиця; "Нова"', "два\nрядки"]


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"", Trouble.EMPTY),
        (b"\n;;\n", Trouble.EMPTY),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, Trouble.OLD_EXCEL),
        (b"PK\x03\x04 is not a workbook", Trouble.BROKEN),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Trouble.NOT_A_TABLE),
        (b"\xff\xfeabc", Trouble.NOT_A_TABLE),
        ("Назва\n".encode() + b"x\n" * 11, Trouble.TOO_LONG),
    ],
)
def test_what_is_no_table_says_so(content, trouble):
    with pytest.raises(Unreadable) as refused:
        read_sheet(content, 10)
    assert refused.value.trouble == trouble


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * 60_000_000)
    with pytest.raises(Unreadable) as refused:
        read_sheet(file.getvalue(), 10)
    assert refused.value.trouble == Trouble.TOO_LONG


def test_a_workbook_cut_short_is_broken():
    whole = xlsx(ROWS)
    for length in (30, len(whole) // 2, len(whole) - 10):
        with pytest.raises(Unreadable):
            read_sheet(whole[:length], 10)


def test_a_sheet_may_have_exactly_so_many_lines():
    content = "Назва\n".encode() + b"x\n" * 10 + b"\n\n"
    assert len(read_sheet(content, 10)) == 11


def test_an_endless_cell_is_cut():
    assert len(read_sheet("я".encode() * 100_000, 10)[0][0]) == LONGEST_CELL
