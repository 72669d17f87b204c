"""A citizen calls a line: whose phones ring, and a draft that already waits (I1, I2).

Contract with the dialplan (``agi://127.0.0.1:PORT/inbound``, the line's digits as the first argument): it has a
default for the three variables set here, `ROUTE`, `OUTAGE` and `CLOSED`. So a script that was cut off anywhere changes
nothing.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from agi.channel import Channel
from agi.database import Work, read_line
from jobs.callfacts import apply
from jobs.pbx import route
from models.base import db, now, reason, transaction
from models.intake import Began
from models.lines import Line
from models.outages import announced

ROUTE = "CC_ROUTE"  # who rings, as `jobs.pbx.route` writes it
OUTAGE = "CC_OUTAGE"  # the outage that the caller hears of first (`agi.outage`)
CLOSED = "CC_CLOSED"  # "yes" for a line that is closed now and takes messages (`agi.out_of_hours`)

COMMAND_TIME = 0.1  # seconds before the deadline that are kept for sending the ring order
OUTAGE_WAIT = 0.15  # seconds for which the phone waits to know whether there is an outage at theirs
DRAFT_WAIT = 0.15  # seconds for which the phone waits for the draft

log = logging.getLogger(__name__)


def inbound(channel: Channel, work: Work) -> None:
    """Record the call with its draft, and tell the dialplan the line's ring order.

    The draft is written whatever becomes of the rest. It is waited for a moment, so that it is there before a phone
    rings; a database that is slower than that holds up no call. Screens are to know whether it rings at once, so the
    outage at the caller's is looked for first.
    """
    began = read_beginning(channel.env)
    line = work.line(began.dialled, channel.deadline - COMMAND_TIME)
    closed = line.closed(began.at)
    wait, outage_id = min(OUTAGE_WAIT, channel.time_left(COMMAND_TIME)), None
    try:
        outage_id = work.outage(began.number, time.monotonic() + wait) if wait else None
    finally:
        told = replace(began, announced=closed or outage_id is not None)
        written = work.tell(told) if began.call else None
    if written is not None:
        with suppress(TimeoutError):
            written.result(min(DRAFT_WAIT, channel.time_left(COMMAND_TIME)))
    if line.steps:
        channel.set_variable(ROUTE, route(line.steps))
    if outage_id is not None:
        channel.set_variable(OUTAGE, outage_id)
    if closed:
        channel.set_variable(CLOSED, "yes")


def read_beginning(env: Mapping[str, str]) -> Began:
    """The call as the AGI environment describes it."""
    return Began(
        call=known_in(env, "agi_uniqueid"),
        dialled=known_in(env, "agi_arg_1"),
        number=known_in(env, "agi_callerid"),
        name=known_in(env, "agi_calleridname"),
        at=now(),
    )


def known_in(env: Mapping[str, str], key: str) -> str:
    """What the AGI environment tells, "" for "unknown", which Asterisk writes for what it does not know."""
    value = env.get(key, "")
    return "" if value == "unknown" else value


def rehearse(app: Flask) -> None:
    """Go through a whole call and keep nothing of it, so that the first real one is as quick as the others."""
    area_code = app.config["SETTINGS"].profile.area_code
    with app.app_context():
        try:
            digits = [line.digits for line in db.session.scalars(select(Line))]
            for one in digits:
                read_line(one).closed(now())
            dialled = digits[0] if digits else ""
            announced(db.session(), now())
            with transaction() as session:
                apply(session, [Began("rehearsal", dialled, "0671234567", "", now())], area_code)
                session.rollback()
        except SQLAlchemyError as error:
            log.warning("Started without a database (%s): the dialplan's own ring order is used.", reason(error))


def try_database(work: Work) -> None:
    """Find out whether a database that could not be read answers again, when no call comes to show it."""
    work.read(lambda: read_line("0"), time.monotonic() + 0.3)
