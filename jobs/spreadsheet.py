"""Tables as files that a spreadsheet opens: CSV and XLSX, row by row, without one formula.

What citizens say is text, also where it reads like a formula (``=cmd()``, ``+380…``): a spreadsheet that opened it as
one would run it on the computer of whoever looks (CWE-1236).
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from models.workdays import KYIV

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
LONGEST_CELL = 32_767  # characters; Excel opens no file with more in one

Cell = str | int | datetime | None


@dataclass(frozen=True)
class Column:
    """``width`` is in characters."""

    title: str
    width: int = 14


def guarded(text: str) -> str:
    """The text for a CSV file: with an apostrophe before it where a spreadsheet would read a formula or a number.

    So a telephone keeps its plus: «'+380 67 123 45 67».
    """
    return f"'{text}" if text.lstrip(" \u00a0").startswith(FORMULA_SIGNS) else text


def write_csv(file: BinaryIO, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> int:
    """Write the rows into the file, which stays open; returns how many there are.

    UTF-8 with a mark and semicolons: so Excel opens it right with the Ukrainian settings.
    """
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow([guarded(column.title) for column in columns])
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007
        writer.writerow([guarded(_plain(cell)) for cell in row])
    text.detach()  # all is written, and the file is the caller's again
    return count


def write_xlsx(
    file: BinaryIO, title: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], folder: Path
) -> int:
    """The same as a workbook with one sheet; ``folder`` holds drafts of it meanwhile.

    Text is written as text, whatever it begins with, and stays text when somebody edits its cell; moments are moments
    in Kyiv time.
    """
    import xlsxwriter  # only now: the desk never needs its memory

    with TemporaryDirectory(dir=folder) as drafts:
        book = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": drafts})
        sheet = book.add_worksheet(title)
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        plain = book.add_format({"valign": "top"})
        quoted = book.add_format({"valign": "top", "quote_prefix": True})
        moment = book.add_format({"valign": "top", "align": "left", "num_format": "dd.mm.yyyy hh:mm"})
        for place, column in enumerate(columns):
            sheet.set_column(place, place, column.width)
        sheet.freeze_panes(1, 1)
        for place, column in enumerate(columns):
            sheet.write_string(0, place, column.title, head)
        count = 0
        for count, row in enumerate(rows, 1):
            for place, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(count, place, cell.astimezone(KYIV).replace(tzinfo=None), moment)
                elif isinstance(cell, int):
                    sheet.write_number(count, place, cell, plain)
                elif cell:
                    sheet.write_string(count, place, cell[:LONGEST_CELL], plain if guarded(cell) == cell else quoted)
        sheet.autofilter(0, 0, count, len(columns) - 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        book.close()
    return count


def _plain(cell: Cell) -> str:
    if isinstance(cell, datetime):
        return cell.astimezone(KYIV).strftime("%d.%m.%Y %H:%M")
    return "" if cell is None else str(cell)
