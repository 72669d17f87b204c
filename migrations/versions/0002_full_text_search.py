"""full text search

The words of a report (`reports.search_text`) in the database's own full-text index: FTS5 on SQLite, kept by
triggers; a GIN index on PostgreSQL.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

SQLITE = (
    """CREATE VIRTUAL TABLE report_words USING fts5(
        search_text, content='reports', content_rowid='id',
        tokenize='unicode61 remove_diacritics 0', prefix='2 3 4 5 6')""",
    """CREATE TRIGGER report_words_insert AFTER INSERT ON reports BEGIN
        INSERT INTO report_words(rowid, search_text) VALUES (new.id, new.search_text); END""",
    """CREATE TRIGGER report_words_delete AFTER DELETE ON reports BEGIN
        INSERT INTO report_words(report_words, rowid, search_text) VALUES ('delete', old.id, old.search_text); END""",
    """CREATE TRIGGER report_words_update AFTER UPDATE OF search_text ON reports
        WHEN old.search_text IS NOT new.search_text BEGIN
        INSERT INTO report_words(report_words, rowid, search_text) VALUES ('delete', old.id, old.search_text);
        INSERT INTO report_words(rowid, search_text) VALUES (new.id, new.search_text); END""",
    "INSERT INTO report_words(report_words) VALUES ('rebuild')",
)
POSTGRESQL = "CREATE INDEX report_words ON reports USING gin (to_tsvector('simple', search_text))"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE:
            op.execute(statement)
    else:
        op.execute(POSTGRESQL)
