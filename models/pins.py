"""The PIN with which an applicant asks for the state of a report, online or with the telephone's keys (W10)."""

import hmac
import re
import secrets

from models.reports import Report

PIN_DIGITS = 6
_NOBODYS = "-" * PIN_DIGITS  # compared where there is no report, so that the answer takes as long


def give_pin(report: Report) -> None:
    """Give the report its PIN unless it has one already.

    Reports get theirs on registration, those of the web form when they come in, and those that were registered before
    there were PINs when somebody of the centre asks for it.
    """
    if report.pin is None:
        report.pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"


def pin_is_right(report: Report | None, typed: str) -> bool:
    """Whether this is the report's PIN, however its digits were grouped; always False for no report."""
    stored = (report.pin if report else None) or _NOBODYS
    same = hmac.compare_digest(stored.encode(), re.sub(r"[^0-9]", "", typed).encode())
    return same and stored != _NOBODYS
