"""Logging in and out, and what each person sets for themselves: password, language, colours, sound."""

from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import (
    Blueprint,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import LoginManager, current_user, login_user, logout_user
from sqlalchemy import select, update

from jobs.demo_users import DEMO_USERS
from models.accounts import set_email
from models.addresses import NoAddress, read_address
from models.base import db, now, transaction
from models.people import ORGANISATION_ROLES, Role, User
from webui.access import DESK_ROLES, EVERYBODY, allow, public, secure_cookies
from webui.errors import wants_page
from webui.login_limits import browser_is_known, count_wrong, know_browser, login_typed, turn_to_hash
from webui.text import row_id

bp = Blueprint("auth", __name__)
login_manager = LoginManager()
hasher = PasswordHasher()
_NOBODYS_HASH = hasher.hash("nobody has this password")  # an unknown login costs as much time as a known one
SHORTEST_PASSWORD = 10
THEMES = ("auto", "light", "dark")
_YEAR = 365 * 24 * 3600


@login_manager.user_loader
def load_user(mark: str) -> User | None:
    """The user of this session, unless switched off or the session was ended by raising `User.session_mark`."""
    user_id, _sep, session_mark = mark.partition(":")
    row = row_id(user_id)
    user = db.session.get(User, row) if row is not None else None
    return user if user and user.active and str(user.session_mark) == session_mark else None


@login_manager.unauthorized_handler
def ask_to_log_in() -> ResponseReturnValue:
    """Nobody is logged in: a person is sent to the login page, a script gets 401."""
    if not wants_page():
        return jsonify(error="login", message=_("You are not logged in any more."), login=url_for("auth.login")), 401
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.login", next=back if back != "/" else None))


@bp.get("/login")
@public
def login() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(home(current_user))
    return _login_page()


@bp.post("/login")
@public
def log_in() -> ResponseReturnValue:
    """Log in. An unknown login, a wrong password and a user switched off get the same answer, in the same time."""
    typed = request.form.get("login", "").strip()
    with turn_to_hash():  # before the database is asked: who waits holds no connection
        user = db.session.scalar(select(User).where(User.login == login_typed()))
        right = _password_is_right(user, request.form.get("password", ""))
    if not right:
        return _login_page(_("Wrong login or password. Check the keyboard's language and Caps Lock."), typed), 401
    if hasher.check_needs_rehash(user.password_hash):
        with turn_to_hash():
            password_hash = hasher.hash(request.form["password"])
        with transaction() as db_session:
            db_session.get_one(User, user.id).password_hash = password_hash
    session.clear()
    session.permanent = True
    login_user(user)
    response = redirect(safe_next(request.args.get("next")) or home(user))
    _remember(response, "language", user.language)
    know_browser(response, user.login, user.session_mark)
    return response


@bp.errorhandler(429)
def too_many_tries(_error: Exception) -> ResponseReturnValue:
    """The page that was sent, with what was typed, and what to do."""
    if request.endpoint == "auth.change_password":
        errors = {"old": _("Too many tries: wait five minutes and try again.")}
        return _own_page(errors), 429
    sentence = _("Too many tries: wait five minutes, or log in in the browser where you have done it before.")
    return _login_page(sentence, request.form.get("login", "").strip()), 429


@bp.post("/logout")
@allow(*EVERYBODY)
def logout() -> ResponseReturnValue:
    """Log out everywhere: all sessions of this person end, and a copy of the old cookie is worth nothing."""
    user_id, login, known = current_user.id, current_user.login, browser_is_known()
    logout_user()
    session.clear()
    raised = update(User).where(User.id == user_id).values(session_mark=User.session_mark + 1)
    with transaction() as db_session:
        session_mark = db_session.scalars(raised.returning(User.session_mark)).one()
    flash(_("You are logged out."), "ok")
    response = redirect(url_for("auth.login"))
    if known:  # where a copied session is logged out, nobody has typed the password
        know_browser(response, login, session_mark)
    return response


@bp.get("/me")
@allow(*EVERYBODY)
def me() -> ResponseReturnValue:
    return _own_page({}), 200


@bp.post("/me/email")
@allow(*EVERYBODY)
def change_email() -> ResponseReturnValue:
    """Where warnings are written to; empty for nowhere."""
    typed = request.form.get("email", "")
    try:
        address, user_id = read_address(typed), current_user.id
    except NoAddress:
        return _own_page({"email": _("Write the address like name@town.gov.ua, or leave it empty.")}, typed), 422
    with transaction() as db_session:
        user = db_session.get_one(User, user_id)
        set_email(db_session, user, user, now(), address)
    flash(_("The e-mail address is saved."), "ok")
    return redirect(url_for("auth.me"))


@bp.post("/me/password")
@allow(*EVERYBODY)
def change_password() -> ResponseReturnValue:
    """Change one's own password; all other sessions of this person end."""
    new, again = request.form.get("new", ""), request.form.get("again", "")
    errors = {}
    with turn_to_hash():
        right = _password_is_right(current_user, request.form.get("old", ""))
    if not right:
        errors["old"] = _("This is not your present password.")
    if len(new) < SHORTEST_PASSWORD:
        errors["new"] = _("Write at least %(num)d characters; three words are easy to remember.", num=SHORTEST_PASSWORD)
    elif new != again:
        errors["again"] = _("The two new passwords differ. Type the second one again.")
    if errors:  # only the wrong old password counts as a wrong one
        status = 401 if "old" in errors else 422
        return _own_page(errors), status
    with turn_to_hash():
        password_hash = hasher.hash(new)
    user_id = current_user.id
    with transaction() as db_session:
        user = db_session.get_one(User, user_id)
        user.password_hash = password_hash
        user.session_mark += 1
    login_user(user)
    flash(_("The password is changed. Your other sessions have ended."), "ok")
    response = redirect(url_for("auth.me"))
    know_browser(response, user.login, user.session_mark)
    return response


@bp.post("/language")
@public
def set_language() -> ResponseReturnValue:
    """Switch the language: for the person when logged in, and for this browser's login page."""
    wanted = request.form.get("language")
    response = redirect(_back())
    if wanted in ("uk", "en"):
        _set_own(language=wanted)
        _remember(response, "language", wanted)
    return response


@bp.post("/theme")
@public
def set_theme() -> ResponseReturnValue:
    """Light, dark, or as the system says; kept in this browser."""
    wanted = request.form.get("theme")
    response = redirect(_back())
    if wanted in THEMES:
        _remember(response, "theme", wanted)
    return response


@bp.post("/sound")
@allow(*EVERYBODY)
def set_sound() -> ResponseReturnValue:
    """The sound of a call in the page, on or off."""
    _set_own(sound=request.form.get("sound") == "on")
    return redirect(_back())


def home(user: User) -> str:
    """Where this person's work is: the desk, their organisation's reports, their decisions, the state of the system."""
    if user.role in DESK_ROLES:
        return "/"
    if user.role in ORGANISATION_ROLES:
        return url_for("work.day")
    return url_for("work.decisions" if user.role == Role.CONTROL_BODY else "health.status")


def safe_next(target: str | None) -> str | None:
    """``target`` when it is a page of ours (a path of this site), else None."""
    if not target or not target.startswith("/") or any(ord(char) < 33 or char == "\\" for char in target):
        return None
    if target.startswith("//"):
        return None
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else target


def _back() -> str:
    return safe_next(request.form.get("back")) or "/"


def _remember(response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=_YEAR, secure=secure_cookies(), httponly=True, samesite="Lax")


def _set_own(**values: object) -> None:
    if current_user.is_authenticated:
        user_id = current_user.id
        with transaction() as db_session:
            db_session.execute(update(User).where(User.id == user_id).values(**values))


def _password_is_right(user: User | None, password: str) -> bool:
    """Whether it is this active user's password; a wrong one is counted."""
    try:
        right = hasher.verify(user.password_hash if user else _NOBODYS_HASH, password) and user and user.active
    except (VerificationError, InvalidHashError):
        right = False
    if not right:
        count_wrong()
    return bool(right)


def _own_page(errors: dict[str, str], email: str | None = None) -> str:
    """The page of what is one's own; ``email`` as it was typed and refused."""
    shown = current_user.email if email is None else email
    return render_template("auth/me.html", errors=errors, shortest=SHORTEST_PASSWORD, email=shown)


def _login_page(error: str = "", typed: str = "") -> str:
    demo = current_app.config["SETTINGS"].env == "demo"  # which alone shows its passwords
    return render_template("auth/login.html", error=error, typed=typed, demo_users=DEMO_USERS if demo else [])
