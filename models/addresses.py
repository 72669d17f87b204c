"""E-mail addresses: which can be written to."""

import re

LONGEST = 160  # characters
_USABLE = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)


class NoAddress(ValueError):
    """What was typed is no e-mail address."""


def read_address(typed: str) -> str:
    """The address that was typed, without the spaces around it; "" for none. Raises `NoAddress`."""
    address = typed.strip()
    if address and (len(address) > LONGEST or not _USABLE.fullmatch(address) or ".." in address):
        raise NoAddress
    return address
