"""Speech in tests: sounds and their measures, programs that speak or fail."""

import io
import math
import wave
from array import array
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Measured:
    """A sound of 16 bits as it is: seconds, levels in dBFS, samples."""

    rate: int
    channels: int
    seconds: float
    rms: float
    peak: float
    at_full_scale: int  # samples within half a decibel of it
    flat: int  # the longest run of equal samples among the loud ones, as clipping leaves
    silent_before: float  # seconds below -45 dBFS
    silent_behind: float


def measure(content: bytes) -> Measured:
    with wave.open(io.BytesIO(content)) as file:
        assert file.getsampwidth() == 2
        samples = array("h", file.readframes(file.getnframes()))
        rate, channels = file.getframerate(), file.getnchannels()
    loudest = max(map(abs, samples))
    runs = [len(list(run)) for value, run in groupby(samples) if abs(value) > loudest * 0.9]
    loud = [place for place, sample in enumerate(samples) if abs(sample) > 32768 * 10 ** (-45 / 20)]
    return Measured(
        rate=rate,
        channels=channels,
        seconds=len(samples) / channels / rate,
        rms=_decibels(math.sqrt(sum(sample * sample for sample in samples) / len(samples))),
        peak=_decibels(loudest),
        at_full_scale=sum(_decibels(abs(sample) or 1) > -0.5 for sample in samples),
        flat=max(runs, default=0),
        silent_before=loud[0] / channels / rate,
        silent_behind=(len(samples) - 1 - loud[-1]) / channels / rate,
    )


def _decibels(value: float) -> float:
    return 20 * math.log10(value / 32768)


def tone(seconds: float = 1.0, *, hertz=440.0, below=0.0, rate: int = 24000, channels: int = 1, loud=0.3) -> bytes:
    """A WAV with a tone; a fifth as loud another one of ``below`` hertz, where that is given."""

    def at(place: int) -> int:
        angle = 2 * math.pi * place / rate
        return round(32767 * loud * (math.sin(hertz * angle) + math.sin(below * angle) / 5))

    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        samples = map(at, range(int(seconds * rate)))
        file.writeframes(array("h", (sample for sample in samples for _ in range(channels))).tobytes())
    return out.getvalue()


@dataclass(frozen=True)
class Programs:
    """A folder that is all of ``PATH``: what is not put there is not installed."""

    folder: Path

    def install(self, name: str, script: str, sound: bytes = b"") -> None:
        """A program of this name. Its script finds ``sound`` in $SOUND, and in $OUT where to write."""
        (self.folder / f"{name}.wav").write_bytes(sound)
        program = self.folder / name
        # the place to write to is the last argument, as for the real ones
        head = f'#!/bin/sh\nPATH=/usr/bin:/bin\nSOUND="{self.folder}/{name}.wav"\nfor OUT; do :; done\n'
        program.write_text(f'{head}echo "$@" >>"{self.folder}/{name}.runs"\n{script}\n')
        program.chmod(0o755)

    def runs(self, name: str) -> list[str]:
        """The arguments of each run."""
        path = self.folder / f"{name}.runs"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A machine without any program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("RHVOICE_DATA_PATH", str(tmp_path / "no-voices"))
    return Programs(folder)
