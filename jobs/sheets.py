"""Files with tables that people bring: CSV in whatever encoding Excel wrote it, and XLSX. Only text comes out."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from enum import StrEnum
from itertools import islice

MOST_COLUMNS = 50
LONGEST_CELL = 2000  # characters; what is longer is cut, and too long for any field
UNPACKED = 30 * 1024 * 1024  # bytes: an honest sheet of 10 000 lines unpacks to a tenth of it
_DELIMITERS = ";\t,"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


class Trouble(StrEnum):
    OLD_EXCEL = "old_excel"  # .xls
    NOT_A_TABLE = "not_a_table"
    BROKEN = "broken"
    TOO_LONG = "too_long"
    EMPTY = "empty"


class Unreadable(Exception):
    """The file is no table that can be read; ``trouble`` says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


def read_sheet(content: bytes, most_rows: int) -> list[list[str]]:
    """The lines of the file, the titles first; empty ones at the end are left out. Raises `Unreadable`.

    What kind of file it is says its content, not its name. A formula is its own text and is never computed.
    """
    if content.startswith(_OLD_EXCEL):
        raise Unreadable(Trouble.OLD_EXCEL)
    lines = _of_xlsx(content) if content.startswith(b"PK\x03\x04") else _of_csv(content)
    rows = [[cell[:LONGEST_CELL] for cell in line[:MOST_COLUMNS]] for line in islice(lines, most_rows + 2)]
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise Unreadable(Trouble.EMPTY)
    if len(rows) > most_rows + 1:
        raise Unreadable(Trouble.TOO_LONG)
    return rows


def write_template(titles: Iterable[str]) -> bytes:
    """An empty CSV that Excel opens as a table in a Ukrainian Windows: UTF-8 with its mark, semicolons."""
    return ("\ufeff" + ";".join(titles) + "\r\n").encode()


def _of_csv(content: bytes) -> Iterator[list[str]]:
    text = _decoded(content)
    if "\0" in text:
        raise Unreadable(Trouble.NOT_A_TABLE)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            yield [cell.strip() for cell in line]
    except csv.Error:
        raise Unreadable(Trouble.BROKEN) from None


def _decoded(content: bytes) -> str:
    unicode_text = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if unicode_text else ("utf-8-sig", "cp1251"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable(Trouble.NOT_A_TABLE)


def _of_xlsx(content: bytes) -> Iterator[list[str]]:
    """The first sheet. Whatever a damaged or a hostile file makes the library say, it is a broken file."""
    from openpyxl import load_workbook  # only now: the desk never needs its memory

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > UNPACKED:
                raise Unreadable(Trouble.TOO_LONG)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        for line in book.worksheets[0].iter_rows(values_only=True):
            yield [_text(value) for value in line]
    except (Unreadable, GeneratorExit):
        raise
    except Exception:
        raise Unreadable(Trouble.BROKEN) from None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "так" if value else "ні"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).strip()
