"""Sound as a telephone line takes it: any WAV into 8 kHz mono, trimmed, at one level, never clipped."""

import io
import math
import wave
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from operator import mul

RATE = 8000  # samples a second
LEVEL = -18.0  # dBFS RMS of what is made
_FULL = 32767.0
_KNEE, _CEILING = 0.5, 0.88  # of full scale: above the knee peaks are bent, none reaches the ceiling (-1.1 dBFS)
_HEADER = 44  # bytes before the samples, in a WAV of the exchange
_WIDTH = 16  # how many samples of the result to each side the filter looks
_PASSED = 3500.0  # Hz: a telephone line passes 3400
_WINDOW = RATE // 100  # 10 ms
_SILENT = 10 ** (-38 / 20)  # of the loudest window
_QUIET_LINE = 32768 * 10 ** (-42 / 20)  # as loud a line may be on which nobody speaks: Asterisk's own measure
_BEFORE, _BEHIND = 4, 12  # windows that stay around the speech; so that two sentences do not run into each other


class BadSound(Exception):
    """It is no sound that can be used; the message says why, without what to do."""


def for_telephone(content: bytes) -> bytes:
    """The WAV as 8 kHz mono of 16 bits, trimmed, at `LEVEL`, its peaks below -1 dBFS.

    Raises `BadSound` for what is no WAV of 16 bits, what is cut off, and what is silent.
    """
    samples, rate = _read(content)
    return _write(_levelled(_trimmed(_resampled(samples, rate))))


def tone() -> bytes:
    """What is heard before somebody may speak: four tenths of a second of 1000 Hz."""
    length = 4 * RATE // 10
    return _write(_levelled([math.sin(2 * math.pi * 1000 * at / RATE) for at in range(length)]))


def is_spoken(content: bytes, seconds: float) -> bool:
    """Whether something louder than a quiet line is heard for so long in a WAV, of which no more is looked at than
    that takes. Raises `BadSound` for what is none."""
    samples, rate = _read(content)
    window, wanted = rate // 100, round(seconds * 100)
    loudness = (_rms(samples[at : at + window]) for at in range(0, len(samples), window))
    return sum(islice((1 for loud in loudness if loud > _QUIET_LINE), wanted)) == wanted


def seconds_of(content: bytes) -> float:
    """How long a WAV is."""
    with wave.open(io.BytesIO(content)) as file:
        return file.getnframes() / file.getframerate()


def with_true_length(content: bytes) -> bytes:
    """A WAV of the exchange with a header that tells how long it is: one that was broken off, by a power cut or when
    the exchange ended, still has the header of its beginning. Anything else stays as it is."""
    if content[:4] != b"RIFF" or content[36:40] != b"data":
        return content
    samples = content[_HEADER : len(content) // 2 * 2]
    length = len(samples)
    return b"".join(
        (b"RIFF", (length + _HEADER - 8).to_bytes(4, "little"), content[8:40], length.to_bytes(4, "little"), samples)
    )


def _read(content: bytes) -> tuple[array, int]:
    try:
        with wave.open(io.BytesIO(content)) as file:
            channels, width, rate, count, *_ = file.getparams()
            frames = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise BadSound("is no WAV file of plain PCM") from error
    if width != 2 or channels not in (1, 2) or rate < RATE:
        raise BadSound("is no WAV file of 16 bits, one or two channels, 8 kHz or more")
    if len(frames) < count * width * channels:
        raise BadSound("is cut off")
    samples = array("h", frames)
    return samples if channels == 1 else array("h", map(_middle, samples[::2], samples[1::2])), rate


def _middle(left: int, right: int) -> int:
    return (left + right) // 2


def _resampled(samples: array, rate: int) -> list[float]:
    """At `RATE`, of full scale 1.0; what a telephone does not pass is filtered out first."""
    scaled = [sample / _FULL for sample in samples]
    if rate == RATE:
        return scaled
    common = math.gcd(rate, RATE)
    step, parts = rate // common, RATE // common  # the n-th of the result lies at n * step / parts
    filters = _filters(rate, parts)
    half = len(filters[0]) // 2
    padded = [0.0] * half + scaled + [0.0] * half
    made = []
    for place in range(0, len(scaled) * parts, step):
        at, part = divmod(place, parts)
        made.append(sum(map(mul, padded[at + 1 : at + 1 + 2 * half], filters[part])))
    return made


@lru_cache(maxsize=2)
def _filters(rate: int, parts: int) -> list[list[float]]:
    """For each place between two samples the weights of those around it: a windowed sinc."""
    half = math.ceil(_WIDTH * rate / RATE)
    cycles = 2 * _PASSED / rate
    filters = []
    for part in range(parts):
        offsets = [near - part / parts for near in range(1 - half, half + 1)]
        weights = [_sinc(cycles * x) * (1 + math.cos(math.pi * x / half)) for x in offsets]
        whole = sum(weights)
        filters.append([weight / whole for weight in weights])
    return filters


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _trimmed(samples: Sequence[float]) -> Sequence[float]:
    loudness = [_rms(samples[at : at + _WINDOW]) for at in range(0, len(samples), _WINDOW)]
    loudest = max(loudness, default=0.0)
    if loudest < 0.001:
        raise BadSound("is silent")
    spoken = [at for at, loud in enumerate(loudness) if loud > loudest * _SILENT]
    return samples[max(0, spoken[0] - _BEFORE) * _WINDOW : (spoken[-1] + 1 + _BEHIND) * _WINDOW]


def _levelled(samples: Sequence[float]) -> Sequence[float]:
    """At `LEVEL` within half a decibel. Bending the peaks takes some of the level, so it is done anew with more."""
    wanted = 10 ** (LEVEL / 20)
    gain = wanted / _rms(samples)
    for _ in range(8):
        made = [_bent(sample * gain) for sample in samples]
        missing = wanted / _rms(made)
        if abs(20 * math.log10(missing)) < 0.5:
            break
        gain *= missing
    return made


def _bent(sample: float) -> float:
    if abs(sample) <= _KNEE:
        return sample
    room = _CEILING - _KNEE
    return math.copysign(_KNEE + room * math.tanh((abs(sample) - _KNEE) / room), sample)


def _rms(samples: Sequence[float]) -> float:
    return math.sqrt(sum(map(mul, samples, samples)) / len(samples))


def _write(samples: Sequence[float]) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(array("h", (round(sample * _FULL) for sample in samples)).tobytes())
    return out.getvalue()
