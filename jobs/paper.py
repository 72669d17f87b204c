"""An official paper as its parts, before it becomes a page, a document, a sheet or a PDF: one source for them all."""

from dataclasses import dataclass, field
from datetime import datetime

Cell = str | int
MIME_TYPES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}  # the kinds of file that `jobs.documents` makes of a paper


@dataclass(frozen=True)
class Table:
    """A table: its first column holds names, the others numbers. ``short`` names its sheet in a workbook."""

    title: str
    short: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    total: tuple[Cell, ...] | None = None


@dataclass(frozen=True)
class Paper:
    """All the words of a paper, in the order in which they stand on it. Every text is plain."""

    heading: str
    title: str
    subtitle: str
    facts: list[tuple[str, str]]  # a word and what it is: «Орган контролю», a name
    paragraphs: list[str]
    tables: list[Table]
    remark: tuple[str, str]  # its heading, its text; no remark where the text is empty
    signature: tuple[str, str]  # whose, and the name, if it is known
    page_word: str  # what stands before a page's number
    language: str  # «uk-UA»
    at: datetime
    notes: list[str] = field(default_factory=list)
