"""One utterance, or one audio or video file -> float32 (samples,), mono, 16 kHz; the only module that decodes.

soundfile, soxr and PyAV are imported when something needs them; WAV files of integer PCM at 16 kHz need none of them.

A file that cannot be given whole and right is refused with an `AudioError` that names it: a test set must not shrink or
change unseen. What cannot be noticed is said here: an AVI file, or an MP3 that does not say its length, reads as a
shorter one where it was cut at its end; flipped bits are noticed where a format has checksums, as FLAC and Ogg have.
"""

import importlib.util
import math
import os
import re
import sys
import tempfile
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from emobox_hf.corpora.discovery.tree import is_text
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, MissingPackageError, need, suggest
from emobox_hf.ogg import find_ogg_damage
from emobox_hf.sampling import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import soundfile

RESAMPLERS = ("soxr", "torchaudio")

# What libsndfile reads and corpora use; every other suffix goes to FFmpeg (PyAV).
PLAIN_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"})

# libsndfile's codes for "format not recognised" and "unsupported encoding": the file may still be sound (a WAV that
# holds AAC). Its other codes mean damage, which FFmpeg would paper over.
_NOT_FOR_LIBSNDFILE = (1, 4)

# Codings that leave a decoder no choice: libsndfile and FFmpeg, which torchcodec calls, give the same samples.
_EXACT_CODINGS = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"})

# Where the first frame of an MP3 says the length; without one libsndfile guesses it, and reads that many samples.
_LENGTH_TAGS = re.compile(rb"Xing|Info|VBRI")
_LENGTH_TAG_BYTES = 256

# Full scale is 1. Floats and overshooting codecs exceed it by a little; a hundredfold is a file of unscaled integers.
_LOUDEST = 100.0

# No speech is sampled at other rates; a header that says one is damaged, and would have a file blown up by resampling.
_RATES_HZ = range(1000, 1_000_000)

# Of an utterance decoded as it is stored: three hours at 48 kHz in two channels. More is a whole recording, for which
# a corpus has segments, or a small file that was made to unpack to gigabytes.
_MOST_BYTES = 4_200_000_000

# What 16 bits would clip by less than 2 dB is kept as FLAC: resampling a loud recording overshoots by up to 14 %.
_CLIPPED_LITTLE = 1.25

# Tables round the end of a segment to 10 ms, so the last one may reach past the file by that much.
_END_TOLERANCE_S = 0.01

# Declared and decoded lengths of a sound compressed file differ by codec delay and a packet (2112 + 1024 samples of AAC
# at 16 kHz: 196 ms); more is missing sound.
_DURATION_TOLERANCE_S = 0.2

# A WAV written to a pipe cannot know its length and says one of these instead (FFmpeg, SoX).
_UNKNOWN_LENGTH = 0x7FFFF000

_PCM = (1, 2, 3, 4)  # bytes of a sample

Waveform = np.ndarray[tuple[int], np.dtype[np.float32]]


class AudioError(InputError):
    """A file that does not hold the sound it should; the message is one line and names the file."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: length in seconds, sample rate and number of channels as stored."""

    duration_s: float
    sample_rate_hz: int
    n_channels: int


def is_plain(path: Path) -> bool:
    """Whether libsndfile reads this kind of file, judged by its suffix; the others need FFmpeg."""
    return path.suffix.lower() in PLAIN_SUFFIXES


def is_exact(path: Path) -> bool:
    """Whether any decoder reads a file as `read_waveform` does: one channel of 16 kHz, coded in one way only.

    Raises:
        AudioError: as `read_info`.
    """
    _check_file(path)
    if not is_plain(path):
        return False
    with _open_plain(path) as file:
        return (
            file is not None
            and (file.channels, file.samplerate) == (1, SAMPLE_RATE_HZ)
            and file.subtype in _EXACT_CODINGS
        )


def read_utterance(spec: CorpusSpec, root: Path, utterance: Utterance, *, resampler: str = RESAMPLERS[0]) -> Waveform:
    """Samples of an utterance of the corpus in `root`: its segment of its file, by the corpus's channel rule.

    Raises:
        InputError: as `read_waveform`.
    """
    return read_waveform(
        root / utterance.path,
        channels=spec.channels,
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        resampler=resampler,
    )


def read_waveform(
    path: Path,
    *,
    channels: Mapping[int, int] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    resampler: str = RESAMPLERS[0],
) -> Waveform:
    """Samples of one channel of a file or of a segment of it: float32 (samples,) at 16 kHz.

    Integer formats come as floats in [-1, 1]; float formats come as stored, so they may exceed it. Channels are never
    averaged: averaging cancels whatever two microphones picked up with opposite phase.

    Args:
        path: the file; videos give their first audio stream.
        channels: number of channels of a file -> the 1-based channel to take, such as `{6: 3}` for the front centre of
            5.1 sound. Any other number of channels gives the first, EmoBox's rule.
        start_s: start of the segment in the file, seconds; None is the beginning.
        end_s: end of the segment in the file, seconds; None is the end. Cut before resampling.
        resampler: `soxr` (its 20-bit `HQ` filter), or `torchaudio` (EmoBox's: a Hann-windowed sinc of width 6).

    Raises:
        AudioError: the file is missing, empty, damaged, cut short or without samples, a sample is not finite or over a
            hundred times full scale, the segment is not inside the file, or the channel does not exist.
        InputError: the resampler is unknown or cannot be imported.
    """
    if resampler not in RESAMPLERS:
        raise InputError(f"unknown resampler {resampler!r}{suggest(resampler, RESAMPLERS)}")
    _check_file(path)
    if not 0 <= (start_s or 0.0) < math.inf or (end_s is not None and not (start_s or 0.0) < end_s < math.inf):
        raise AudioError(f"{path}: the segment {_span(start_s, end_s)} has no length or begins before the file")
    sound = _read_plain(path, start_s, end_s) if is_plain(path) else None
    samples, rate = sound or _read_with_ffmpeg(path, start_s, end_s)  # (channels, samples)
    wanted = (channels or {}).get(len(samples), 1)
    if not 1 <= wanted <= len(samples):
        raise AudioError(f"{path}: channel {wanted} was asked for, but the file has {len(samples)} (counted from 1)")
    waveform = np.ascontiguousarray(samples[wanted - 1], dtype=np.float32)
    if not waveform.size:
        raise AudioError(f"{path}: holds no samples{f' in {_span(start_s, end_s)}' if start_s or end_s else ''}")
    n_broken = int((~np.isfinite(waveform)).sum())
    if n_broken:
        raise AudioError(f"{path}: {n_broken} of {waveform.size} samples are not finite numbers")
    if (peak := float(np.abs(waveform).max())) > _LOUDEST:
        raise AudioError(
            f"{path}: samples reach {peak:.3g}, where full scale is 1: unscaled or damaged; write it again"
        )
    resampled = resample(waveform, rate, resampler)
    if not resampled.size:
        raise AudioError(f"{path}: {waveform.size} samples at {rate} Hz are none at {SAMPLE_RATE_HZ} Hz: too short")
    return resampled


def read_info(path: Path) -> AudioInfo:
    """Length, sample rate and number of channels from the header; nothing is decoded.

    Raises:
        AudioError: as `read_waveform`, as far as a header shows it; or the header gives no length.
    """
    _check_file(path)
    if is_plain(path) and not _has_soundfile():
        with _open_pcm(path) as (wav, n_frames):
            return AudioInfo(n_frames / wav.getframerate(), wav.getframerate(), wav.getnchannels())
    if is_plain(path):
        with _open_plain(path) as file:
            if file is not None:
                return AudioInfo(file.frames / file.samplerate, file.samplerate, file.channels)
    with _open_with_ffmpeg(path) as (container, stream):
        duration_s = _declared_s(container, stream)
        if duration_s is None:
            raise AudioError(f"{path}: its header gives no length; convert it to FLAC or WAV")
        return AudioInfo(duration_s, stream.rate, stream.channels)


def encode_sound(waveform: np.ndarray[Any, Any]) -> tuple[str, bytes]:
    """A sound file of a 16 kHz mono waveform, and its suffix: FLAC of 16 bits, or WAV of floats where that would clip.

    In FLAC a sample x becomes the nearest of the 65536 values n / 32768, so the error is at most 1 / 65536, and a
    waveform that came from 16-bit samples is kept exactly; what exceeds full scale by less than 2 dB is clipped.

    Raises:
        AudioError: the waveform is not (samples,) with at least one sample, a sample is not finite, or what was written
            does not read as the waveform.
    """
    if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
        raise AudioError(f"a waveform of finite samples, shape (samples,), was expected; found shape {waveform.shape}")
    if np.abs(waveform).max() > _CLIPPED_LITTLE:
        return ".wav", _encode(waveform.astype(np.float32), "WAV", "FLOAT")
    steps = np.clip(np.rint(waveform.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    return ".flac", _encode(steps, "FLAC", "PCM_16")


def _encode(samples: np.ndarray[Any, Any], kind: str, coding: str) -> bytes:
    """A sound file's bytes.

    libsndfile writes into a file by itself. Into a buffer it would write by calls of Python, in which Ctrl-C is lost
    and leaves bytes that do not decode.
    """
    soundfile = need("soundfile", "a sound file was to be written")
    with _scratch_file() as file:
        number = file.fileno()
        try:
            soundfile.write(number, samples, SAMPLE_RATE_HZ, subtype=coding, format=kind, closefd=False)
            file.seek(0)
            content = file.read()
            file.seek(0)
            read, _ = soundfile.read(number, dtype=samples.dtype.name, closefd=False)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{kind} of {len(samples)} samples could not be written: {error}") from error
    if not np.array_equal(read, samples):
        raise AudioError(f"{kind} of {len(samples)} samples could not be written whole: is the disk full?")
    return content


def _scratch_file() -> BinaryIO:
    """A nameless file, in memory where the system has such files."""
    if sys.platform == "linux":
        return open(os.memfd_create("sound"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _check_file(path: Path) -> None:
    if not is_text(str(path)):
        raise AudioError(f"{path}: its name is not in UTF-8; rename it")
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is a pipe or a device" if path.exists() else "no such file"
        raise AudioError(f"{path}: {found}; an audio file was expected")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: may not be read; mend its permissions")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes); fetch or unpack it again")


def _check_size(path: Path, n_frames: int, n_channels: int, rate: int) -> None:
    if n_frames * n_channels * 4 > _MOST_BYTES:
        raise AudioError(
            f"{path}: {n_frames / rate / 3600:.3g} h of sound or more in {n_channels} channels, too much for an "
            "utterance; cut it, or give the corpus segments"
        )


def _check_rate(path: Path, rate: int) -> None:
    if rate not in _RATES_HZ:
        raise AudioError(f"{path}: its header says {rate} Hz; a rate of {_RATES_HZ[0]} to {_RATES_HZ[-1]} was expected")


def _span(start_s: float | None, end_s: float | None) -> str:
    return f"{start_s or 0.0:g} s to {'the end' if end_s is None else f'{end_s:g} s'}"


def _cut(path: Path, start_s: float | None, end_s: float | None, rate: int, n_frames: int) -> tuple[int, int]:
    """First frame and the frame after the last one of a segment of a file of `n_frames`."""
    first = round((start_s or 0.0) * rate)
    last = n_frames if end_s is None else round(end_s * rate)
    if last > n_frames + _END_TOLERANCE_S * rate or (first >= n_frames and first > 0):
        raise AudioError(f"{path}: the segment {_span(start_s, end_s)} is not inside the file ({n_frames / rate:g} s)")
    return first, min(last, n_frames)


def _has_soundfile() -> bool:
    return importlib.util.find_spec("soundfile") is not None


@contextmanager
def _open_plain(path: Path) -> "Iterator[soundfile.SoundFile | None]":
    """The file opened by libsndfile, None if libsndfile does not read its kind; errors become `AudioError`."""
    soundfile = need("soundfile", f"{path}: a sound file was to be read")
    file = None
    try:
        file = soundfile.SoundFile(path)
        _check_promise(path, file)
        _check_rate(path, file.samplerate)
        yield file if _knows_length(path, file) else None
    except soundfile.LibsndfileError as error:
        if file is not None or error.code not in _NOT_FOR_LIBSNDFILE:
            raise AudioError(f"{path}: damaged or cut short ({error.error_string.rstrip('.')})") from error
        yield None
    finally:
        if file is not None:
            file.close()


def _knows_length(path: Path, file: "soundfile.SoundFile") -> bool:
    """Whether libsndfile knows how many samples there are; of an MP3 in a WAV, or without a tag, it guesses."""
    if file.subtype != "MPEG_LAYER_III":
        return True
    if file.format != "MP3":
        return False
    with path.open("rb") as raw:
        start = raw.read(10)
        # ID3v2: the length of the tag in four bytes of seven bits, not counting these ten
        n_skipped = (
            10 + sum((byte & 127) << 7 * (3 - i) for i, byte in enumerate(start[6:])) if start[:3] == b"ID3" else 0
        )
        raw.seek(n_skipped)
        return _LENGTH_TAGS.search(raw.read(_LENGTH_TAG_BYTES)) is not None


def _check_promise(path: Path, file: "soundfile.SoundFile") -> None:
    """Refuse a file whose header promises other samples than it holds; libsndfile reads it as a shorter one.

    libsndfile notes the disagreement in its log: `data : 32000 (should be 15978)`, in bytes, for WAV, AIFF and AU.
    """
    for promised, held in re.findall(r"(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", file.extra_info):
        bytes_per_frame = int(held) / file.frames if file.frames else 1
        if int(held) + bytes_per_frame <= int(promised) < _UNKNOWN_LENGTH:
            raise AudioError(f"{path}: cut short: its header promises {promised} bytes of samples, it holds {held}")
    large = re.search(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)", file.extra_info)
    if large and int(large[1]) < int(large[2]):
        raise AudioError(f"{path}: cut short: its header promises {large[2]} samples, it holds {large[1]}")
    layout = re.search(r"Block Align +: (\d+)\n +Bit Width +: (\d+)", file.extra_info)
    if layout and file.subtype.startswith("PCM"):
        block, bits = map(int, layout.groups())
        sizes = {-(-bits // 8), 4 if bits == 24 else -(-bits // 8)}  # 24 bits may lie in four bytes
        if block not in {file.channels * size for size in sizes}:
            raise AudioError(
                f"{path}: damaged: its header says {file.channels} channels of {bits} bits, and {block} bytes for all"
            )


def _check_ogg(path: Path) -> None:
    if damage := find_ogg_damage(path):
        raise AudioError(f"{path}: damaged or cut short (Ogg: {damage}); fetch it again")


def _read_plain(path: Path, start_s: float | None, end_s: float | None) -> tuple[np.ndarray[Any, Any], int] | None:
    """Float32 (channels, samples) and the sample rate, by libsndfile; only the segment is read."""
    if not _has_soundfile():
        return _read_pcm(path, start_s, end_s)
    with _open_plain(path) as file:
        if file is None:
            return None
        if file.format == "OGG":
            _check_ogg(path)
        first, last = _cut(path, start_s, end_s, file.samplerate, file.frames)
        _check_size(path, last - first, file.channels, file.samplerate)
        if first:
            file.seek(first)
        samples = file.read(last - first, dtype="float32", always_2d=True)
        if len(samples) < last - first:
            raise AudioError(f"{path}: cut short: {last - first} samples were expected, {len(samples)} could be read")
        return samples.T, file.samplerate


@contextmanager
def _open_pcm(path: Path) -> Iterator[tuple[wave.Wave_read, int]]:
    """A WAV file of integer PCM, opened where there is no soundfile, and how many frames it holds.

    Raises:
        MissingPackageError: It is of another kind, which only soundfile reads.
        AudioError: It is cut short.
    """
    with open(path, "rb") as file, _begin_wav(path, file) as wav:
        if wav.getsampwidth() not in _PCM:
            raise _needs_soundfile(path, f"{8 * wav.getsampwidth()} bits a sample")
        bytes_per_frame = wav.getsampwidth() * wav.getnchannels()
        promised, held = wav.getnframes() * bytes_per_frame, path.stat().st_size - file.tell()
        if held < promised < _UNKNOWN_LENGTH // bytes_per_frame * bytes_per_frame:
            raise AudioError(f"{path}: cut short: its header promises {promised} bytes of samples, it holds {held}")
        yield wav, min(promised, held) // bytes_per_frame


def _begin_wav(path: Path, file: BinaryIO) -> wave.Wave_read:
    try:
        return wave.Wave_read(file)
    except (wave.Error, EOFError) as error:
        raise _needs_soundfile(path, str(error) or "no whole header") from error


def _needs_soundfile(path: Path, reason: str) -> InputError:
    return MissingPackageError(
        f"{path}: the package soundfile is needed to read it and is not installed; without it WAV files of integer PCM "
        f"are read alone ({reason}); pip install soundfile"
    )


def _read_pcm(path: Path, start_s: float | None, end_s: float | None) -> tuple[np.ndarray[Any, Any], int]:
    """As `_read_plain`, the same bits, of WAV files of integer PCM by the standard library."""
    with _open_pcm(path) as (wav, n_frames):
        rate, width, n_channels = wav.getframerate(), wav.getsampwidth(), wav.getnchannels()
        first, last = _cut(path, start_s, end_s, rate, n_frames)
        wav.setpos(first)
        raw = np.frombuffer(wav.readframes(last - first), np.uint8).reshape(-1, width)
    # Each number to the upper bytes of 32 bits, so that one scale serves all.
    wide = np.zeros((len(raw), 4), np.uint8)
    wide[:, 4 - width :] = raw if width > 1 else raw ^ 0x80  # those of 8 bits have no sign
    samples = wide.view("<i4").astype(np.float32).reshape(-1, n_channels) / np.float32(2**31)
    return samples.T, rate


@contextmanager
def _open_with_ffmpeg(path: Path) -> Iterator[tuple[Any, Any]]:
    """FFmpeg's container and its first audio stream; errors become `AudioError`."""
    av: Any = need("av", f"{path}: a video or compressed file was to be read")

    try:
        # else FFmpeg takes a name such as `concat:a` for a protocol
        with av.open(f"file:{path}") as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: has no audio stream")
            if container.streams.audio[0].codec_context is None:
                raise AudioError(f"{path}: its sound is coded in no way that FFmpeg knows; convert it to FLAC or WAV")
            yield container, container.streams.audio[0]
    except av.FFmpegError as error:
        raise AudioError(f"{path}: not audio, damaged or cut short (FFmpeg: {error.strerror})") from error


def _declared_s(container: Any, stream: Any) -> float | None:
    """Length of the audio stream as the header gives it, seconds; None when it gives none."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    # The container's length is that of its longest stream, so it speaks for the audio only where there is nothing else.
    if container.duration is not None and len(container.streams) == 1:
        return float(Fraction(container.duration, 1_000_000))
    return None


def _read_with_ffmpeg(path: Path, start_s: float | None, end_s: float | None) -> tuple[np.ndarray[Any, Any], int]:
    """Float32 (channels, samples) and the sample rate, by FFmpeg.

    Decodes from the beginning, as seeking in compressed streams is exact only to a packet.
    """
    av: Any = need("av", f"{path}: a video or compressed file was to be read")
    blocks: list[np.ndarray[Any, Any]] = []
    n_frames = 0
    with _open_with_ffmpeg(path) as (container, stream):
        if container.format.name == "ogg":
            _check_ogg(path)
        rate: int = stream.rate
        _check_rate(path, rate)
        enough = None if end_s is None else round(end_s * rate)
        # Changes the sample format alone: layout and rate stay as they are, so channels are not mixed.
        to_float = av.AudioResampler(format="fltp")
        for frame in container.decode(stream):
            for part in to_float.resample(frame):
                blocks.append(part.to_ndarray())
                n_frames += part.samples
                _check_size(path, n_frames, stream.channels, rate)
            if enough is not None and n_frames >= enough:
                break
        else:
            held_s, declared_s = n_frames / rate, _declared_s(container, stream)
            if declared_s is not None and held_s < declared_s - _DURATION_TOLERANCE_S:
                raise AudioError(f"{path}: cut short: its header promises {declared_s:.2f} s, it holds {held_s:.2f} s")
    if not blocks:
        raise AudioError(f"{path}: holds no samples")
    first, last = _cut(path, start_s, end_s, rate, n_frames)
    return np.concatenate(blocks, axis=1)[:, first:last], rate


def resample(waveform: Waveform, rate: int, resampler: str = RESAMPLERS[0]) -> Waveform:
    """The waveform at 16 kHz; about `samples * 16000 / rate` samples, rounded by soxr and rounded up by torchaudio."""
    if rate == SAMPLE_RATE_HZ:
        return waveform
    if resampler == "soxr":
        soxr: Any = need("soxr", f"sound of {rate} Hz is to be resampled to {SAMPLE_RATE_HZ} Hz")
        return np.asarray(soxr.resample(waveform, rate, SAMPLE_RATE_HZ, quality="HQ"), dtype=np.float32)
    try:
        import torch
        from torchaudio.functional import resample as by_torchaudio
    except (ImportError, OSError, RuntimeError) as error:  # how a torchaudio built for another torch fails
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"resampler 'torchaudio' was asked for, but torchaudio does not import beside this torch ({reason}); "
            "install the matching version, or use resampler 'soxr'"
        ) from error
    resampled: Waveform = by_torchaudio(torch.from_numpy(waveform), rate, SAMPLE_RATE_HZ).numpy()
    return resampled
