"""Telephone numbers: what the exchange gives, turned into E.164, and back into what people read."""

import re
import unicodedata
from collections.abc import Callable, Collection

import phonenumbers

# what people, their keyboards and what they paste from put between the digits of a telephone: inside [] of a pattern
SIGNS = (
    r"\s()./,_\-"
    "\u00ad\u200b-\u200f\u2060\ufeff"  # seen by nobody
    "\u2010-\u2015\u2212\ufe58\ufe63"  # dashes
    "\uff08\uff09\uff0c-\uff0f\uff3f"  # of full width
)
# a comma with a space ends one number of a list: houses 10, 12, 14
_TYPED = re.compile(rf"(?<![\d-])[+\uff0b]?[(\uff08]?\d(?:(?!,\s)[{SIGNS}]{{0,3}}\d){{8,12}}(?![\d-])")
_LOCAL_DIGITS = 5  # a subscriber's number inside the town, as people say it: 5-32-73


def to_e164(received: str, area_code: str) -> str | None:
    """Turn a number as received into E.164 (``+380671234567``), or None when it cannot be understood.

    ``area_code`` is the town's, national and without the leading zero ("5448"). Five local digits get the area
    code; ``8 0…``, the old trunk prefix, and a bare ``80…``/``380…`` are understood. Never raises: a number that
    means nothing must not stop a call (the caller keeps what was received).
    """
    text = unicodedata.normalize("NFKC", received).strip()
    if not re.fullmatch(rf"[+\d{SIGNS}]{{3,40}}", text):
        return None
    digits = re.sub(r"\D", "", text)
    if text.startswith("+"):
        candidate = f"+{digits}"
    elif len(digits) == _LOCAL_DIGITS and digits[0] not in "01":
        candidate = f"+380{area_code}{digits}"
    elif digits.startswith("00"):
        candidate = f"+{digits[2:]}"
    elif digits.startswith("80") and len(digits) == 11:
        candidate = f"+3{digits}"
    elif digits.startswith("380") and len(digits) == 12:
        candidate = f"+{digits}"
    elif digits.startswith("0") and len(digits) == 10:
        candidate = f"+38{digits}"
    elif len(digits) == 9:
        candidate = f"+380{digits}"
    else:
        return None
    try:
        parsed = phonenumbers.parse(candidate, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def readable(number: str | None, received: str = "", area_code: str = "") -> str:
    """A number as people read it: ``5-32-73`` in the own town, ``+380 67 123 45 67`` elsewhere.

    Falls back on what was received, and on an empty string when nothing was.
    """
    if not number:
        return received.strip()
    if area_code and number.startswith(f"+380{area_code}") and len(number) == len("+380") + 9:
        local = number[-_LOCAL_DIGITS:]
        return f"{local[0]}-{local[1:3]}-{local[3:]}"
    if number.startswith("+380") and len(number) == 13:
        return f"+380 {number[4:6]} {number[6:9]} {number[9:11]} {number[11:]}"
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def masked(number: str | None, received: str = "") -> str:
    """A number for lists: only the first digits and the last two can be read (A3)."""
    text = number or re.sub(r"[^\d+]", "", received)
    if len(text) < 7:
        return "•" * len(text)
    if text.startswith("+380") and len(text) == 13:
        return f"+380 {text[4:6]} ••• •• {text[11:]}"
    return f"{text[:4]} ••• {text[-2:]}"


def without_numbers(text: str, area_code: str, keep: Collection[str] = (), put: Callable[[str], str] = masked) -> str:
    """The text with every telephone that was typed into it masked, but for those to ``keep`` (E.164) (A3).

    ``put`` makes of a number what stands there instead.

    Numbers of five digits stay: in texts they are the town's lines.
    """

    def mask(found: re.Match[str]) -> str:
        number = to_e164(found[0], area_code)
        return found[0] if number is None or number in keep else put(number)

    return _TYPED.sub(mask, text)


def withheld(received: str) -> bool:
    """Whether the caller hides the number: nothing came instead, or a word such as "anonymous"."""
    return not re.search(r"\d", received)
