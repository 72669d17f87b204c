"""How each act on a report is called, and what its form asks for; who may do it says `models.acts.ACTS`."""

from dataclasses import dataclass

from flask_babel import lazy_gettext

from models.acts import Act


@dataclass(frozen=True)
class ActForm:
    """How an act is called on its button, and what its words are; ``asks`` names the further fields."""

    title: str
    words: str = ""
    asks: tuple[str, ...] = ()


# what brings the report on: the first of these is the page's main button, and nothing else is
MOVING_ON = frozenset({Act.INFORM_HEAD, Act.ACCEPT, Act.COMPLETE, Act.CLOSE_UNSOLVED, Act.CONFIRM})
FORMS: dict[Act, ActForm] = {
    Act.INFORM_HEAD: ActForm(lazy_gettext("The head is informed")),
    Act.ACCEPT: ActForm(lazy_gettext("Take to work")),
    Act.COMPLETE: ActForm(lazy_gettext("Done…"), lazy_gettext("What was done"), ("files",)),
    Act.GIVE_REASONS: ActForm(lazy_gettext("Cannot be solved…"), lazy_gettext("The reasons, for the control body")),
    Act.CLOSE_UNSOLVED: ActForm(lazy_gettext("Close as not solvable…"), lazy_gettext("The decision and its grounds")),
    Act.RETURN: ActForm(lazy_gettext("Return to work…"), lazy_gettext("What is to be done"), ("due",)),
    Act.CONFIRM: ActForm(lazy_gettext("The applicant confirms")),
    Act.REFUTE: ActForm(lazy_gettext("Not done…"), lazy_gettext("The applicant's words")),
    Act.CLOSE: ActForm(lazy_gettext("Close without asking…"), lazy_gettext("Why without the applicant's answer")),
    Act.REASSIGN: ActForm(lazy_gettext("Another executor…"), lazy_gettext("Why"), ("organisation",)),
    Act.ADD_EXECUTOR: ActForm(lazy_gettext("One more executor…"), asks=("organisation",)),
    Act.WARN: ActForm(lazy_gettext("The operator is warned")),
    Act.ADD_FILES: ActForm(lazy_gettext("Photo or document…"), asks=("files", "kind")),
    Act.NOTE: ActForm(lazy_gettext("Note…"), lazy_gettext("For those who work here")),
    Act.PUBLIC_NOTE: ActForm(lazy_gettext("Answer to the applicant…"), lazy_gettext("The applicant is told this")),
}
