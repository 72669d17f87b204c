"""The quarterly report in words (R 4.6): the page, the document, the workbook and the PDF all say the same."""

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime

from flask_babel import format_date, format_decimal, format_percent, get_locale, lazy_gettext, ngettext
from flask_babel import gettext as _

from jobs.paper import Paper, Table
from models.deadlines import DeadlineKind
from models.periods import Quarter
from models.quarterly_figures import COUNTS, Figures, Line
from models.reports import ReportEvent
from models.workdays import KYIV
from webui.text import DEADLINE_WORDS, NBSP

_ROMAN = ("I", "II", "III", "IV")
COUNT_WORDS = {
    "received": lazy_gettext("Received"),
    "in_time": lazy_gettext("Done in time"),
    "late": lazy_gettext("Done late"),
    "unsolved": lazy_gettext("Closed with reasons"),
    "at_work": lazy_gettext("At work"),
    "overdue": lazy_gettext("Of those overdue"),
    "repeated": lazy_gettext("Repeated"),
    "carried_over": lazy_gettext("Unsolved from before"),
    "assisting": lazy_gettext("Takes part besides"),
}
_OF_CATEGORIES = COUNTS[:7]  # what is carried over, and who takes part, is an organisation's


def quarterly_paper(
    figures: Figures, quarter: Quarter, *, remark: str = "", signed_by: str = "", draft: bool = False
) -> Paper:
    """The paper with these figures, in the present language; ``draft`` says on it that nobody has checked it yet."""
    period, total = quarter.period, figures.total
    return Paper(
        heading=_("INFORMATION (draft)") if draft else _("INFORMATION"),
        title=_("on how the problems that citizens reported to the system «Contact centre» are solved"),
        subtitle=_("on the %(quarter)s", quarter=quarter_words(quarter)),
        facts=[
            (_("Control body"), figures.whose or _("for all organisations")),
            (_("Period"), _("from %(first)s to %(last)s", first=long_day(period.first), last=long_day(period.last))),
            (_("As of"), long_day(figures.at)),
        ],
        paragraphs=_paragraphs(figures),
        tables=[
            _counts(_("By organisation"), _("Organisations"), _("Organisation"), figures.organisations, total, COUNTS),
            _counts(_("By type of problem"), _("Types"), _("Type"), figures.categories, total, _OF_CATEGORIES),
            _deadlines(figures),
        ],
        remark=(_("The administrator's remark"), _printable(remark)),
        signature=(_("Administrator of the system «Contact centre»"), signed_by),
        page_word=_("page"),
        language="uk-UA" if str(get_locale()) == "uk" else "en-GB",
        at=figures.at,
        notes=[
            _("Each report is counted once, at its leading executor; an applicant's call about it makes no other."),
            _("Done in time: every term for the work was kept, also after the applicant said that it was not done."),
        ],
    )


def quarter_words(quarter: Quarter) -> str:
    """«III квартал 2026 року»."""
    return _("%(quarter)s quarter of %(year)s", quarter=_ROMAN[quarter.number - 1], year=quarter.year)


def long_day(day: date | datetime) -> str:
    """A day as papers write it: «1 жовтня 2026 року»."""
    local = day.astimezone(KYIV).date() if isinstance(day, datetime) else day
    return _("%(day)s %(year)s", day=format_date(local, f"d'{NBSP}'MMMM"), year=local.year)


def _paragraphs(figures: Figures) -> list[str]:
    counts, outcomes = figures.total.counts, figures.outcomes
    received = ngettext("%(num)d report was received", "%(num)d reports were received", counts["received"])
    told = [
        _(
            "%(received)s, of them repeated: %(repeated)s. Done in time: %(in_time)s, done late: %(late)s, closed for "
            "good reasons by decision of the control body: %(unsolved)s. At work: %(at_work)s, of them overdue: "
            "%(overdue)s.",
            received=received,
            **{count: counts[count] for count in COUNTS[1:7]},
        ),
        _(
            "The applicants confirmed that the work was done: %(confirmed)s; said at least once that it was not: "
            "%(refuted)s; closed without the applicant's answer: %(closed)s. A report of which more than one is true "
            "is counted in each.",
            **{
                str(event): outcomes[event]
                for event in (ReportEvent.CONFIRMED, ReportEvent.REFUTED, ReportEvent.CLOSED)
            },
        ),
    ]
    if figures.average_days is not None:
        told.append(
            _("On average the work took %(days)s working days.", days=format_decimal(figures.average_days, "0.0"))
        )
    if counts["carried_over"]:
        told.append(_("Besides, reports of earlier periods still unsolved: %(count)s.", count=counts["carried_over"]))
    return told


def _counts(title: str, short: str, first: str, lines: Sequence[Line], total: Line, counts: Sequence[str]) -> Table:
    return Table(
        title=title,
        short=short,
        columns=(first, *(str(COUNT_WORDS[count]) for count in counts)),
        rows=[(_printable(line.name), *(line.counts[count] for count in counts)) for line in lines],
        total=(_("Together"), *(total.counts[count] for count in counts)),
    )


def _deadlines(figures: Figures) -> Table:
    rows = []
    for kind in DeadlineKind:
        kept = figures.kept[kind]
        counted = kept["kept"] + kept["broken"]
        share = format_percent(kept["kept"] / counted) if counted else "—"
        rows.append((_capital(str(DEADLINE_WORDS[kind])), kept["kept"], kept["broken"], kept["running"], share))
    return Table(
        title=_("How deadlines were kept"),
        short=_("Deadlines"),
        columns=(_("Deadline"), _("Kept"), _("Not kept"), _("Still runs"), _("Share kept")),
        rows=rows,
    )


def _printable(text: str) -> str:
    """Without control characters and the like, which no document may hold."""
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs", "Cn"))


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
