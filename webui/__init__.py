"""What people see: the Flask application, put together in `create_app`."""

from flask import Flask, g, has_request_context, request
from flask.sessions import SecureCookieSessionInterface
from flask_babel import Babel, get_locale
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from jobs.app import bare_app
from jobs.settings import Settings
from webui import (
    access,
    attachments,
    auth,
    board,
    callbacks,
    checks,
    closed,
    corrections,
    desk,
    desk_phones,
    drafts,
    duty,
    errors,
    events,
    health,
    journal,
    journal_export,
    letters,
    line_versions,
    lines,
    live,
    login_limits,
    outages,
    overview,
    personal,
    pressing,
    privacy,
    public,
    public_limits,
    quarterly,
    reference,
    reference_calendar,
    reference_import,
    reference_people,
    reports,
    saved_filters,
    shift,
    static_files,
    summary,
    tasks,
    text,
    uploads,
    work,
)

LANGUAGES = ("uk", "en")
PARTS = (
    attachments,
    auth,
    board,
    callbacks,
    checks,
    closed,
    corrections,
    desk,
    desk_phones,
    drafts,
    duty,
    events,
    health,
    journal,
    journal_export,
    letters,
    line_versions,
    lines,
    live,
    outages,
    overview,
    personal,
    pressing,
    privacy,
    public,
    reference,
    reference_calendar,
    reference_import,
    reference_people,
    quarterly,
    reports,
    saved_filters,
    shift,
    summary,
    tasks,
    work,
)  # each with a blueprint

_CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class RowId(IntegerConverter):
    """A number in an address. What no row can have is no such page, and not a fault of the database."""

    def __init__(self, url_map: Map, *args: object, max: int = 2**31 - 1, **options: object) -> None:
        super().__init__(url_map, *args, max=max, **options)


class Sessions(SecureCookieSessionInterface):
    def get_cookie_secure(self, app: Flask) -> bool:
        return access.secure_cookies()


def create_app(settings: Settings | None = None) -> Flask:
    """The whole web application. Connects to nothing before the first request."""
    app = bare_app(settings)
    settings = app.config["SETTINGS"]
    app.session_interface = Sessions()
    app.config.update(
        SESSION_COOKIE_NAME=f"cc_{settings.web_port}",  # cookies ignore ports: two copies must not share one
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=25 * 3600,  # the longest shift
        SESSION_REFRESH_EACH_REQUEST=False,  # an answer that is still under way must not undo a log-out
        MAX_CONTENT_LENGTH=1024 * 1024,
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
        TEMPLATES_AUTO_RELOAD=False,
        WTF_CSRF_TIME_LIMIT=None,
        BABEL_DEFAULT_LOCALE="uk",
        BABEL_DEFAULT_TIMEZONE="Europe/Kyiv",
    )
    app.json.ensure_ascii = False
    app.url_map.converters["int"] = RowId
    app.jinja_options = app.jinja_options | {"trim_blocks": True, "lstrip_blocks": True}
    auth.login_manager.init_app(app)
    access.guard(app)  # before CSRF: who is not logged in is told so first
    uploads.take_uploads(app)
    CSRFProtect(app)
    Babel(app, locale_selector=choose_language)
    text.add_filters(app)
    errors.handle(app)
    static_files.serve(app)
    app.jinja_env.globals.update(
        town=settings.profile.town,
        desk_roles=access.DESK_ROLES,
        get_locale=get_locale,
        hidden_fields=text.hidden_fields,
    )
    for part in PARTS:
        app.register_blueprint(part.bp)
    login_limits.limit_logins(app)
    public_limits.limit_public(app)
    if settings.proxies:  # who asks, and whether by https, is what the proxy says
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)

    @app.after_request
    def add_headers(response):
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def choose_language() -> str:
    """The user's language, else the one chosen on the login page, else (and on the command line) Ukrainian."""
    wanted = g.get("language") or (request.cookies.get("language") if has_request_context() else None)
    return wanted if wanted in LANGUAGES else LANGUAGES[0]
