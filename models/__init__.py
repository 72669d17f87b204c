"""Tables, states and rules. Knows no Redis, no Asterisk and no request."""

# every table is known once one is
from models import attachments, calls, lines, marks, online, people, places, reports  # noqa: F401
