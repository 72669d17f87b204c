"""Tables, states and rules. Knows no Redis, no Asterisk and no request."""
