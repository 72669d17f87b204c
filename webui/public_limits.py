"""How often the public pages may be asked: nobody floods the desk, and nobody finds a PIN by trying.

Every try counts, right or wrong: of many that are sent at once none passes before the others were counted. Counted as
logins are (`login_limits`): in Redis, in memory while Redis is away, and neither an address nor a number gets there.
"""

from contextlib import suppress
from ipaddress import ip_address, ip_network

from flask import Flask, request
from flask_limiter.util import get_remote_address

from models.lookup import meant_number
from webui.login_limits import keyed

FORMS = "40/hour"  # from an address, also those that came back with something to mend
LOOKUPS = "60/hour"  # from an address; a whole house may share one
TRIES = "10/hour"  # for a number, from all addresses together: of a million PINs 240 a day


def limit_public(app: Flask) -> None:
    """Limit the form and the look-up. Call it when the views are registered and logins are limited."""
    limiter = app.extensions["login_limiter"]
    limits = {
        "public.send": (limiter.limit(FORMS, key_func=sender),),
        "public.look": (
            limiter.limit(LOOKUPS, key_func=sender),
            limiter.limit(TRIES, key_func=number_tried, exempt_when=no_number),
        ),
    }
    for endpoint, its in limits.items():
        for limit in its:
            app.view_functions[endpoint] = limit(app.view_functions[endpoint])


def sender() -> str:
    """Whoever asks, as a hash of their address that only this site can make; of IPv6 a household's whole network."""
    address = get_remote_address()
    with suppress(ValueError):
        if ip_address(address).version == 6:
            address = str(ip_network(f"{address}/64", strict=False))
    return keyed("sender", address)


def number_tried() -> str:
    """One count for a number however it is written: «№ 412», «2026-0412» and «2026/412» are the same."""
    return keyed("number", meant_number(request.form.get("number", "")))


def no_number() -> bool:
    """What is no number finds no report."""
    return not meant_number(request.form.get("number", ""))
