"""Decoding: every container, the right channel, exact segments, and a clear refusal of whatever is not whole."""

import dataclasses
import io
import re
import signal
import sys
import tempfile
import wave
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from emobox_hf import audio
from emobox_hf.audio import (
    RESAMPLERS,
    SAMPLE_RATE_HZ,
    AudioError,
    AudioInfo,
    encode_sound,
    is_exact,
    is_plain,
    read_info,
    read_utterance,
    read_waveform,
)
from emobox_hf.corpora.spec import Audio, load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, MissingPackageError

STEP = 1.01 / 32768  # libsndfile rounds a float to 16 bits to within one step
N_CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}


def tone(frequency_hz: float, *, rate: int, duration_s: float = 1.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate * duration_s)) / rate)).astype(np.float32)


def frequency_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(spectrum.argmax() * SAMPLE_RATE_HZ / len(waveform))


def write_with_ffmpeg(
    path: Path, *, codec: str, layout: str, rate: int, duration_s: float = 1.0, options: dict[str, str] | None = None
) -> Path:
    """Channel i (from 0) carries a tone of 300 + 200 i Hz."""
    samples = np.stack([tone(300 + 200 * i, rate=rate, duration_s=duration_s) for i in range(N_CHANNELS[layout])])
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate = rate
        for part in av.AudioResampler(format=stream.format, layout=layout, rate=rate).resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "subtype", "atol"),
    [
        ("a.wav", "PCM_16", STEP),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "FLOAT", 0),
        ("a.flac", "PCM_16", STEP),
        ("a.aiff", "PCM_16", STEP),
        ("A.WAV", "PCM_16", STEP),
    ],
)
def test_lossless_files_give_their_samples_as_floats(tmp_path: Path, name: str, subtype: str, atol: float) -> None:
    written = tone(440, rate=SAMPLE_RATE_HZ)
    soundfile.write(tmp_path / name, written, SAMPLE_RATE_HZ, subtype=subtype)
    waveform = read_waveform(tmp_path / name)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, written, atol=atol, rtol=0)


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg"])
def test_lossy_plain_files_keep_pitch_and_length(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, tone(440, rate=SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    waveform = read_waveform(tmp_path / name)
    assert len(waveform) == SAMPLE_RATE_HZ
    assert frequency_hz(waveform) == 440


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_the_first_channel_is_taken_unless_one_is_named(tmp_path: Path, n_channels: int) -> None:
    samples = np.stack([tone(300 + 200 * i, rate=SAMPLE_RATE_HZ) for i in range(n_channels)], axis=1)
    soundfile.write(tmp_path / "a.wav", samples, SAMPLE_RATE_HZ)
    assert frequency_hz(read_waveform(tmp_path / "a.wav")) == 300
    assert frequency_hz(read_waveform(tmp_path / "a.wav", channels={6: 3})) == 300
    last = read_waveform(tmp_path / "a.wav", channels={n_channels: n_channels})
    assert frequency_hz(last) == 300 + 200 * (n_channels - 1)
    assert np.abs(last).max() == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("channel", [1, 2, 3, 5, 6])
def test_each_channel_of_a_surround_video_can_be_taken(tmp_path: Path, channel: int) -> None:
    path = write_with_ffmpeg(tmp_path / "a.mp4", codec="aac", layout="5.1", rate=48_000)
    waveform = read_waveform(path, channels={6: channel})[:SAMPLE_RATE_HZ]
    assert frequency_hz(waveform) == 300 + 200 * (channel - 1)


@pytest.mark.parametrize(
    ("name", "codec", "layout", "rate"),
    [
        ("a.mp4", "aac", "stereo", 44_100),
        ("a.m4a", "aac", "mono", 22_050),
        ("a.webm", "libopus", "mono", 48_000),
        ("a.avi", "pcm_s16le", "stereo", 22_050),
        ("a.avi", "mp3", "stereo", 44_100),
    ],
)
def test_containers_are_decoded_at_the_right_pitch_level_and_length(
    tmp_path: Path, name: str, codec: str, layout: str, rate: int
) -> None:
    path = write_with_ffmpeg(tmp_path / name, codec=codec, layout=layout, rate=rate)
    waveform = read_waveform(path)
    assert len(waveform) == pytest.approx(SAMPLE_RATE_HZ, abs=0.15 * SAMPLE_RATE_HZ)  # codecs add whole packets
    middle = waveform[4000:12_000]
    assert frequency_hz(middle) == pytest.approx(300, abs=2)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.3, rel=0.05)
    assert not is_plain(path)
    info = read_info(path)
    assert (info.sample_rate_hz, info.n_channels) == (rate, N_CHANNELS[layout])
    assert info.duration_s == pytest.approx(len(waveform) / SAMPLE_RATE_HZ, abs=0.05)


def test_a_wav_that_holds_what_libsndfile_cannot_read_is_left_to_ffmpeg(tmp_path: Path) -> None:
    path = write_with_ffmpeg(tmp_path / "a.mp4", codec="aac", layout="mono", rate=SAMPLE_RATE_HZ)
    disguised = path.rename(tmp_path / "a.wav")
    assert frequency_hz(read_waveform(disguised)[:SAMPLE_RATE_HZ]) == 300
    assert read_info(disguised).n_channels == 1


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_keeps_pitch_level_and_duration(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1000, rate=rate), rate)
    waveform = read_waveform(tmp_path / "a.wav")
    assert abs(len(waveform) - SAMPLE_RATE_HZ) <= 1
    assert frequency_hz(waveform[:SAMPLE_RATE_HZ]) == pytest.approx(1000, abs=1)
    assert np.sqrt(2 * np.mean(waveform[2000:-2000] ** 2)) == pytest.approx(0.3, rel=1e-3)


def test_what_16_khz_cannot_carry_is_filtered_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(12_000, rate=48_000), 48_000)
    assert np.abs(read_waveform(tmp_path / "a.wav")[2000:-2000]).max() < 1e-4


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize(("start_s", "end_s"), [(None, 0.5), (0.25, None), (0.25, 0.5), (0.1234, 0.777)])
def test_a_segment_equals_the_same_part_of_the_whole(
    tmp_path: Path, name: str, start_s: float | None, end_s: float | None
) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * SAMPLE_RATE_HZ)
    soundfile.write(tmp_path / name, noise, SAMPLE_RATE_HZ)
    whole = read_waveform(tmp_path / name)
    expected = whole[round((start_s or 0) * SAMPLE_RATE_HZ) : round((end_s or 3) * SAMPLE_RATE_HZ)]
    np.testing.assert_array_equal(read_waveform(tmp_path / name, start_s=start_s, end_s=end_s), expected)


@pytest.mark.parametrize(("codec", "suffix"), [("aac", "mp4"), ("libopus", "webm")])
def test_a_segment_of_a_compressed_stream_equals_the_same_part_of_the_whole(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    path = write_with_ffmpeg(tmp_path / f"a.{suffix}", codec=codec, layout="mono", rate=48_000, duration_s=3)
    whole = read_waveform(path)
    segment = read_waveform(path, start_s=1.1, end_s=2.3)
    assert len(segment) == round(1.2 * SAMPLE_RATE_HZ)
    # Resampling sees zeros beyond a cut, so only its edges may differ.
    np.testing.assert_allclose(segment[500:-500], whole[17_600:36_800][500:-500], atol=1e-3)


def test_a_segment_is_found_without_decoding_what_precedes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(60 * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    asked: list[int] = []
    read = soundfile.SoundFile.read

    def spy(file: soundfile.SoundFile, frames: int, **options: object) -> np.ndarray:
        asked.append(frames)
        return read(file, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", spy)
    assert len(read_waveform(tmp_path / "a.flac", start_s=58, end_s=59)) == SAMPLE_RATE_HZ
    assert asked == [SAMPLE_RATE_HZ]


def test_an_end_rounded_past_the_file_is_the_end_of_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, rate=SAMPLE_RATE_HZ, duration_s=1.004), SAMPLE_RATE_HZ)
    assert len(read_waveform(tmp_path / "a.wav", start_s=0.5, end_s=1.01)) == 8064


@pytest.mark.parametrize(("start_s", "end_s"), [(0.5, 1.2), (1.0, None), (7, 8), (-0.5, 0.5), (0.5, 0.5), (0.6, 0.5)])
@pytest.mark.parametrize("name", ["a.wav", "a.mp4"])
def test_a_segment_outside_the_file_is_refused(tmp_path: Path, name: str, start_s: float, end_s: float | None) -> None:
    path = tmp_path / name
    if name == "a.wav":
        soundfile.write(path, tone(440, rate=SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    else:
        write_with_ffmpeg(path, codec="aac", layout="mono", rate=SAMPLE_RATE_HZ, duration_s=0.7)
    with pytest.raises(AudioError, match=rf"{name}.*segment"):
        read_waveform(path, start_s=start_s, end_s=end_s)


@pytest.mark.parametrize(("channels", "asked"), [({1: 2}, 2), ({1: 0}, 0)])
def test_a_channel_the_file_lacks_is_refused(tmp_path: Path, channels: dict[int, int], asked: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, rate=SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    with pytest.raises(AudioError, match=rf"a\.wav: channel {asked} was asked for, but the file has 1"):
        read_waveform(tmp_path / "a.wav", channels=channels)


@pytest.mark.parametrize("read", [read_waveform, read_info])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.wav", None, "no such file"),
        ("empty.wav", b"", "empty"),
        ("text.wav", b"This is not audio. " * 100, "not audio"),
        ("text.mp4", b"This is not audio. " * 100, "not audio"),
    ],
)
def test_what_is_not_audio_is_refused_by_name(
    tmp_path: Path, read: object, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=rf"{name}: .*{message}") as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is a folder"):
        read_waveform(tmp_path)


def truncated(path: Path, share: float = 0.6) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.au", "a.caf", "a.mp3"])
def test_a_plain_file_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * SAMPLE_RATE_HZ)
    soundfile.write(tmp_path / name, noise, SAMPLE_RATE_HZ)
    with pytest.raises(AudioError, match=rf"{name}: .*cut short"):
        read_waveform(truncated(tmp_path / name))


@pytest.fixture
def no_soundfile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_has_soundfile", lambda: False)
    for name in ("soundfile", "soxr", "av"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_without_soundfile_wav_of_integer_pcm_gives_the_same_bits(
    tmp_path: Path, request: pytest.FixtureRequest, subtype: str, n_channels: int
) -> None:
    noise = np.random.default_rng(0).uniform(-1.1, 1.1, (SAMPLE_RATE_HZ // 2, n_channels))
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, n_channels, subtype, format="WAV") as file:
        file.write(noise)
    asked: list[dict[str, Any]] = [{}, {"start_s": 0.1, "end_s": 0.3}, {"channels": {2: 2}}, {"end_s": 0.505}]
    expected = [read_waveform(path, **one) for one in asked]
    info = read_info(path)
    request.getfixturevalue("no_soundfile")
    for one, wanted in zip(asked, expected, strict=True):
        found = read_waveform(path, **one)
        assert found.dtype == np.float32
        assert np.array_equal(found, wanted)
    assert read_info(path) == info


@pytest.mark.usefixtures("no_soundfile")
def test_without_soundfile_what_is_cut_short_or_outside_is_refused_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 100, "NONE", ""))
        file.writeframes(bytes(200))
    with pytest.raises(AudioError, match="segment"):
        read_waveform(path, start_s=1.0, end_s=2.0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    with pytest.raises(AudioError, match="promises 200 bytes of samples, it holds 198"):
        read_waveform(path)
    path.write_bytes(whole[:40] + 0xFFFFFFFF.to_bytes(4, "little") + whole[44:])  # written to a pipe
    assert len(read_waveform(path)) == 100


@pytest.mark.parametrize(
    ("name", "options", "package"),
    [
        ("a.flac", {}, "soundfile"),
        ("float.wav", {"subtype": "FLOAT"}, "soundfile"),
        ("a.wav", {"samplerate": 8000}, "soxr"),
        ("a.mp4", {}, "av"),
    ],
)
def test_a_package_that_is_not_there_is_named_with_the_file(
    tmp_path: Path, request: pytest.FixtureRequest, name: str, options: dict[str, Any], package: str
) -> None:
    if name == "a.mp4":
        write_with_ffmpeg(tmp_path / name, codec="aac", layout="mono", rate=48_000, duration_s=0.2)
    else:
        soundfile.write(tmp_path / name, np.zeros(800), **{"samplerate": SAMPLE_RATE_HZ, **options})
    request.getfixturevalue("no_soundfile")
    with pytest.raises(MissingPackageError, match=f"package {package}.*pip install {package}") as caught:
        read_waveform(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value) or package == "soxr"


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.m4a", "aac"), ("a.webm", "libopus")])
@pytest.mark.parametrize("faststart", [False, True])
def test_a_container_cut_short_is_refused(tmp_path: Path, name: str, codec: str, faststart: bool) -> None:
    path = tmp_path / name
    write_with_ffmpeg(
        path,
        codec=codec,
        layout="mono",
        rate=48_000,
        duration_s=2,
        options={"movflags": "faststart"} if faststart else {},
    )
    with pytest.raises(AudioError, match=rf"{name}: .*cut short"):
        read_waveform(truncated(path))


def test_one_missing_sample_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(440, rate=SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(AudioError, match="promises 32000 bytes of samples, it holds 31998"):
        read_waveform(path)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFF024])
def test_a_wav_written_to_a_pipe_is_read_to_its_end(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(440, rate=SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    header, samples = path.read_bytes()[:40], path.read_bytes()[44:]
    path.write_bytes(header + length.to_bytes(4, "little") + samples)
    assert len(read_waveform(path)) == SAMPLE_RATE_HZ


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_a_file_without_samples_is_refused(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, np.zeros(0), SAMPLE_RATE_HZ)
    with pytest.raises(AudioError, match="no samples"):
        read_waveform(tmp_path / name)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = np.zeros(100, dtype=np.float32)
    samples[[3, 7]] = bad
    soundfile.write(tmp_path / "a.wav", samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match="2 of 100 samples are not finite"):
        read_waveform(tmp_path / "a.wav")


@pytest.mark.parametrize("level", [1000, 5e29, 3e38])
def test_samples_far_beyond_full_scale_are_refused(tmp_path: Path, level: float) -> None:
    loud = tone(440, rate=SAMPLE_RATE_HZ, level=level)
    soundfile.write(tmp_path / "a.wav", loud, SAMPLE_RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match=re.escape(f"samples reach {loud.max():.3g}, where full scale is 1")):
        read_waveform(tmp_path / "a.wav")


def test_what_is_nothing_at_16_khz_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1), 44_100)
    with pytest.raises(AudioError, match="1 samples at 44100 Hz are none at 16000 Hz"):
        read_waveform(tmp_path / "a.wav")


@pytest.mark.parametrize("coding", ["VORBIS", "OPUS"])
def test_a_flipped_bit_in_an_ogg_is_noticed_wherever_it_is(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, tone(440, rate=SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, format="OGG", subtype=coding)
    content, random = path.read_bytes(), np.random.default_rng(0)
    assert len(read_waveform(path)) == SAMPLE_RATE_HZ
    for bit in random.integers(8 * len(content), size=100):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(AudioError, match=r"a\.ogg: (damaged|not audio)"):
            read_waveform(path)


def test_an_ogg_that_ends_or_goes_on_where_it_should_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, 4 * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    content = path.read_bytes()
    pages = [match.start() for match in re.finditer(b"OggS", content)]
    for kept, reason in [
        (content[: pages[-1]], "no page is marked as the last"),
        (content[: pages[-1] + 100], "cut short in the page"),
        (content[: pages[-2]] + content[pages[-1] :], "a page is missing"),
        (content + content, "another recording begins"),
        (content + b"x" * 50, "no page at byte"),
    ]:
        path.write_bytes(kept)
        with pytest.raises(AudioError, match=reason):
            read_waveform(path)


@pytest.mark.parametrize("suffix", ["wav", "mp3"])
@pytest.mark.parametrize("rate", [SAMPLE_RATE_HZ, 44_100])
def test_an_mp3_that_does_not_say_its_length_is_read_to_its_end(tmp_path: Path, suffix: str, rate: int) -> None:
    """FFmpeg's MP3 in WAV, and an MP3 without a Xing header, whose lengths libsndfile only guesses."""
    path = write_with_ffmpeg(
        tmp_path / f"a.{suffix}", codec="mp3", layout="mono", rate=rate, duration_s=3, options={"write_xing": "0"}
    )
    waveform = read_waveform(path)
    assert 0 <= len(waveform) - 3 * SAMPLE_RATE_HZ < 0.15 * SAMPLE_RATE_HZ  # the codec adds packets
    middle = waveform[SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ]
    assert frequency_hz(middle) == pytest.approx(300, abs=1)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("kind", "coding"),
    [
        *(("WAV", coding) for coding in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
        *((kind, "PCM_16") for kind in ("RF64", "FLAC", "AIFF", "AU", "CAF")),
    ],
)
def test_an_exact_file_gives_its_samples_to_other_decoders_too(tmp_path: Path, kind: str, coding: str) -> None:
    path = tmp_path / f"a.{'wav' if kind == 'RF64' else kind.lower()}"
    soundfile.write(path, tone(440, rate=SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, format=kind, subtype=coding)
    assert is_exact(path)
    with av.open(str(path)) as container:
        to_float = av.AudioResampler(format="fltp")
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in to_float.resample(frame)]
    np.testing.assert_array_equal(np.concatenate(parts), read_waveform(path))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ima.wav", {"subtype": "IMA_ADPCM"}),
        ("ms.wav", {"subtype": "MS_ADPCM"}),
        ("a.mp3", {}),
        ("a.ogg", {}),
        ("rate.wav", {"samplerate": 48_000}),
        ("two.wav", {"n_channels": 2}),
        ("a.m4a", None),
    ],
)
def test_a_file_that_decoders_read_otherwise_is_not_exact(
    tmp_path: Path, name: str, options: dict[str, Any] | None
) -> None:
    path = tmp_path / name
    if options is None:
        write_with_ffmpeg(path, codec="aac", layout="mono", rate=SAMPLE_RATE_HZ)
    else:
        n_channels, rate = options.pop("n_channels", 1), options.pop("samplerate", SAMPLE_RATE_HZ)
        soundfile.write(path, np.zeros((SAMPLE_RATE_HZ, n_channels)), rate, **options)
    assert not is_exact(path)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no audio stream"):
        read_waveform(tmp_path / "a.mp4")


def test_an_unknown_resampler_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'torchaudio'"):
        read_waveform(tmp_path / "a.wav", resampler="torch_audio")


def test_the_torchaudio_resampler_works_or_says_why_not(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1000, rate=48_000), 48_000)
    try:
        import torchaudio.functional  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        with pytest.raises(InputError, match="torchaudio does not import"):
            read_waveform(tmp_path / "a.wav", resampler="torchaudio")
        return
    waveform = read_waveform(tmp_path / "a.wav", resampler="torchaudio")
    np.testing.assert_allclose(waveform[500:-500], read_waveform(tmp_path / "a.wav")[500:-500], atol=2e-3)


def test_a_broken_torchaudio_is_named_as_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1000, rate=48_000), 48_000)
    monkeypatch.setitem(sys.modules, "torchaudio.functional", None)
    with pytest.raises(InputError, match=r"torchaudio does not import.*soxr"):
        read_waveform(tmp_path / "a.wav", resampler="torchaudio")


def test_info_is_what_was_written(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros((22_050, 2)), 44_100)
    assert read_info(tmp_path / "a.flac") == AudioInfo(duration_s=0.5, sample_rate_hz=44_100, n_channels=2)


@pytest.mark.parametrize(
    ("name", "plain"), [("a.wav", True), ("a.FLAC", True), ("a.mp3", True), ("a.mp4", False), ("a", False)]
)
def test_plain_files_are_known_by_their_suffix(name: str, plain: bool) -> None:
    assert is_plain(Path(name)) is plain


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=2000))
def test_flac_keeps_16_bit_samples_exactly(steps: list[int]) -> None:
    waveform = (np.array(steps) / 32768).astype(np.float32)
    decoded, rate = soundfile.read(io.BytesIO(encode_sound(waveform)[1]), dtype="float32")
    assert rate == SAMPLE_RATE_HZ
    np.testing.assert_array_equal(decoded, waveform)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1.25, 1.25, width=32), min_size=1, max_size=200))
def test_flac_is_off_by_half_a_step_at_most_and_clips(samples: list[float]) -> None:
    decoded, _ = soundfile.read(io.BytesIO(encode_sound(np.array(samples, dtype=np.float32))[1]), dtype="float64")
    np.testing.assert_allclose(decoded, np.clip(samples, -1, 32767 / 32768), atol=1 / 65536, rtol=0)


@pytest.mark.parametrize("peak", [1.3, 5.0])
def test_sound_that_16_bits_would_clip_is_kept_as_floats(peak: float) -> None:
    waveform = tone(440, rate=SAMPLE_RATE_HZ, level=peak)
    suffix, content = encode_sound(waveform)
    assert suffix == ".wav"
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(content), dtype="float32")[0], waveform)


def test_bytes_on_which_the_disk_was_full_are_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    on_disk = partial(tempfile.TemporaryFile, buffering=0)
    monkeypatch.setattr(audio, "_scratch_file", on_disk)
    noise = np.random.default_rng(0).uniform(-1, 1, SAMPLE_RATE_HZ).astype(np.float32)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, usual[1]))
    try:
        with pytest.raises(AudioError, match="FLAC of 16000 samples could not be written"):
            encode_sound(noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of Unix")
def test_ctrl_c_while_sound_is_encoded_is_neither_lost_nor_leaves_a_broken_file() -> None:
    """An alarm that raises, as Ctrl-C does, at a hundred moments within the encoding of a clip."""
    waveform = tone(440, rate=SAMPLE_RATE_HZ, duration_s=2)
    expected = encode_sound(waveform)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGALRM, interrupt)
    n_seen = 0
    try:
        for number in range(1, 101):
            try:
                signal.setitimer(signal.ITIMER_REAL, number * 2e-5)
                content = encode_sound(waveform)
                signal.pause() if signal.getitimer(signal.ITIMER_REAL)[0] else None
            except KeyboardInterrupt:
                n_seen += 1
            else:
                assert content == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    assert n_seen == 100


@pytest.mark.parametrize("waveform", [np.zeros((2, 10)), np.zeros(0), np.array([0.0, np.nan])])
def test_flac_of_anything_but_a_finite_waveform_is_refused(waveform: np.ndarray) -> None:
    with pytest.raises(AudioError, match="finite samples"):
        encode_sound(waveform)


def test_the_default_resampler_is_offered() -> None:
    assert RESAMPLERS[0] == "soxr"


@pytest.fixture
def two_channels(tmp_path: Path) -> Path:
    """Two seconds of two channels that differ: ramps up and down."""
    ramp = np.linspace(-0.9, 0.9, 2 * SAMPLE_RATE_HZ, dtype=np.float32)
    (tmp_path / "a").mkdir()
    soundfile.write(tmp_path / "a" / "b.wav", np.stack([ramp, -ramp], axis=1), SAMPLE_RATE_HZ, subtype="FLOAT")
    return tmp_path


def utterance(**values: float) -> Utterance:
    return Utterance(key="x", path="a/b.wav", raw_emotion="a", emotion="Angry", **values)


def test_segment_and_channel_are_those_of_the_corpus(two_channels: Path) -> None:
    spec = load_spec("polish")
    second = dataclasses.replace(spec, audio=Audio(channels={"2": 2}))
    whole = read_utterance(spec, two_channels, utterance())
    assert whole.shape == (2 * SAMPLE_RATE_HZ,)
    np.testing.assert_array_equal(read_utterance(second, two_channels, utterance()), -whole)
    part = read_utterance(second, two_channels, utterance(start_s=0.5, end_s=1.25))
    np.testing.assert_array_equal(part, -whole[SAMPLE_RATE_HZ // 2 : SAMPLE_RATE_HZ * 5 // 4])


def test_a_file_without_the_sound_is_refused_by_name(two_channels: Path) -> None:
    with pytest.raises(AudioError, match=r"b\.wav"):
        read_utterance(load_spec("polish"), two_channels, utterance(start_s=1.5, end_s=9.0))


def test_the_resampler_is_passed_on(two_channels: Path) -> None:
    with pytest.raises(ValueError, match="unknown resampler 'sox'; did you mean 'soxr'"):
        read_utterance(load_spec("polish"), two_channels, utterance(), resampler="sox")
