"""Uploaded files: told by their content, written anew without place and device, and kept under their hash."""

import io
import threading
import tracemalloc

import pytest
from PIL import Image

from jobs import pictures
from jobs.filestore import keep, path_of, small_path_of
from jobs.pictures import LONGEST_SIDE, MOST_BYTES, SMALL_SIDE, NotAccepted, Refusal, check_file
from tests.picture_fixtures import GPS, PDF, bomb, photo, swollen


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "яма.jpg"), ("PNG", "яма.png"), ("WEBP", "яма.webp")])
def test_a_photo_is_kept_as_a_picture_of_its_kind(kind, name):
    checked = check_file(photo(kind), name)
    with Image.open(io.BytesIO(checked.content)) as kept:
        assert (kept.format, kept.size) == (kind, (640, 480))
    assert checked.type == f"image/{kind.lower()}"
    with Image.open(io.BytesIO(checked.small)) as small:
        assert max(small.size) == SMALL_SIDE


def test_where_and_with_what_a_photo_was_taken_is_gone():
    """A3: the place where somebody lives does not travel with the picture."""
    sent = photo(gps=True)
    with Image.open(io.BytesIO(sent)) as before:
        assert before.getexif().get_ifd(GPS)
    kept = check_file(sent, "яма.jpg").content
    with Image.open(io.BytesIO(kept)) as after:
        assert not after.getexif()
    assert b"TelephoneMaker" not in kept


def test_a_photo_taken_sideways_stands_upright_and_a_large_one_becomes_smaller():
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # turned by the telephone
    Image.new("RGB", (4000, 1000)).save(out, "JPEG", exif=exif)
    with Image.open(io.BytesIO(check_file(out.getvalue(), "a.jpg").content)) as kept:
        assert kept.height > kept.width
        assert max(kept.size) <= LONGEST_SIDE


def test_a_picture_one_can_see_through_stays_so():
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "PNG")
    with Image.open(io.BytesIO(check_file(out.getvalue(), "знак.png").content)) as kept:
        assert kept.convert("RGBA").getpixel((3, 3))[3] == 0


def test_a_document_is_kept_as_it_came():
    checked = check_file(PDF, "акт.pdf")
    assert (checked.content, checked.type, checked.small) == (PDF, "application/pdf", None)


@pytest.mark.parametrize(
    ("content", "name", "refusal"),
    [
        (b"", "a.jpg", Refusal.EMPTY),
        (b"x" * (MOST_BYTES + 1), "a.jpg", Refusal.TOO_LARGE),
        (b"<script>alert(1)</script>", "a.jpg", Refusal.LIES),
        (b"GIF89a<svg/>", "a.png", Refusal.LIES),
        (PDF, "a.jpg", Refusal.LIES),
        (photo(), "акт.pdf", Refusal.LIES),
        (b"MZ\x90\0", "a.exe", Refusal.UNKNOWN),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", Refusal.UNKNOWN),
        (b"\0\0\0\x18ftypheic", "IMG_1.HEIC", Refusal.UNKNOWN),
        (b"\xff\xd8\xff<script>", "a.jpg", Refusal.BROKEN),
        (photo()[:2000], "a.jpg", Refusal.BROKEN),
        (b"%PDF-1.7 and nothing more", "a.pdf", Refusal.BROKEN),
        (bomb(), "a.png", Refusal.TOO_MANY_PIXELS),
        (bomb(6000, 5000), "a.png", Refusal.TOO_MANY_PIXELS),
    ],
)
def test_what_is_not_taken(content, name, refusal):
    with pytest.raises(NotAccepted) as refused:
        check_file(content, name)
    assert refused.value.refusal == refusal


def test_a_swollen_picture_takes_no_memory():
    sent = swollen()
    tracemalloc.start()
    try:
        with pytest.raises(NotAccepted):
            check_file(sent, "a.png")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000  # bytes at the most
    finally:
        tracemalloc.stop()


def test_pictures_are_decoded_one_at_a_time(monkeypatch):
    monkeypatch.setattr(pictures, "_DECODING", threading.BoundedSemaphore(1))
    monkeypatch.setattr(pictures, "_LONGEST_WAIT", 0.01)
    pictures._DECODING.acquire()
    with pytest.raises(NotAccepted) as refused:
        check_file(photo(), "a.jpg")
    assert refused.value.refusal == Refusal.BUSY
    assert check_file(PDF, "a.pdf").content == PDF  # needs no turn


def test_the_store_names_files_by_their_content_alone(settings):
    checked = check_file(photo(), "../../etc/passwd.jpg")
    sha256 = keep(settings, checked)
    assert keep(settings, checked) == sha256
    assert path_of(settings, sha256).read_bytes() == checked.content
    assert small_path_of(settings, sha256).read_bytes() == checked.small
    found = {path for path in settings.attachments_dir.rglob("*") if path.is_file()}
    assert found == {path_of(settings, sha256), small_path_of(settings, sha256)}
    for path in ("../../secrets.json", "A" * 64, ""):
        with pytest.raises(ValueError, match="hash"):
            path_of(settings, path)
