"""What the parts say of themselves when they cannot do their work, in words that are translated when they are shown.

A part's heartbeat tells its trouble in English, sometimes with a cause in brackets that only the log needs.
"""

import re

from flask_babel import lazy_gettext as _

TROUBLES = {
    "Too many calls wait for the database: they go on without it.": _(
        "Too many calls wait for the database: they ring by the last known ring order, or by the exchange's own, and "
        "are told nothing that stands in it."
    ),
    "The database answers too slowly: calls go on without it.": _(
        "The database answers too slowly: calls ring by the last known ring order, or by the exchange's own, and are "
        "told nothing that stands in it."
    ),
    "The database cannot be read: calls go on without it.": _(
        "The database cannot be read: calls ring by the last known ring order, or by the exchange's own, and are told "
        "nothing that stands in it."
    ),
    "The database does not answer: calls wait to be written down.": _(
        "The database does not answer: calls wait to be written down."
    ),
    "The database cannot be written: calls wait to be written down.": _(
        "The database cannot be written: calls wait to be written down."
    ),
    "Asterisk's manager interface is away: see whether Asterisk runs.": _("The exchange does not answer it."),
    "The CEL file cannot be read: see who owns it.": _(
        "The exchange's file of calls (CEL) cannot be read: see who owns it."
    ),
    "The CEL file cannot be put aside or deleted: see who owns its folder.": _(
        "The exchange's file of calls (CEL) grows, it cannot be put aside: see who owns its folder."
    ),
    "There are calls but no CEL file: see whether Asterisk may write it.": _(
        "There are calls but no file of calls (CEL): see whether the exchange may write it."
    ),
    "Asterisk writes no more into the CEL file: see whether the disk is full and CEL is on.": _(
        "The exchange writes no more into its file of calls (CEL): see whether the disk is full."
    ),
    "Strangers try to get in at the telephone port: let the firewall pass only the trunk and the phones.": _(
        "Strangers try to get in at the telephone port, and are refused; calls go on. "
        "Let the firewall pass only the gateway and the phones."
    ),
    "The trunk does not answer: see whether the gateway has power and network, or ask the provider.": _(
        "The gateway or provider does not answer: no call comes or goes. See whether the gateway has power and "
        "network, or ask the provider."
    ),
    "The provider refuses our registration: see CC_TRUNK_USER and CC_TRUNK_PASSWORD.": _(
        "The provider refuses our registration: no call comes. See CC_TRUNK_USER and CC_TRUNK_PASSWORD, then restart."
    ),
    "The provider does not answer our registration: see CC_TRUNK_HOST and the network, or ask the provider.": _(
        "The provider does not answer our registration: no call comes. See CC_TRUNK_HOST and the network, or ask the "
        "provider."
    ),
    "What a citizen said cannot be kept: make room, or see who owns the folder.": _(
        "What a citizen said cannot be kept: make room, or see who owns the folder."
    ),
    "A recording of a citizen cannot be kept, see the log of rounds.": _(
        "A recording of a citizen cannot be kept: see the log of rounds."
    ),
    "The database does not answer: this work waits for it.": _("The database does not answer: this work waits for it."),
    "There is no Ukrainian voice: machine calls wait.": _("There is no Ukrainian voice: machine calls wait."),
    "Some machine calls cannot be spoken and wait: see the log of rounds.": _(
        "Some machine calls cannot be spoken and wait: see the log of rounds."
    ),
    "Not all that calls say can be spoken or played, see the log of rounds.": _(
        "Not all that calls say can be spoken or played, see the log of rounds."
    ),
    "A rule that makes calls' tasks breaks off, see the log of rounds.": _(
        "A rule that makes calls' tasks breaks off, see the log of rounds."
    ),
    "The AGI server does not answer: machine calls wait.": _("The AGI server does not answer: machine calls wait."),
    "Redis does not answer: calls to citizens wait.": _("Redis does not answer: calls to citizens wait."),
    "Asterisk's manager interface is away: calls to citizens wait.": _(
        "The exchange does not answer: calls to citizens wait."
    ),
    "A periodic job breaks off, see the log of rounds.": _("A periodic job breaks off: see its log (rounds)."),
    "The exchange does not read the telephone plan: see whether it runs.": _(
        "The exchange does not read its lines and phones anew: see whether it runs, and the page of lines."
    ),
    "The mail server does not answer.": _("The mail server does not answer."),
    "The mail server breaks the connection off.": _("The mail server breaks the connection off."),
    "The mail server refuses the login in CC_SMTP_URL.": _("The mail server refuses the login in CC_SMTP_URL."),
    "The mail server's certificate cannot be trusted.": _("The mail server's certificate cannot be trusted."),
    "The mail server does not encrypt, and so gets no password.": _(
        "The mail server does not encrypt, and so gets no password."
    ),
    "The mail server does not take letters from the address in CC_MAIL_FROM.": _(
        "The mail server does not take letters from the address in CC_MAIL_FROM."
    ),
    "Terms of personal data were not ended for a quarter, or the clock is wrong: nothing is erased.": _(
        "Terms of personal data were not ended for a quarter, or the clock is wrong, so nothing is erased: look at the "
        "clock, then run “contact-center personal-data retention”."
    ),
    "The daily backup cannot be made: see the log of rounds.": _(
        "The daily backup cannot be made: see the log of periodic work (rounds)."
    ),
    "The daily backup cannot be written: see the disk and the folder in CC_BACKUP_DIR.": _(
        "The daily backup cannot be written."
    ),
    "Callers are not told of outages: their words cannot be spoken.": _(
        "Callers are not told of outages, the phones ring at once: the Ukrainian voice is missing, or the disk is full."
    ),
    "Out of hours lines ring instead of taking messages: their hours cannot be spoken.": _(
        "Out of hours the phones ring instead of a message being taken: the Ukrainian voice is missing, or the disk is"
        " full."
    ),
    "nobody asks": _("It does not ask all parts any more."),
}


def in_words(detail: str) -> object:
    """The trouble that a heartbeat tells; of several the first that is known."""
    plain = re.sub(r" \([^()]*\)", "", detail)
    return next((words for known, words in TROUBLES.items() if known in plain), _("It runs but cannot do its work."))
