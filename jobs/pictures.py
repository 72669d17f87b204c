"""What an uploaded file is: found out from its content, whatever it is called.

Pictures are written anew: what a telephone puts into them besides (where they were taken, by which device) is gone,
and nothing that is no picture survives in one. The longest side becomes 2560 pixels at most. A PDF is kept as it came.
"""

import io
import threading
from enum import StrEnum
from pathlib import PurePath

from PIL import Image, ImageOps

from jobs.filestore import Checked

MOST_BYTES = 10 * 1024 * 1024
MOST_PIXELS = {"JPEG": 64_000_000, "PNG": 24_000_000, "WEBP": 24_000_000}  # a JPEG is decoded at a smaller scale
LONGEST_SIDE = 2560  # pixels
SMALL_SIDE = 240  # pixels, of the picture in lists
PDF = "application/pdf"
_BEGINNINGS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "PDF": b"%PDF-"}
_SUFFIXES = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".png": "PNG",
    ".webp": "WEBP",
    ".pdf": "PDF",
}
_END_OF_PDF = 2048  # bytes in which its end mark stands
_DECODING = threading.BoundedSemaphore(1)  # one picture takes up to 300 MB: many at once would take all the memory
_LONGEST_WAIT = 10.0  # seconds for a turn to decode


class Refusal(StrEnum):
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    UNKNOWN = "unknown"  # of a kind that is not accepted
    LIES = "lies"  # another kind than its name says
    BROKEN = "broken"
    TOO_MANY_PIXELS = "too_many_pixels"
    BUSY = "busy"


class NotAccepted(Exception):
    """The file is not taken; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def check_file(content: bytes, name: str) -> Checked:
    """What the file holds, ready to be kept. Raises `NotAccepted`."""
    if not content:
        raise NotAccepted(Refusal.EMPTY)
    if len(content) > MOST_BYTES:
        raise NotAccepted(Refusal.TOO_LARGE)
    kind, said = _kind_of(content), _SUFFIXES.get(PurePath(name).suffix.lower())
    if kind is None:
        raise NotAccepted(Refusal.LIES if said else Refusal.UNKNOWN)
    if said and (kind == "PDF") != (said == "PDF"):
        raise NotAccepted(Refusal.LIES)
    if kind == "PDF":
        if b"%%EOF" not in content[-_END_OF_PDF:]:
            raise NotAccepted(Refusal.BROKEN)
        return Checked(content, PDF)
    if not _DECODING.acquire(timeout=_LONGEST_WAIT):
        raise NotAccepted(Refusal.BUSY)
    try:
        return _written_anew(content, kind)
    finally:
        _DECODING.release()


def _kind_of(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for kind, beginning in _BEGINNINGS.items() if content.startswith(beginning)), None)


def _written_anew(content: bytes, kind: str) -> Checked:
    try:
        with Image.open(io.BytesIO(content), formats=(kind,)) as image:
            if image.width * image.height > MOST_PIXELS[kind]:
                raise NotAccepted(Refusal.TOO_MANY_PIXELS)
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            picture = ImageOps.exif_transpose(image)
            seen_through = kind != "JPEG" and picture.has_transparency_data
            picture = picture.convert("RGBA" if seen_through else "RGB")
    except (NotAccepted, Image.DecompressionBombError) as error:
        raise NotAccepted(Refusal.TOO_MANY_PIXELS) from error
    except Exception as error:  # a broken picture makes each decoder raise errors of its own
        raise NotAccepted(Refusal.BROKEN) from error
    picture.info = {}
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    written = _saved(picture, kind, quality=85)
    picture.thumbnail((SMALL_SIDE, SMALL_SIDE))
    return Checked(written, f"image/{kind.lower()}", _saved(picture, "WEBP", quality=60))


def _saved(picture: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
