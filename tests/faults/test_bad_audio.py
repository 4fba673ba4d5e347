"""Sixty files that a corpus may hold in the place of speech: each gives its tone, or one error that names it."""

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from fault_table import Fault
from speech import make_polish

from emobox_hf.audio import AudioError, encode_sound, read_info, read_waveform
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.experiments.request import make_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.report.run_table import run_table
from emobox_hf.results import read_record
from emobox_hf.sampling import SAMPLE_RATE_HZ

FREQUENCY_HZ, LEVEL = 440, 0.3
Make = Callable[[Path], object]
Inject = Callable[[str], Fault]


def tone(rate: int = SAMPLE_RATE_HZ, n_channels: int = 1) -> np.ndarray[Any, Any]:
    """A second of the tone in the first channel; the others are silent."""
    samples = np.zeros((rate, n_channels), dtype=np.float32)
    samples[:, 0] = LEVEL * np.sin(2 * np.pi * FREQUENCY_HZ * np.arange(rate) / rate)
    return samples


def content(kind: str = "WAV", coding: str | None = None, rate: int = SAMPLE_RATE_HZ, n_channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(rate, n_channels), rate, format=kind, subtype=coding)
    return buffer.getvalue()


def wav(samples: np.ndarray[Any, Any], coding: str = "FLOAT") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE_HZ, format="WAV", subtype=coding)
    return buffer.getvalue()


def put(data: bytes) -> Make:
    return lambda path: path.write_bytes(data)


def change(data: bytes, *changes: tuple[int, bytes]) -> Make:
    """The bytes with others from a place on."""
    changed = bytearray(data)
    for place, new in changes:
        changed[place : place + len(new)] = new
    return put(bytes(changed))


def cut(data: bytes, share: float = 0.6) -> Make:
    return put(data[: int(share * len(data))])


def by_ffmpeg(codec: str, kind: str, rate: int = 48_000) -> Make:
    def make(path: Path) -> None:
        with av.open(str(path), "w", format=kind) as container:
            stream = container.add_stream(codec, rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(tone(rate).T, format="fltp", layout="mono")
            frame.sample_rate = rate
            for part in av.AudioResampler(format=stream.format, layout="mono", rate=rate).resample(frame):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))

    return make


def without_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))


def with_chunk(name: bytes, body: bytes) -> bytes:
    """The tone as WAV with another chunk before its samples."""
    data = content()
    chunk = name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8 + len(chunk)) + data[8:36] + chunk + data[36:]


def sparse(path: Path) -> None:
    """Four gigabytes of zeros that take no room on the disk, as WAV."""
    size = 0xFFFFFF00
    with open(path, "wb") as file:
        file.write(b"RIFF" + struct.pack("<I", size - 8) + content()[8:40] + struct.pack("<I", size - 44))
        file.truncate(size)


def hour(path: Path) -> None:
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, "PCM_16", format="FLAC") as file:
        for _ in range(3600):
            file.write(tone())


def bomb(path: Path) -> None:
    """Silence that takes 5 GB as floats and 3 MB as FLAC."""
    silence = np.zeros((1 << 20, 8), dtype=np.int16)
    with soundfile.SoundFile(path, "w", 48_000, 8, "PCM_16", format="FLAC") as file:
        for _ in range(150):
            file.write(silence)


def unreadable(path: Path) -> None:
    path.write_bytes(content())
    path.chmod(0)


# What is made under which name, and what the error says of it: "" where the tone is to be heard.
GOOD: dict[str, tuple[str, Make]] = {
    **{
        f"WAV {coding}": ("a.wav", put(content("WAV", coding)))
        for coding in ("PCM_U8", "PCM_24", "PCM_32", "DOUBLE", "ALAW", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")
    },
    "WAV at 8 kHz": ("a.wav", put(content(rate=8000))),
    "WAV at 192 kHz": ("a.wav", put(content(rate=192_000))),
    "WAV of 6 channels": ("a.wav", put(content(n_channels=6))),
    "RF64": ("a.wav", put(content("RF64"))),
    "WAVEX": ("a.wav", put(content("WAVEX", n_channels=2))),
    "big-endian WAV (AIFF)": ("a.aiff", put(content("AIFF"))),
    "AU": ("a.au", put(content("AU"))),
    "CAF": ("a.caf", put(content("CAF"))),
    "FLAC named .wav": ("a.wav", put(content("FLAC"))),
    "WAV named .mp3": ("a.mp3", put(content())),
    "WAV named .flac": ("a.flac", put(content())),
    "WAV named .m4a": ("a.m4a", put(content())),
    "WAV without a suffix": ("a", put(content())),
    "MP3 named .wav": ("a.wav", put(content("MP3", rate=44_100))),
    "MP3 in WAV": ("a.wav", by_ffmpeg("mp3", "wav", 44_100)),
    "Opus named .wav": ("a.wav", put(content("OGG", "OPUS"))),
    "Opus in WebM named .wav": ("a.wav", by_ffmpeg("libopus", "webm")),
    "AAC in MP4 named .wav": ("a.wav", by_ffmpeg("aac", "mp4")),
    "AAC without a container": ("a.aac", by_ffmpeg("aac", "adts")),
    "an odd LIST chunk": ("a.wav", put(with_chunk(b"LIST", b"INFOISFT\5\0\0\0odd!!"))),
    "an unknown chunk": ("a.wav", put(with_chunk(b"xyz ", b"\xff" * 1001))),
    "samples of unknown length": ("a.wav", change(content(), (40, b"\xff\xff\xff\xff"))),
    "bytes after the samples": ("a.wav", put(content() + b"ID3" + b"x" * 999)),
    "quotes and blanks in the name": ("a 'b' \"c\" $(d) %s{e}.wav", put(content())),
    "a line break in the name": ("a\nb.wav", put(content())),
    "a terminal's escape in the name": ("a\x1b[2J.wav", put(content())),
    "a leading dash in the name": ("-a.wav", put(content())),
    "a protocol of FFmpeg in the name": ("concat:a.m4a", put(content())),
}
BAD: dict[str, tuple[str, Make, str]] = {
    "empty": ("a.wav", put(b""), "empty"),
    "name that is not UTF-8": (os.fsdecode(b"f\xfcr.wav"), put(content()), "its name is not in UTF-8"),
    "header without samples": ("a.wav", put(wav(np.zeros(0))), "no samples"),
    "header alone": ("a.wav", put(content()[:44]), "cut short|no samples"),
    "a coding that nobody knows": ("a.caf", put(content("CAF").replace(b"lpcm", b"xxxx")), "FFmpeg knows|not audio"),
    "half a header": ("a.wav", put(content()[:30]), "damaged|not audio"),
    **{
        f"cut {kind}": (f"a.{suffix or kind.lower()}", cut(content(kind)), "cut short")
        for kind, suffix in (
            ("WAV", ""),
            ("FLAC", ""),
            ("OGG", ""),
            ("MP3", ""),
            ("AIFF", ""),
            ("AU", ""),
            ("RF64", "wav"),
        )
    },
    "FLAC whose second half is zeros": ("a.flac", put(content("FLAC")[:9000] + bytes(9000)), "damaged|cut short"),
    "Ogg whose second half is zeros": ("a.ogg", put(content("OGG")[:2500] + bytes(2500)), "damaged"),
    "text": ("a.wav", put(b"This is not sound. " * 99), "not audio"),
    "web page": ("a.wav", put(b"<!DOCTYPE html><html></html>" * 9), "not audio"),
    "picture": ("a.wav", put(b"\x89PNG\r\n\x1a\n" + bytes(99)), "not audio|no audio stream|no samples"),
    "archive": ("a.wav", put(b"PK\x03\x04" + bytes(99)), "not audio"),
    "random bytes": ("a.wav", put(np.random.default_rng(0).bytes(9999)), "not audio"),
    "playlist": ("a.m4a", put(b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), "not audio|no audio stream"),
    "list of FFmpeg's": ("a.m4a", put(b"ffconcat version 1.0\nfile /etc/passwd\n"), "not audio"),
    "one sample at 44.1 kHz": ("a.wav", put(content(rate=44_100)[:40] + b"\2\0\0\0\0\1"), "are none at 16000 Hz"),
    "not a number": ("a.wav", put(wav(np.array([0, np.nan]))), "1 of 2 samples are not finite"),
    "infinite": ("a.wav", put(wav(np.array([np.inf, 0]))), "1 of 2 samples are not finite"),
    "a thousand times full scale": ("a.wav", put(wav(1000 * tone())), "samples reach 300, where full scale is 1"),
    "unscaled integers as floats": ("a.wav", put(wav(32768 * tone())), "where full scale is 1"),
    "stereo header on mono samples": (
        "a.wav",
        change(content(), (22, b"\2\0")),
        "damaged: its header says 2 channels of 16 bits, and 2 bytes",
    ),
    "huge declared length": ("a.wav", change(content(), (40, b"\0\0\0\x70")), "cut short: its header promises"),
    "rate of 0": ("a.wav", change(content(), (24, bytes(4))), "0 Hz|damaged|not audio"),
    "rate of 1": ("a.wav", change(content(), (24, b"\1\0\0\0")), "says 1 Hz"),
    "rate of 2 GHz": ("a.wav", change(content(), (24, b"\xff\xff\xff\x7f")), "says 2147483647 Hz|damaged|not audio"),
    "mono header on stereo samples": (
        "a.wav",
        change(content(n_channels=2), (22, b"\1\0")),
        "damaged: its header says",
    ),
    "0 channels": ("a.wav", change(content(), (22, b"\0\0")), "damaged|not audio"),
    "65,535 channels": ("a.wav", change(content(), (22, b"\xff\xff")), "damaged|not audio"),
    "video without sound": ("a.mp4", without_sound, "no audio stream"),
    "sparse file of 4 GB": ("a.wav", sparse, "37.3 h of sound or more"),
    "FLAC that says 600 h": (
        "a.flac",
        change(content("FLAC"), (21, b"\xff\xff\xff\xff\xff")),
        "h of sound or more|damaged",
    ),
    "folder": ("a.wav", Path.mkdir, "is a folder"),
    "pipe": ("a.wav", os.mkfifo, "is a pipe or a device"),
    "device": ("a.wav", lambda path: path.symlink_to("/dev/zero"), "is a pipe or a device"),
    "dangling link": ("a.wav", lambda path: path.symlink_to("nowhere"), "no such file"),
    "link to itself": ("a.wav", lambda path: path.symlink_to("a.wav"), "no such file"),
    "no permission": ("a.wav", unreadable, "may not be read"),
}
UNIX = pytest.mark.skipif(os.name == "nt", reason="files of Unix")


def hear(path: Path) -> None:
    """Assert that a file gives the tone: its frequency, its level, its length but for a codec's delay."""
    waveform = read_waveform(path)
    assert 0.95 <= len(waveform) / SAMPLE_RATE_HZ < 1.2
    middle = waveform[4000:12_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), n=SAMPLE_RATE_HZ))
    assert abs(int(spectrum.argmax()) - FREQUENCY_HZ) <= 2
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(LEVEL, rel=0.05)
    assert read_info(path).duration_s == pytest.approx(len(waveform) / SAMPLE_RATE_HZ, abs=0.2)
    assert len(encode_sound(waveform)[1]) > 1000


@UNIX
@pytest.mark.parametrize("kind", GOOD)
def test_an_odd_file_gives_its_sound(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inject: Inject
) -> None:
    name, make = GOOD[kind]
    with inject("audio: odd files that hold the sound").attempt():
        monkeypatch.chdir(tmp_path)
        make(Path(name))
        hear(Path(name))


@UNIX
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_by_name(kind: str, tmp_path: Path, inject: Inject) -> None:
    name, make, message = BAD[kind]
    if kind == "no permission" and os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    fault = inject("audio: files that hold no sound, or not all of it")
    with fault.attempt():
        make(tmp_path / name)
        with pytest.raises(AudioError, match=message) as caught:
            read_waveform(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(caught.value)
    fault.saw(str(caught.value).removeprefix(f"{tmp_path}/"))


def test_silence_and_a_single_sample_are_given_as_they_are(tmp_path: Path, inject: Inject) -> None:
    """Files that are whole and say nothing; `emobox check --audio` names them."""
    fault = inject("audio: odd files that hold the sound")
    for samples in (np.zeros(SAMPLE_RATE_HZ), np.array([0.5]), np.r_[tone()[:8000, 0], np.zeros(8000)]):
        with fault.attempt():
            (tmp_path / "a.wav").write_bytes(wav(samples))
            np.testing.assert_array_equal(read_waveform(tmp_path / "a.wav"), samples.astype(np.float32))


@pytest.mark.faults
def test_an_hour_is_read_and_a_small_file_of_gigabytes_is_refused_before_it_is_unpacked(
    tmp_path: Path, inject: Inject
) -> None:
    resource = pytest.importorskip("resource")
    with inject("audio: odd files that hold the sound").attempt():
        hour(tmp_path / "hour.flac")
        assert len(read_waveform(tmp_path / "hour.flac")) == 3600 * SAMPLE_RATE_HZ
    with inject("audio: files that hold no sound, or not all of it").attempt():
        bomb(tmp_path / "bomb.flac")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(AudioError, match="h of sound or more in 8 channels"):
            read_waveform(tmp_path / "bomb.flac")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@UNIX
def test_bad_files_among_a_corpus_stop_a_run_or_are_listed_and_no_test_part_shrinks_unseen(
    tmp_path: Path, encoder: Path, inject: Inject
) -> None:
    kinds = [kind for kind, (name, _, _) in BAD.items() if name == "a.wav" and kind != "no permission"]
    spec, root = load_spec("polish"), tmp_path / "polish"
    make_polish(root, spec)
    replaced = {}
    for kind, path in zip(kinds, sorted(root.glob("*.wav"))[::11], strict=False):
        path.unlink()
        BAD[kind][1](path)
        replaced[f"polish-{path.stem}"] = kind
    options: dict[str, Any] = {
        "corpus": "polish",
        "encoder": str(encoder),
        "data_dir": root,
        "folds": ("fold1",),
    }
    options |= {"features": tmp_path, "output": tmp_path, "head": "linear"}
    fault = inject("audio: bad files among a corpus, --on-error skip")
    with pytest.raises(InputError, match="--on-error skip"):
        run_probe(make_request(**options))
    record = read_record(run_probe(make_request(**options, on_error="skip")))
    left_out = {clip["key"]: clip["reason"] for clip in record.left_out}
    assert left_out.keys() == replaced.keys()
    assert all(left_out.values())
    (fold,) = record.folds
    assert fold.n_test == 90 - sum(key.startswith("polish-m3.") for key in replaced) < 90
    fault.count(len(replaced))
    fault.saw(next(line for line in run_table(record).splitlines() if line.startswith("left out: ")))
