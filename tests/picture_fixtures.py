"""Pictures and documents as citizens send them, and as somebody would who means harm."""

import io
import struct
import zlib

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

GPS, LATITUDE, LATITUDE_LETTER = 0x8825, 2, 1
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


def photo(kind: str = "JPEG", size: tuple[int, int] = (640, 480), colour: str = "#356", gps: bool = False) -> bytes:
    """A picture, with ``gps`` one that knows where it was taken."""
    out, options = io.BytesIO(), {}
    if gps:
        exif = Image.Exif()
        degrees = (IFDRational(50), IFDRational(45), IFDRational(3))
        exif.get_ifd(GPS).update({LATITUDE_LETTER: "N", LATITUDE: degrees})
        exif[0x010F] = "TelephoneMaker"
        options["exif"] = exif
    Image.new("RGB", size, colour).save(out, kind, **options)
    return out.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of some kilobytes that says it has billions of pixels."""
    return png(width, height, zlib.compress(b"\0" * 1_000_000, 9))


def swollen() -> bytes:
    """A small PNG whose one text becomes 200 MB when it is unpacked."""
    text = b"Comment\0\0" + zlib.compress(b"a" * 200_000_000, 9)
    return png(8, 8, zlib.compress(b"\0" * 8 * 25), (b"zTXt", text))


def png(width: int, height: int, pixels: bytes, *more: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), *more, (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )
