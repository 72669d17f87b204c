"""A town with people at their desks, calls as the exchange would report them, and the real web server."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

import redis
from flask import Flask, has_app_context
from sqlalchemy.orm import Session

from jobs.app import bare_app
from jobs.callfacts import Answered, apply
from jobs.settings import Settings
from jobs.supervise import redis_server
from models.base import db, now, transaction
from models.calls import Call, find_call, note_hung_up, note_ringing
from models.people import ORGANISATION_ROLES, Organisation, Phone, Role, User
from models.places import Category, Street
from models.reports import Report
from tests.helpers import AREA_CODE, add_lines, close_database, eventually, record_call
from webui import auth

PASSWORD = "three words long"
PEOPLE = {
    "tsapkova": ("Цапкова О. П.", Role.ADMINISTRATOR),
    "cherniavska": ("Чернявська С. І.", Role.ADMINISTRATOR),
    "sorokina": ("Сорокіна В. В.", Role.ADMINISTRATOR),
    "dyspetcher": ("Диспетчерська Д. Д.", Role.DISPATCHER),
    "nachalnyk": ("Головна Н. К.", Role.SUPERVISOR),
    "tekhnik": ("Технічний Т. А.", Role.TECHNICAL_ADMINISTRATOR),
    "operator": ("Операторська О. О.", Role.OPERATOR),
    "kerivnyk": ("Керівник К. К.", Role.HEAD),
    "kontrol": ("Контрольний К. О.", Role.CONTROL_BODY),
}
STREETS = {"Київська": "", "Соборна": "Леніна", "Сумська": "Жовтнева, Луначарського", "Гетьмана Мазепи": "Горького"}
KINDS = (
    ("Вуличне освітлення", "КП «Міськсвітло»", 5),
    ("Водопостачання", "КП «Міськводоканал»", 2),
    ("Вивезення сміття", "КП «Комунальник»", 3),
)


def fill_desks() -> None:
    """Three administrators with a phone and a line each (first their own line, then the others), their helpers,
    and the people of the first organisation with the one who controls it."""
    password_hash = auth.hasher.hash(PASSWORD)
    with transaction() as session:
        users = [
            User(login=login, name=name, role=role, password_hash=password_hash)
            for login, (name, role) in PEOPLE.items()
        ]
        session.add_all(users)
        session.flush()
        add_lines(session, users)
        for position, (name, organisation, days) in enumerate(KINDS):
            responsible = Organisation(name=organisation)
            session.add(responsible)
            session.flush()
            session.add(Category(name=name, organisation_id=responsible.id, working_days=days, position=position))
            if position == 0:
                for user in users:
                    user.organisation = responsible if user.role in ORGANISATION_ROLES else None
                    user.controls = [responsible] if user.role == Role.CONTROL_BODY else []
        session.add_all([Street(name=name, former_names=former) for name, former in STREETS.items()])
    db.session.remove()


def user_id(login: str) -> int:
    return db.session.scalars(db.select(User.id).where(User.login == login)).one()


def inside(app: Flask) -> AbstractContextManager:
    """The application's context, unless one is open already."""
    return nullcontext() if has_app_context() else app.app_context()


class Exchange:
    """What the telephone exchange would report, told to the database as AGI script and listener do."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def call(self, number: str = "0671234567", line: str = "53273", at: datetime | None = None) -> tuple[int, int]:
        """A citizen calls: the call's and the draft's ids."""
        with inside(self._app), transaction() as session:
            call, draft = record_call(session, number, line=line, at=at or now())
            return call.id, draft.id

    def ring(self, call_id: int, phone: int) -> None:
        """The phone ``admin<phone>`` rings for the call."""
        self._report(call_id, phone, note_ringing)

    def answer(self, call_id: int, phone: int) -> None:
        """The receiver of ``admin<phone>`` is lifted: the draft goes to whose phone it is."""
        with inside(self._app), transaction() as session:
            call = session.get_one(Call, call_id).uniqueid
            apply(session, [Answered(call, f"{call}-leg-{phone}", f"admin{phone}", now())], AREA_CODE)

    def hang_up(self, call_id: int) -> None:
        with inside(self._app), transaction() as session:
            note_hung_up(session, session.get_one(Call, call_id), now(), 16)

    def missed(self, number: str, ago: timedelta = timedelta(minutes=10)) -> tuple[int, int]:
        """A call that nobody answered, a while ago."""
        call_id, draft_id = self.call(number, at=now() - ago)
        self.hang_up(call_id)
        return call_id, draft_id

    def _report(self, call_id: int, phone: int, note: Callable) -> None:
        with inside(self._app), transaction() as session:
            call = session.get_one(Call, call_id)
            who = session.scalars(db.select(Phone).where(Phone.name == f"admin{phone}")).one()
            note(session, find_call(session, call.uniqueid), f"{call.uniqueid}-leg-{phone}", who, now())


class Site:
    """A running copy: its Redis and its web server, and an application of our own on the same database."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.web_port}"
        self.app = bare_app(settings)
        self.exchange = Exchange(self.app)
        self._environ = os.environ | {"CC_VAR": str(settings.var), "CC_WEB_PORT": str(settings.web_port)}
        self._environ["CC_PROXY"] = str(settings.proxies)
        self._parts: dict[str, subprocess.Popen] = {}

    def start_redis(self) -> None:
        socket = self.settings.redis_socket
        socket.parent.mkdir(parents=True, exist_ok=True)
        self._start("redis", [*redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", ""])
        eventually(lambda: self._redis_answers(), "Redis answers")

    def start_web(self) -> None:
        self._start("web", [sys.executable, "-m", "webui.server"])
        eventually(self._web_answers, "the web answers")

    def pid(self, part: str) -> int:
        return self._parts[part].pid

    def end(self, part: str) -> int:
        """Tell a part to stop, as supervisord does: its exit status."""
        process = self._parts.pop(part)
        process.terminate()
        return process.wait(20)

    def kill(self, part: str) -> None:
        """End a part as a power cut would."""
        process = self._parts.pop(part)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for part in list(self._parts):
            self.kill(part)
        close_database(self.app)

    def draft(self, draft_id: int, **values: object) -> Report:
        """The draft as it is stored, free of its session; ``values`` are written into it first."""
        with self.app.app_context():
            if values:
                with transaction() as session:
                    for name, value in values.items():
                        setattr(session.get_one(Report, draft_id), name, value)
            found = db.session.get_one(Report, draft_id)
            db.session.expunge(found)
            return found

    def _start(self, part: str, command: list[str]) -> None:
        log = (self.settings.var / f"{part}.log").open("ab")
        self._parts[part] = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log, start_new_session=True)

    def _redis_answers(self) -> bool:
        try:
            return redis.Redis.from_url(self.settings.redis_url, socket_timeout=1).ping()
        except redis.RedisError:
            return False

    def _web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/login", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


def new_draft(exchange: Exchange, session: Session, number: str = "0671234567") -> Report:
    """The draft of a new call."""
    return session.get_one(Report, exchange.call(number)[1])
