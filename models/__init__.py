"""Tables, states and rules. Knows no Redis, no Asterisk and no request."""

# every table is known once one is
from models import calls, kept, lines, marks, people, places, reports, retention, shifts  # noqa: F401
