"""find by telephone

A report's telephones are words of its search text: a "t" and the digits from the last to the first, so that the
full-text index finds them by their last digits.
"""

import re

from alembic import op

revision = "0005"
down_revision = "0004"

SQLITE = """UPDATE reports SET search_text = trim(
    search_text || ' ' || telephone_word(coalesce(contact_number, '')) || ' ' || telephone_word(other_phone))"""
POSTGRESQL = """UPDATE reports SET search_text = concat_ws(' ', search_text,
    't' || reverse(nullif(regexp_replace(contact_number, '[^0-9]', '', 'g'), '')),
    't' || reverse(nullif(regexp_replace(other_phone, '[^0-9]', '', 'g'), '')))"""


def telephone_word(number: str) -> str:
    digits = re.sub("[^0-9]", "", number)
    return f"t{digits[::-1]}" if digits else ""


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        bind.connection.create_function("telephone_word", 1, telephone_word)
        op.execute(SQLITE)
    else:
        op.execute(POSTGRESQL)
