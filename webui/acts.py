"""How each act on a report is called, and what its form asks for; who may do it says `models.acts.ACTS`."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext

from models.acts import Act
from models.people import Role


@dataclass(frozen=True)
class ActForm:
    """How an act is called on its button, and what its words are; ``missing`` says that they were not written.

    ``asks`` names the further fields, ``due`` what the day among them means; ``page`` is the page that an act has for
    itself.
    """

    title: str
    words: str = ""
    missing: str = ""
    asks: tuple[str, ...] = ()
    due: str = lazy_gettext("To be done until")
    page: str = ""


# what brings the report on: the page's main button; a decision of the control body has two of equal weight
MOVING_ON = frozenset({Act.ACCEPT, Act.COMPLETE, Act.CONFIRM})
FORMS: dict[Act, ActForm] = {
    Act.INFORM_HEAD: ActForm(lazy_gettext("The head is informed")),
    Act.ACCEPT: ActForm(lazy_gettext("Take to work")),
    Act.PLAN: ActForm(lazy_gettext("Plan for…"), asks=("due",), due=lazy_gettext("The day; the applicant is told it")),
    Act.COMPLETE: ActForm(
        lazy_gettext("Done…"), lazy_gettext("What was done"), lazy_gettext("Write what was done."), ("files",)
    ),
    Act.GIVE_REASONS: ActForm(
        lazy_gettext("Cannot be solved…"),
        lazy_gettext("The reasons, for the control body"),
        lazy_gettext("Write the reasons."),
    ),
    Act.CLOSE_UNSOLVED: ActForm(
        lazy_gettext("Close as not solvable…"),
        lazy_gettext("The decision and its grounds"),
        lazy_gettext("Write the decision and its grounds."),
    ),
    Act.RETURN: ActForm(
        lazy_gettext("Return to work…"),
        lazy_gettext("What is to be done"),
        lazy_gettext("Write what is to be done."),
        ("due",),
    ),
    Act.CONFIRM: ActForm(lazy_gettext("The applicant confirms")),
    Act.REFUTE: ActForm(
        lazy_gettext("Not done…"), lazy_gettext("The applicant's words"), lazy_gettext("Write the applicant's words.")
    ),
    Act.CLOSE: ActForm(
        lazy_gettext("Close without asking…"),
        lazy_gettext("Why without the applicant's answer"),
        lazy_gettext("Write why without the applicant's answer."),
    ),
    Act.REASSIGN: ActForm(
        lazy_gettext("Another executor…"), lazy_gettext("Why"), lazy_gettext("Write why."), ("organisation",)
    ),
    Act.ADD_EXECUTOR: ActForm(lazy_gettext("One more executor…"), asks=("organisation",)),
    Act.WARN: ActForm(lazy_gettext("The operator is warned")),
    Act.CORRECT: ActForm(lazy_gettext("Correct…"), page="corrections.form"),
    Act.ADD_FILES: ActForm(lazy_gettext("Photo or document…"), asks=("files", "kind")),
    Act.NOTE: ActForm(lazy_gettext("Note…"), lazy_gettext("For those who work here"), lazy_gettext("Write the note.")),
    Act.PUBLIC_NOTE: ActForm(
        lazy_gettext("Answer to the applicant…"),
        lazy_gettext("The applicant is told this"),
        lazy_gettext("Write the answer."),
    ),
    Act.ASK: ActForm(
        lazy_gettext("Ask the applicant…"),
        lazy_gettext("What is to be asked by telephone"),
        lazy_gettext("Write the question."),
    ),
    Act.CALL_OFF: ActForm(lazy_gettext("Do not ask any more…"), lazy_gettext("Why"), lazy_gettext("Write why.")),
}


def in_order(acts: Sequence[Act], role: Role) -> list[Act]:
    """What brings the report on first; last the operator's closing, for the centre asks the applicant (S 3.2)."""
    return sorted(acts, key=lambda act: (act not in MOVING_ON) + 2 * closes_unasked(act, role))


def closes_unasked(act: Act, role: Role) -> bool:
    """Whether the operator would close what the centre is about to ask the applicant of (R 4.5)."""
    return act == Act.CLOSE and role == Role.OPERATOR
