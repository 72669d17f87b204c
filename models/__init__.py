"""Tables, states and rules. Knows no Redis, no Asterisk and no request."""

# every table is known once one is
from models import (  # noqa: F401
    attachments,
    calls,
    journal_filters,
    lines,
    marks,
    online,
    people,
    places,
    reports,
    saved_filters,
)
