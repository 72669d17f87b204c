"""How often the public pages may be asked from an address: nobody floods the desk.

Counted as logins are (`login_limits`): in Redis, in memory while Redis is away, and no address gets there. How often a
PIN may be tried is `jobs.lookup_limits`, for the telephone counts with the page.
"""

from contextlib import suppress
from ipaddress import ip_address, ip_network

from flask import Flask
from flask_limiter.util import get_remote_address

from jobs.lookup_limits import LOOKUPS, LookupLimits
from webui.login_limits import keyed

FORMS = "40/hour"  # from an address, also those that came back with something to mend


def limit_public(app: Flask) -> None:
    """Limit the form and the look-up. Call it when the views are registered and logins are limited."""
    limiter = app.extensions["login_limiter"]
    app.extensions["lookup_limits"] = LookupLimits(app.config["SETTINGS"].redis_url, app.secret_key)
    for endpoint, limit in (("public.send", FORMS), ("public.look", LOOKUPS)):
        app.view_functions[endpoint] = limiter.limit(limit, key_func=sender)(app.view_functions[endpoint])


def sender() -> str:
    """Whoever asks, as a hash of their address that only this site can make; of IPv6 a household's whole network."""
    address = get_remote_address()
    with suppress(ValueError):
        if ip_address(address).version == 6:
            address = str(ip_network(f"{address}/64", strict=False))
    return keyed("sender", address)
