"""The commands about calls to citizens: what is to be called, what became of it, and the red button."""

from typing import TYPE_CHECKING, Any

import click

from webui.cli_tools import Refused, as_json, how_many, in_full, number_printer, open_database, print_rows, when

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models.calltasks import CallTask
    from models.people import User

STATES = ("waiting", "person", "settled", "cancelled")
PURPOSES = ("status_check", "call_back", "clarification", "hand_over", "warn_operator")
LOOK = "a number on the command line"  # why, in the access log
who_looks = click.option("--as", "login", help="With --full: the login of who looks; the look is recorded.")
who_acts = click.option("--as", "login", required=True, help="The login of the centre's person who does it.")


@click.group("task")
def tasks() -> None:
    """Calls to citizens that are to be made, and the machine's calls."""


@tasks.command("list")
@click.option("--state", type=click.Choice(STATES), help="Without it: those that are open.")
@click.option("--purpose", type=click.Choice(PURPOSES))
@click.option("--due", is_flag=True, help="Only those whose time has come.")
@how_many
@in_full
@who_looks
@as_json
def list_tasks(
    state: str | None, purpose: str | None, due: bool, limit: int, full: bool, login: str | None, in_json: bool
) -> None:
    """The tasks with the fewest hours left first."""
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from models.base import now
    from models.calltasks import CallTask, TaskState

    query = select(CallTask).options(joinedload(CallTask.report)).order_by(CallTask.deadline_at, CallTask.id)
    query = query.where(CallTask.state == TaskState(state) if state else CallTask.settled_at.is_(None))
    if purpose:
        query = query.where(CallTask.purpose == purpose)
    if due:
        query = query.where(CallTask.settled_at.is_(None), CallTask.state == TaskState.WAITING)
        query = query.where(CallTask.due_at <= now())
    printed = _printer(full, login)
    with open_database() as session:
        found = session.scalars(query.limit(limit)).all()
        rows = [{**_summary(task), "number": printed(task.number, "")} for task in found]
    if full:
        _note_looks(login, [row["id"] for row in rows])
    print_rows(rows, in_json)


@tasks.command("show")
@click.argument("task_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@in_full
@who_looks
@as_json
def show_task(task_id: int, full: bool, login: str | None, in_json: bool) -> None:
    """One task with its moves and the calls that were made about it."""
    from models.task_history import calls_made, find_task

    printed = _printer(full, login)
    with open_database() as session:
        task = find_task(session, task_id)
        if task is None:
            raise Refused(f"There is no task {task_id}: see contact-center task list.")
        facts = {**_summary(task), "number": printed(task.number, ""), "settled": when(task.settled_at)}
        moves = [
            {
                "at": when(row.at),
                "event": str(row.event),
                "from": row.from_state or None,
                "to": row.to_state,
                "why": str(row.why) if row.why else None,
                "user": row.user.name if row.user else None,
            }
            for row in task.events
        ]
        calls = [
            {
                "at": when(one.at),
                "by": one.attempt.user.name if one.attempt.user else "machine",
                "state": str(one.attempt.state),
                "outcome": str(one.attempt.outcome) if one.attempt.outcome else one.attempt.note or None,
                "cause": one.attempt.cause,
                "rang": int(one.rang.total_seconds()) if one.rang is not None else None,
                "talked": int(one.talked.total_seconds()) if one.talked is not None else None,
                "key": one.key or None,
            }
            for one in calls_made(session, task_id)
        ]
    if full:
        _note_looks(login, [task_id])
    if in_json:
        print_rows([{**facts, "moves": moves, "calls": calls}], in_json)
        return
    print_rows([{"what": key, "": value} for key, value in facts.items()], False)
    for rows in (moves, calls):
        click.echo()
        print_rows(rows, False)


@tasks.command("stop")
@who_acts
def stop(login: str) -> None:
    """The red button: no machine call begins any more, and those that ring or talk are ended."""
    from jobs.red_button import stop_machine_calls
    from jobs.settings import load_settings

    with open_database() as session:
        ended = stop_machine_calls(load_settings(), _person(session, login).id)
    if ended is None:
        raise Refused("Machine calls are stopped, but the exchange does not answer: those that go on were not ended.")
    click.echo(f"Machine calls are stopped; {ended} were ended.")


@tasks.command("start")
@who_acts
def start(login: str) -> None:
    """Let the machine call again, within its hours."""
    from models.attempts import switch_machine
    from models.base import now

    with open_database(write=True) as session:
        switch_machine(session, _person(session, login), now(), on=True)
    click.echo("The machine calls from now on.")


def _printer(full: bool, login: str | None) -> Any:
    """How numbers are printed; whole ones only for somebody whose look can be recorded."""
    if not full:
        return number_printer(full)
    if not login:
        raise Refused("Say who looks at whole numbers: add --as LOGIN.")
    with open_database() as session:
        _person(session, login)
    return number_printer(full)


def _note_looks(login: str | None, tasks: list[int]) -> None:
    """Record who looks at the whole numbers of these tasks; they are printed afterwards."""
    from models.people import AccessLog

    with open_database(write=True) as session:
        user = _person(session, login)
        session.add_all(AccessLog(user_id=user.id, subject="task", subject_id=one, reason=LOOK) for one in tasks)


def _person(session: "Session", login: str | None) -> "User":
    """Somebody of the centre. Raises `Refused`."""
    from sqlalchemy import select

    from models.acts import CENTRE
    from models.people import User

    found = session.scalar(select(User).where(User.login == login, User.active, User.role.in_(CENTRE)))
    if found is None:
        raise Refused(f"There is nobody {login} in the contact centre: see contact-center user list.")
    return found


def _summary(task: "CallTask") -> dict[str, Any]:
    return {
        "id": task.id,
        "purpose": str(task.purpose),
        "state": str(task.state),
        "why": str(task.why) if task.why else None,
        "report": task.report.number if task.report else None,
        "due": when(task.due_at),
        "deadline": when(task.deadline_at),
    }
