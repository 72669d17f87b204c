"""What a probe of a part of the service saw."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What a probe saw. ``detail`` and ``todo`` are sentences, translated when they are shown."""

    ok: bool
    detail: object = ""
    todo: object = ""
    since: float | None = None  # seconds since the epoch, where the part itself says so
    stops_calls: bool = False  # calls do not reach a person until it is mended
