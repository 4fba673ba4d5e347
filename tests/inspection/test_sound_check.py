"""Listening to a corpus: what does not decode or is odd, and copies of one recording, whatever was done to them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import fetch_or_skip
from speech import SAMPLE_RATE_HZ, write_wav

from emobox_hf.audio import read_waveform
from emobox_hf.corpora.manifest import Manifest, build_manifest
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.inspection.fingerprints import find_copies, group_copies, make_fingerprint
from emobox_hf.inspection.sound_check import check_sound, compare_recordings
from emobox_hf.sources.fetch_corpus import fetch_corpus


def babble(seed: int, duration_s: float = 1.2) -> np.ndarray:
    """Four syllables a second: harmonics of a gliding pitch under three formants that move."""
    random = np.random.default_rng(seed)
    n = round(duration_s * SAMPLE_RATE_HZ)
    marks = np.linspace(0, n, round(4 * duration_s) + 2)

    def glide(low: float, high: float) -> np.ndarray:
        return np.interp(np.arange(n), marks, random.uniform(low, high, len(marks)))

    pitch_hz = glide(100, 220)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    formants = [glide(300, 800), glide(900, 2300), glide(2400, 3300)]
    voice = np.zeros(n)
    for number in range(1, 20):
        weight = sum(np.exp(-(((number * pitch_hz - formant) / 150) ** 2)) for formant in formants)
        voice += weight * np.sin(number * phase)
    level = np.abs(np.sin(np.pi * np.arange(n) / SAMPLE_RATE_HZ * 4)) ** 0.5
    return (0.2 * level * voice + 1e-4 * random.standard_normal(n)).astype(np.float32)


def recode(waveform: np.ndarray, kind: str, subtype: str | None = None) -> np.ndarray:
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, SAMPLE_RATE_HZ, format=kind, subtype=subtype)
    buffer.seek(0)
    return soundfile.read(buffer, dtype="float32")[0]


def resample(waveform: np.ndarray, rate_hz: int) -> np.ndarray:
    return soxr.resample(soxr.resample(waveform, SAMPLE_RATE_HZ, rate_hz), rate_hz, SAMPLE_RATE_HZ).astype(np.float32)


def add_noise(waveform: np.ndarray, snr_db: float = 30.0) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(waveform))
    return (waveform + noise * np.sqrt(np.mean(waveform**2) / 10 ** (snr_db / 10))).astype(np.float32)


TREATMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half as loud": lambda waveform: waveform / 2,
    "16 to 44.1 to 16 kHz": lambda waveform: resample(waveform, 44_100),
    "through 8 kHz": lambda waveform: resample(waveform, 8_000),
    "mp3": lambda waveform: recode(waveform, "MP3"),
    "ogg": lambda waveform: recode(waveform, "OGG", "VORBIS"),
    "50 ms trimmed": lambda waveform: waveform[800:],
    "57 and 30 ms trimmed": lambda waveform: waveform[913:-480],
    "silence before": lambda waveform: np.concatenate([np.zeros(3333, np.float32), waveform]),
    "noise at 30 dB": add_noise,
}
every_treatment = pytest.mark.parametrize("treat", TREATMENTS.values(), ids=TREATMENTS.keys())


def fingerprint_all(waveforms: dict[str, np.ndarray]) -> dict:
    made = {key: make_fingerprint(waveform) for key, waveform in waveforms.items()}
    return {key: fingerprint for key, fingerprint in made.items() if fingerprint is not None}


@every_treatment
def test_a_treated_copy_is_found_among_others(treat):
    clips = {f"clip{seed:02d}": babble(seed) for seed in range(12)}
    matches = find_copies(fingerprint_all(clips | {f"copy{seed:02d}": treat(babble(seed)) for seed in range(12)}))
    assert [(m.first, m.second) for m in matches] == [(f"clip{seed:02d}", f"copy{seed:02d}") for seed in range(12)]


def test_many_copies_of_one_clip_are_one_group():
    clips = {f"clip{number:02d}": babble(1)[100 * number :] for number in range(12)} | {"other": babble(2)}
    fingerprints = fingerprint_all(clips)
    groups = group_copies(fingerprints, find_copies(fingerprints))
    assert groups == dict.fromkeys(sorted(set(clips) - {"other"}), "clip00") | {"other": "other"}


def test_a_part_of_a_clip_is_a_copy():
    fingerprints = fingerprint_all({"part": babble(3, 3.0)[16_000:32_000], "whole": babble(3, 3.0)})
    assert len(find_copies(fingerprints)) == 1


@pytest.mark.parametrize(
    "waveform",
    [np.zeros(0), np.zeros(1000), np.zeros(SAMPLE_RATE_HZ), np.ones(1400)],
    ids=["empty", "short", "silent", "85 ms"],
)
def test_what_tells_nothing_has_no_fingerprint(waveform):
    assert make_fingerprint(waveform.astype(np.float32)) is None


def test_sounds_that_do_not_change_are_no_copies_of_each_other():
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tones = {f"{hz} Hz": np.sin(2 * np.pi * hz * time_s).astype(np.float32) for hz in (200, 201, 400)}
    assert find_copies(fingerprint_all(tones)) == []
    assert find_copies({}) == []


def corpus(root: Path, names: list[str], **times: tuple[float, float]) -> Manifest:
    utterances = []
    for name in names:
        key = name.partition(".")[0]
        start_s, end_s = times.get(key, (None, None))
        path = name if key not in times else "long.wav"
        utterances.append(Utterance(key, path, "a", "Angry", start_s=start_s, end_s=end_s))
    return Manifest(load_spec("polish"), root, tuple(utterances), {}, {}, {}, ())


def test_check_names_what_is_broken_short_long_and_silent(tmp_path):
    write_wav(tmp_path / "good.wav", babble(0))
    write_wav(tmp_path / "short.wav", babble(0)[:399])
    write_wav(tmp_path / "long.wav", np.tile(babble(0), 26))
    write_wav(tmp_path / "silent.wav", np.zeros((8000, 2), np.float32), 8000)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "good.wav").read_bytes()[:5000])
    (tmp_path / "empty.wav").write_bytes(b"")
    names = ["cut.wav", "empty.wav", "good.wav", "gone.wav", "long.wav", "short.wav", "silent.wav"]
    found = check_sound(corpus(tmp_path, names))
    assert sorted(found.broken) == ["cut", "empty", "gone"]
    assert "cut short" in found.broken["cut"]
    assert "empty" in found.broken["empty"]
    assert "no such file" in found.broken["gone"]
    assert list(found.short) == ["short"]
    assert found.long == {"long": pytest.approx(31.2)}
    assert found.silent == ("silent",)
    assert found.sample_rates_hz == {8000: 1, 16000: 3}
    assert found.channels == {1: 3, 2: 1}
    assert found.duration_s == pytest.approx(1.2 + 31.2 + 1.0 + 399 / 16000, abs=1e-3)
    assert not found.is_sound


def test_segments_are_checked_one_by_one_and_their_file_is_counted_once(tmp_path):
    write_wav(tmp_path / "long.wav", np.tile(babble(0), 30))
    found = check_sound(corpus(tmp_path, ["a", "b", "c"], a=(0.0, 1.0), b=(1.0, 3.0), c=(36.5, 37.5)))
    assert list(found.broken) == ["c"]
    assert (found.duration_s, found.n_utterances, found.n_files) == (3.0, 3, 1)
    assert found.long == {}
    assert found.sample_rates_hz == {16000: 1}


def test_recordings_that_are_there_twice_are_brought_together(tmp_path):
    for name, waveform in {"a": babble(1), "b": babble(1), "c": babble(1) / 2, "d": babble(2)}.items():
        write_wav(tmp_path / f"{name}.wav", waveform)
    for name in ("e", "f"):  # too short for a fingerprint
        write_wav(tmp_path / f"{name}.wav", babble(3)[:800])
    (tmp_path / "g.wav").write_bytes(b"no sound")
    watched = []
    found = compare_recordings(
        corpus(tmp_path, [f"{name}.wav" for name in "abcdefg"]),
        watch=lambda items: (watched.append(i) or i for i in items),
    )
    assert found.identical == {"a": "a", "b": "a", "c": "c", "d": "d", "e": "e", "f": "e"}
    assert found.copies == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "e"}
    assert found.groups == [["a", "b", "c"], ["e", "f"]]
    assert list(found.broken) == ["g"]
    assert len(watched) == 7


@pytest.fixture(scope="module")
def polish() -> dict[str, np.ndarray]:
    spec = load_spec("polish")
    manifest = build_manifest(spec, fetch_or_skip(lambda: fetch_corpus(spec)))
    return {u.key: read_waveform(manifest.root / u.path) for u in manifest.utterances}


# The corpus as published holds four recordings under two names each, sample for sample.
TWINS = {
    frozenset({f"polish-{one}", f"polish-{other}"})
    for one, other in (
        ("m1.n_oddaj_2", "m1.n_oddaj_3"),
        ("m1.n_tak_4", "m1.n_tak_5"),
        ("m2.a_nie_3", "m2.a_nie_4"),
        ("m4.a_oddaj_4", "m4.a_oddaj_5"),
    )
}


@pytest.mark.real
def test_takes_of_one_sentence_by_one_speaker_are_no_copies(polish):
    matches = find_copies(fingerprint_all(polish))
    assert {frozenset({match.first, match.second}) for match in matches} == TWINS
    assert {frozenset(pair) for pair in TWINS if len({polish[key].tobytes() for key in pair}) == 1} == TWINS


@pytest.mark.real
@every_treatment
def test_treated_copies_of_real_speech_are_found(treat, polish):
    originals = fingerprint_all(polish)
    copies = fingerprint_all({f"copy of {key}": treat(polish[key]) for key in list(polish)[::5]})
    pairs = {
        frozenset(x.removeprefix("copy of ") for x in (m.first, m.second)) for m in find_copies(originals | copies)
    }
    found = {key for key in list(polish)[::5] if frozenset({key}) in pairs}
    assert len(copies) == 90
    assert len(found) >= 0.95 * 90
    assert {pair for pair in pairs if len(pair) > 1} <= TWINS
