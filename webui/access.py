"""Who may do what: every view says which roles it serves, and a view that says nothing serves nobody."""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from flask import Flask, Response, abort, after_this_request, current_app, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from models.acts import CENTRE
from models.base import db, now, transaction
from models.people import ORGANISATION_ROLES, AccessLog, Role

EVERYBODY = frozenset(Role)
DESK_ROLES = CENTRE
LISTENERS = DESK_ROLES | {Role.TECHNICAL_ADMINISTRATOR}  # to what happens: ids and states of calls, no number
HEARERS = LISTENERS | ORGANISATION_ROLES  # an organisation hears how many new reports it has, and of no call
REPORT_ROLES = DESK_ROLES | ORGANISATION_ROLES | {Role.CONTROL_BODY}  # who sees reports; `models.acts.concerns`: which
EXPORTERS = frozenset({Role.ADMINISTRATOR, Role.SUPERVISOR})  # of names and telephones
_PUBLIC = frozenset({"public"})
_LOOK_COUNTS_FOR = timedelta(minutes=5)

log = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])


def allow(*roles: Role) -> Callable[[View], View]:
    """Declare that the view serves these roles: ``@allow(Role.ADMINISTRATOR)`` or ``@allow(*EVERYBODY)``."""

    def declare(view: View) -> View:
        view.roles = frozenset(roles)  # type: ignore[attr-defined]
        return view

    return declare


def public(view: View) -> View:
    """Declare that the view serves people who are not logged in."""
    view.roles = _PUBLIC  # type: ignore[attr-defined]
    return view


def declared_roles(app: Flask, endpoint: str) -> frozenset[str] | None:
    """What the endpoint's view declares: its roles, ``{"public"}``, or None when it declares nothing."""
    if endpoint == "static":
        return _PUBLIC
    return getattr(app.view_functions[endpoint], "roles", None)


def guard(app: Flask) -> None:
    """Refuse every request whose view does not declare the user's role (fails closed)."""

    @app.before_request
    def refuse_unless_allowed() -> ResponseReturnValue | None:
        if request.endpoint is None:  # no such page: the router answers
            return None
        roles = declared_roles(app, request.endpoint)
        if roles is _PUBLIC:
            return None
        if roles is None:
            log.error("the view %s declares no roles and is refused", request.endpoint)
            abort(403)
        if not current_user.is_authenticated:
            return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
        g.language = current_user.language
        if current_user.role not in roles:
            abort(403)
        return None


def secure_cookies() -> bool:
    """Whether this answer's cookies may travel by https alone; in production always, for people reach it so."""
    return request.is_secure or current_app.config["SETTINGS"].env == "production"


def log_looks(subject: str, subject_ids: Iterable[int], reason: str) -> None:
    """Record that the logged-in user looks at personal data in full (A3); once in five minutes for one subject.

    ``subject`` is "call", "task", "report", "person", "attachment", "journal" or "list" (a page of either, by its
    newest report). Writes a transaction of its own: call it outside of any other.
    """
    user_id, wanted = current_user.id, list(dict.fromkeys(subject_ids))
    logged = select(AccessLog.subject_id).where(
        AccessLog.at > now() - _LOOK_COUNTS_FOR,
        AccessLog.user_id == user_id,
        AccessLog.subject == subject,
        AccessLog.subject_id.in_(wanted),
        AccessLog.reason == reason,
    )
    seen = set(db.session.scalars(logged))
    if new := [subject_id for subject_id in wanted if subject_id not in seen]:
        with transaction() as session:
            session.add_all(
                AccessLog(user_id=user_id, subject=subject, subject_id=subject_id, reason=reason) for subject_id in new
            )


def log_looks_with_answer(subject: str, subject_ids: Iterable[int], reason: str) -> None:
    """`log_looks`, once the answer is made; it is not sent without its trace.

    Not before: the trace is a transaction, after which all that was loaded would be loaded again.
    """
    wanted = list(subject_ids)

    @after_this_request
    def log_them(response: Response) -> Response:
        if wanted and response.status_code < 500:
            log_looks(subject, wanted, reason)
        return response


def log_telephone_search(digits: int, reason: str) -> None:
    """Record that the logged-in user searches by so many digits of a telephone; each time, whatever it finds."""
    user_id = current_user.id
    with transaction() as session:
        session.add(AccessLog(user_id=user_id, subject="search", subject_id=digits, reason=reason))


def log_export(count: int, reason: str, *, names: bool) -> None:
    """Record that the logged-in user takes so many reports away in a file, with ``names`` and telephones or without."""
    user_id, subject = current_user.id, "export_names" if names else "export"
    with transaction() as session:
        session.add(AccessLog(user_id=user_id, subject=subject, subject_id=count, reason=reason))
