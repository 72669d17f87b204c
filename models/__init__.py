"""Tables, states and rules. Knows no Redis, no Asterisk and no request."""

# every table is known once one is
from models import (  # noqa: F401
    attachments,
    calls,
    journal_filters,
    kept,
    lines,
    marks,
    online,
    people,
    places,
    reports,
    retention,
    saved_filters,
    shifts,
)
