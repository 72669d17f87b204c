"""Error answers: a page that says what to do, or JSON for a script that asked."""

import logging

from flask import Flask, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf.csrf import CSRFError, generate_csrf
from werkzeug.exceptions import HTTPException

from models.base import database_is_away, db
from webui.access import secure_cookies
from webui.uploads import UPLOAD_PATHS

log = logging.getLogger(__name__)
_SECRET = {"password", "old", "new", "again", "pin"}  # fields
_FORMS = {
    "auth.log_in": "/login",
    "auth.change_password": "/me",
    "public.look": "/stan",
}  # where the forms that hold them stand


def wants_page() -> bool:
    """Whether a person opened this address (and not a script of the page: that gets JSON)."""
    goal = request.headers.get("Sec-Fetch-Dest")
    if goal:
        return goal == "document"
    accepts = request.accept_mimetypes
    return "X-CSRFToken" not in request.headers and not request.is_json and (not accepts or accepts.accept_html)


def handle(app: Flask) -> None:
    """Register the answers for everything that can go wrong."""
    app.register_error_handler(CSRFError, page_is_old)
    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(Exception, broken)


def explanation(code: int) -> tuple[str, str]:
    """For a status code: what happened, and what to do."""
    known = {
        400: (
            _("The request could not be understood"),
            _("Go back, reload the page and try again. Nothing was changed."),
        ),
        403: (
            _("This page is not for your role"),
            _("If you need it for your work, ask the technical administrator to change your role."),
        ),
        404: (
            _("There is no such page"),
            _("Check the address, or start from your first page."),
        ),
        405: (
            _("This address is for buttons only"),
            _("Go back and use the button on the page."),
        ),
        413: (
            (_("The files are too large together"), _("Go back, choose smaller or fewer files, and send it again."))
            if UPLOAD_PATHS.fullmatch(request.path)
            else (_("Too much text at once"), _("Shorten it and send it again."))
        ),
    }
    return known.get(code, (_("The request was refused"), _("Go back and try again.")))


def refused(error: HTTPException) -> ResponseReturnValue:
    """Any refusal with a status code. Redirects pass through."""
    if error.code is None or error.code < 400:
        return error
    if error.code >= 500:
        return broken(error)
    if not wants_page():
        return jsonify(error=error.name.lower(), message=explanation(error.code)[0]), error.code
    title, advice = explanation(error.code)
    kept = _written() if error.code in (403, 404) else []
    if kept and error.code == 404:
        title = _("It is not there, or not yours any more")
        advice = _("Somebody may have given it to others meanwhile. Nothing was saved; what you wrote stands below.")
    return render_template("errors/error.html", code=error.code, title=title, advice=advice, kept=kept), error.code


def _written() -> list[str]:
    """The words of a form that was refused, to be copied; no passwords, and nothing that was only chosen."""
    sent = [] if _SECRET & request.form.keys() else request.form.items(multi=True)
    return [text for _name, text in sent if " " in text.strip()]


def page_is_old(error: CSRFError) -> ResponseReturnValue:
    """The form's token is not this session's: logged in anew meanwhile, or a foreign page sent it.

    A script of ours gets the session's token and may send once more; a foreign page cannot read the answer.
    """
    title = _("This page was opened before you logged in")
    advice = _("Go back, reload the page and send it again. If it happens again, allow cookies for this site.")
    if secure_cookies() and not request.is_secure:  # the browser keeps none that came by http
        advice = _("Open this site by https://: over http:// the browser keeps nobody logged in.")
    if wants_page():
        return render_template("errors/error.html", code=400, title=title, advice=advice), 400
    user_id = current_user.id if current_user.is_authenticated else None
    return jsonify(error="csrf", message=title, csrf_token=generate_csrf(), user=user_id), 400


def broken(error: Exception) -> ResponseReturnValue:
    """The database is away, which may pass by itself; or it is a fault of ours, and in the log."""
    db.session.rollback()
    error = getattr(error, "original_exception", None) or error  # what broke once the answer was made comes wrapped
    if database_is_away(error):
        log.warning("database: %s", type(error).__name__)
        title = _("The database does not answer")
        advice = _("Nothing was saved: wait a minute and try again; calls ring meanwhile.")
        return _bare(503, "database", title, advice)
    log.error("a request to %s failed", request.endpoint, exc_info=error)
    title = _("Something broke on our side")
    advice = _("Nothing was saved: try again, and if it happens again, tell the technical administrator when it was.")
    return _bare(500, "internal", title, advice)


def too_long_page(app: Flask) -> str:
    """The answer to what is too long to be read at all, so that nobody knows who sent it and from which page."""
    title, advice = (
        _("Too much at once"),
        _("Nothing was saved. Go back and choose a smaller file, or shorten the text."),
    )
    return app.jinja_env.get_template("errors/bare.html").render(code=413, title=title, advice=advice, typed=[])


def _bare(code: int, word: str, title: str, advice: str) -> ResponseReturnValue:
    """An answer that needs neither the database nor the user. A form that was sent can be sent again from it.

    Only a password is not kept: where one was typed, the way leads back to its form.
    """
    if not wants_page():
        return jsonify(error=word, message=title), code
    template = current_app.jinja_env.get_template("errors/bare.html")
    typed = [] if _SECRET & request.form.keys() else list(request.form.items(multi=True))
    again = _FORMS.get(request.endpoint or "", request.full_path.rstrip("?"))
    return template.render(code=code, title=title, advice=advice, typed=typed, again=again), code
