"""Tables, states and rules. Knows no Redis, no Asterisk and no request."""

from models import calls, lines, marks, people, places, reports  # noqa: F401  (every table is known once one is)
