"""What a site holds, for comparing it before and after: every row, every file."""

import hashlib
from collections.abc import Collection
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, select

from jobs.settings import Settings
from models.base import Base

PHOTO = b"\xff\xd8 a photo \xff\xd9" * 400
SPOKEN = b"RIFF what somebody said"


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """A site on each kind of database, migrated and empty."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_settings")
    return settings


def fill_folders(settings: Settings) -> None:
    """A photo with its small picture, a remark that nobody has taken yet, a recorded sentence."""
    name = hashlib.sha256(PHOTO).hexdigest()
    put(settings, f"attachments/{name[:2]}/{name}", PHOTO)
    put(settings, f"attachments/{name[:2]}/{name}.small", PHOTO[:80])
    put(settings, f"attachments/{name[:2]}/{name}.new", b"half writ")
    put(settings, "pbx/remarks/7-9.wav", SPOKEN)
    put(settings, "prompts/keys.wav", SPOKEN)
    put(settings, "prompts/запис міста (1).wav", SPOKEN)


def put(settings: Settings, name: str, content: bytes) -> Path:
    path = settings.var / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def rows(settings: Settings, besides: Collection[str] = ()) -> dict[str, list[tuple]]:
    """Every row of every table but these."""
    engine = create_engine(settings.database_url, poolclass=NullPool)
    with engine.connect() as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for name, table in Base.metadata.tables.items()
            if name not in besides
        }


def files(folder: Path) -> dict[str, bytes]:
    """Every file of all that a backup holds, but the database's and the secret that is made anew."""
    kept = ("attachments", "prompts", "pbx/remarks")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in kept
        for path in sorted((folder / part).rglob("*"))
        if path.is_file() and path.suffix != ".new"
    }
