"""EmoBox's resampling: that `--resampler torchaudio` is equal to it, and what soxr changes, in dB and in scores.

    python benchmarks/perf/resamplers.py [--output runs/resamplers] [--encoder whisper-tiny.en] [--seeds 0 1 2]

Runs where torchaudio imports, which `make torchaudio` sees to. EmoBox calls torchaudio.functional.resample with its
defaults. Copies of the corpus at 44.1 kHz are made with SciPy, which is neither of the two, and probed with both; they,
the features and the runs are kept in the output folder, so that a second run is quick.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torchaudio
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt, sosfiltfilt
from torch import from_numpy

from emobox_hf.audio import read_waveform
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import load_spec
from emobox_hf.experiments.request import make_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.results import read_prediction_table, read_record
from emobox_hf.sampling import SAMPLE_RATE_HZ

CORPUS, COPY_RATE_HZ = "polish", 44_100
RATES_HZ = (8_000, 11_025, 22_050, 24_000, 44_100, 48_000)
PASSED = 0.75  # of the lower of the two bands: what both filters let through whole
Sound = NDArray[np.float32]


def make_speech_like(rate: int, seed: int, *, duration_s: float = 10.0) -> Sound:
    """Noise that falls by 12 dB an octave from 500 Hz up to half the rate and swells four times a second, float32."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * rate)) / rate
    noise = sosfilt(butter(2, 500, fs=rate, output="sos"), random.standard_normal(len(time_s)))
    sound = noise * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time_s))
    return np.asarray(0.5 * sound / np.abs(sound).max(), dtype=np.float32)


def to_rate(waveform: Sound, rate: int) -> Sound:
    """A 16 kHz waveform at another rate by SciPy's polyphase filter, a Kaiser-windowed sinc of its own defaults."""
    divisor = np.gcd(rate, SAMPLE_RATE_HZ)
    return np.asarray(resample_poly(waveform, rate // divisor, SAMPLE_RATE_HZ // divisor), dtype=np.float32)


def write_copies(root: Path, paths: list[str], folder: Path, rate: int) -> None:
    """Copies of 16 kHz files at another rate, under their own names, floats as they are."""
    for path in paths:
        copy = folder / Path(path).with_suffix(".wav")
        copy.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(copy, to_rate(read_waveform(root / path), rate), rate, subtype="FLOAT")


def read_both(path: Path) -> tuple[Sound, Sound]:
    """A file by soxr and by torchaudio, cut to the shorter: one rounds the number of samples, one rounds it up."""
    one, other = (read_waveform(path, resampler=name) for name in ("soxr", "torchaudio"))
    n = min(len(one), len(other))
    return one[:n], other[:n]


def check_equal(path: Path) -> None:
    """End the program unless every sample is EmoBox's, which resamples all channels of a file and then takes one."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    expected = torchaudio.functional.resample(from_numpy(samples.T.copy()), rate, SAMPLE_RATE_HZ)[0].numpy()
    if not np.array_equal(read_waveform(path, resampler="torchaudio"), expected):
        raise SystemExit(f"{path}: --resampler torchaudio does not give what EmoBox's call does")


def ratio_db(pairs: list[tuple[Sound, Sound]], *, below_hz: float | None = None) -> float:
    """Energy of the seconds of the pairs over that of the differences, dB; of what is below a frequency, if given."""
    signal = difference = 0.0
    for one, other in pairs:
        wanted, error = other.astype(np.float64), one.astype(np.float64) - other
        if below_hz is not None:
            low = butter(8, below_hz, fs=SAMPLE_RATE_HZ, output="sos")
            wanted, error = sosfiltfilt(low, wanted), sosfiltfilt(low, error)
        signal, difference = signal + float(wanted @ wanted), difference + float(error @ error)
    return float(10 * np.log10(signal / difference))


def compare_sound(root: Path, paths: list[str], scratch: Path) -> None:
    """Check equality at every rate and print how far soxr is."""
    print("soxr's distance from EmoBox's resampling to 16 kHz, dB; in brackets: in the band that both let through")
    print(f"{'from, Hz':>8}{'equal files':>13}{'speech-like noise':>20}{CORPUS + ' copies':>20}")
    for rate in RATES_HZ:
        noise, copies = scratch / f"noise-{rate}.wav", scratch / str(rate)
        soundfile.write(noise, np.stack([make_speech_like(rate, seed) for seed in (0, 1)], axis=1), rate, "FLOAT")
        write_copies(root, paths, copies, rate)
        files = sorted(copies.rglob("*.wav"))
        for path in (noise, *files):
            check_equal(path)
        cells = []
        for pairs in ([read_both(noise)], [read_both(path) for path in files]):
            passed = ratio_db(pairs, below_hz=PASSED * min(rate, SAMPLE_RATE_HZ) / 2)
            cells.append(f"{ratio_db(pairs):.1f} ({passed:.1f})")
        print(f"{rate:>8}{len(files) + 1:>13}{cells[0]:>20}{cells[1]:>20}", flush=True)


def probe(arguments: argparse.Namespace, head: str, data_dir: Path, resampler: str) -> Path:
    """The folder of a run of the probe runner."""
    request = make_request(
        corpus=CORPUS, encoder=arguments.encoder, data_dir=data_dir, head=head, resampler=resampler,
        features=arguments.output / "features", output=arguments.output, seeds=tuple(arguments.seeds),
    )  # fmt: skip
    return run_probe(request)


def compare_scores(arguments: argparse.Namespace, root: Path, copies: Path) -> None:
    """Probe the corpus as it is and its copies with both resamplers, and print UA of each fold."""
    rows = {"16 kHz as it is": (root, "soxr"), "torchaudio": (copies, "torchaudio"), "soxr": (copies, "soxr")}
    for head in ("linear", "emobox"):
        runs = {name: probe(arguments, head, *where) for name, where in rows.items()}
        print(f"\n{CORPUS}, {arguments.encoder}, head {head}, {COPY_RATE_HZ} Hz copies: UA by fold and in the mean")
        scores = {}
        for name, folder in runs.items():
            record = read_record(folder)
            by_fold = {
                fold.fold: [one.scores["ua"] for one in record.folds if one.fold == fold.fold] for fold in record.folds
            }
            scores[name] = 100 * np.array([*map(np.mean, by_fold.values()), record.summary["ua"].mean])
            print(f"{name:<18}" + "".join(f"{ua:8.1f}" for ua in scores[name]))
        print(f"{'soxr - torchaudio':<18}" + "".join(f"{ua:+8.1f}" for ua in scores["soxr"] - scores["torchaudio"]))
        one, other = (_read_predicted(runs[name]) for name in ("soxr", "torchaudio"))
        print(
            f"predictions that differ: {sum(a != b for a, b in zip(one, other, strict=True))} of {len(one)}", flush=True
        )


def _read_predicted(folder: Path) -> list[str]:
    """The likeliest label of each row of a run's predictions."""
    names: list[str] = read_prediction_table(folder, read_record(folder), ["prediction"])["prediction"].to_pylist()
    return names


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/resamplers"), help="for copies, features and runs")
    parser.add_argument("--encoder", default="whisper-tiny.en", help="see `emobox probe --help`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the emobox head")
    arguments = parser.parse_args()
    manifest = build_manifest(load_spec(CORPUS))
    paths = [utterance.path for utterance in manifest.utterances]
    with tempfile.TemporaryDirectory() as scratch:
        compare_sound(manifest.root, paths, Path(scratch))
    copies = arguments.output / f"copies-{COPY_RATE_HZ}"
    write_copies(manifest.root, paths, copies, COPY_RATE_HZ)
    compare_scores(arguments, manifest.root, copies)


if __name__ == "__main__":
    main()
