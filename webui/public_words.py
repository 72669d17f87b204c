"""How the state of a report is told to the one who made it."""

from flask_babel import lazy_gettext

from models.reports import ReportState

_NOT_REGISTERED = lazy_gettext("It was not registered. Call the contact centre to hear why.")

STATES = {
    ReportState.DRAFT: lazy_gettext("It has come in. The contact centre will look at it and register it."),
    ReportState.NEW: lazy_gettext("It is registered and given to the executor."),
    ReportState.IN_PROGRESS: lazy_gettext("The executor is at work on it."),
    ReportState.REASONS_GIVEN: lazy_gettext("The executor cannot solve it; the control body decides what comes next."),
    ReportState.DONE: lazy_gettext(
        "The executor says that it is done. The contact centre will ask you whether it is so."
    ),
    ReportState.CLOSED: lazy_gettext("The work on it has ended."),
    ReportState.CONSULTATION: lazy_gettext("The contact centre has answered the question; nothing was registered."),
    ReportState.ATTACHED: lazy_gettext("It was added to a report that was there already."),
    ReportState.REDIRECTED: lazy_gettext("It is another body's matter. Call the contact centre to hear whose."),
    ReportState.WRONG_NUMBER: _NOT_REGISTERED,
    ReportState.NUISANCE: _NOT_REGISTERED,
    ReportState.DROPPED: _NOT_REGISTERED,
}
