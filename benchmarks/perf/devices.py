"""The main page on a corpus of WAV files made up here, on the CPU and on a GPU where there is one: one score on both.

    PYTHONPATH=. python benchmarks/perf/devices.py [--shapes wav2vec2-base whisper-tiny] [--mixed-precision bf16]

Needs torch, transformers and accelerate, neither a network nor `datasets`, `evaluate`, soundfile, soxr or PyAV. Four
emotions of four speakers are tones with a pitch, a loudness and a rhythm of their own in noise, 16-bit WAV of 16 kHz;
encoders have random weights in a published shape. Each run is `run_probe.py` in a process of its own, with the head
`linear`. Printed are UA, seconds, and how far apart the frames of the two devices are: the root mean square of the
differences over that of the frames. Frames further apart than 0.001 in float32 or 0.03 in half precision, or UA further
apart than `--tolerance` points, end it with 1. Without a GPU the CPU's figures are all.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
RATE_HZ = 16_000
EMOTIONS = {"angry": (260, 0.5, 7), "happy": (300, 0.3, 5), "neutral": (200, 0.15, 3), "sad": (150, 0.08, 1)}
SPEAKERS = 4
SPEC = """
name = "tones"
title = "Tones"
version = "1.0.0"
languages = ["en"]

[discovery]
strategy = "paths"
pattern = '(?P<speaker>s\\d+)/(?P<emotion>[a-z]+)_\\d+\\.wav'
key = "tones-{speaker}-{stem}"

[labels]
angry = "Angry"
happy = "Happy"
neutral = "Neutral"
sad = "Sad"

[expected]
utterances = {utterances}
speakers = {speakers}

[folds]
source = "rule"
count = 4
"""
FARTHEST = {"no": 1e-3, "bf16": 3e-2, "fp16": 3e-2}


def write_corpus(folder: Path, *, takes: int) -> Path:
    """Write the files of every speaker; the path of the spec."""
    rng = np.random.default_rng(0)
    for speaker in range(SPEAKERS):
        (folder / f"s{speaker}").mkdir(parents=True)
        for emotion, (pitch_hz, loudness, beats_hz) in EMOTIONS.items():
            for take in range(takes):
                time_s = np.arange(int(RATE_HZ * rng.uniform(0.5, 1.2))) / RATE_HZ
                pitch = pitch_hz * (0.8 + 0.05 * speaker) * rng.uniform(0.8, 1.2)
                beat = 1 + 0.5 * np.sin(2 * np.pi * beats_hz * rng.uniform(0.7, 1.3) * time_s)
                tone = sum(np.sin(2 * np.pi * n * pitch * time_s) / n for n in range(1, 6))
                sound = loudness * rng.uniform(0.3, 0.6) * beat * tone + rng.normal(0, 0.05, len(time_s))
                path = folder / f"s{speaker}" / f"{emotion}_{take}.wav"
                with wave.open(str(path), "wb") as file:
                    file.setparams((1, 2, RATE_HZ, len(sound), "NONE", ""))
                    file.writeframes((sound.clip(-1, 1) * 32767).astype("<i2").tobytes())
    spec = folder / "tones.toml"
    counts = {"{utterances}": SPEAKERS * len(EMOTIONS) * takes, "{speakers}": SPEAKERS}
    text = SPEC
    for name, count in counts.items():
        text = text.replace(name, str(count))
    spec.write_text(text, encoding="utf-8")
    return spec


def save_encoder(shape: str, folder: Path) -> None:
    """Write random weights of a shape, and the extractor, as `save_pretrained` does."""
    import torch
    import transformers as untyped

    from emobox_hf.bench.shapes import SHAPES, make_config, make_shape

    transformers: Any = untyped
    torch.manual_seed(0)
    if SHAPES[shape]["config"] == "WhisperConfig":  # transformers loads it with its decoder alone
        config = make_config(shape)
        config.decoder_layers = 1
        transformers.WhisperModel(config).save_pretrained(folder)
        transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(folder)
    else:
        plain = make_shape(shape)
        plain.model.save_pretrained(folder)
        plain.extractor.save_pretrained(folder)


def run_page(spec: Path, encoder: Path, out: Path, precision: str, *, on_cpu: bool) -> Any:
    """The record of one run of the main page."""
    from emobox_hf.results import read_record

    command = [sys.executable, str(ROOT / "run_probe.py"), "--corpus", str(spec), "--data-dir", str(spec.parent)]
    command += ["--encoder", str(encoder), "--head", "linear", "--mixed-precision", precision]
    command += ["--features", str(out / "features"), "--output", str(out / "runs")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    subprocess.run(command, env=environment | ({"ACCELERATE_USE_CPU": "true"} if on_cpu else {}), check=True)
    (path,) = (out / "runs").rglob("record.json")
    return read_record(path.parent)


def read_frames(out: Path) -> Any:
    """All frames that a run stored, float32 (frames, dim), in the order of their keys."""
    from emobox_hf.features.housekeeping import find_stores

    (found,) = find_stores(out / "features")
    store = found.open()
    return store.read(sorted(store.keys())).frames.float()


def compare(spec: Path, shape: str, precision: str, tolerance: float, has_gpu: bool) -> bool:
    """Run one encoder on each device, print what came of it; whether they agree."""
    scores, frames = [], []
    with tempfile.TemporaryDirectory(prefix="emobox-devices-") as name:
        save_encoder(shape, Path(name) / "encoder")
        for on_cpu in (True, False) if has_gpu else (True,):
            out = Path(name) / ("cpu" if on_cpu else "gpu")
            record = run_page(spec, Path(name) / "encoder", out, precision, on_cpu=on_cpu)
            scores.append(100 * record.summary["ua"].mean)
            frames.append(read_frames(out))
            where = record.machine.get("device_name") or record.machine["processor"]
            seconds = ", ".join(f"{what} {spent:.1f}" for what, spent in record.timings.items())
            print(f"{shape}, {precision}, {where}: UA {scores[-1]:.2f} %; {seconds}", flush=True)
    if not has_gpu:
        return True
    distance = float((frames[0] - frames[1]).norm() / frames[0].norm())
    agrees = distance <= FARTHEST[precision] and abs(scores[0] - scores[1]) <= tolerance
    print(f"{shape}, {precision}: frames {distance:.1e} apart, UA {abs(scores[0] - scores[1]):.2f} points: {agrees}")
    return agrees


def main() -> int:
    """Run and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["wav2vec2-base", "whisper-tiny"])
    parser.add_argument("--mixed-precision", choices=tuple(FARTHEST), default="no")
    parser.add_argument("--takes", type=int, default=8, help="files of each speaker and emotion; 128 in all")
    parser.add_argument("--tolerance", type=float, default=2.0, help="points of UA")
    arguments = parser.parse_args()
    import torch

    with tempfile.TemporaryDirectory(prefix="emobox-tones-") as name:
        spec = write_corpus(Path(name), takes=arguments.takes)
        precision, has_gpu = arguments.mixed_precision, torch.cuda.is_available()
        agreed = [compare(spec, shape, precision, arguments.tolerance, has_gpu) for shape in arguments.shapes]
    if not has_gpu:
        print("no GPU here: nothing to compare with")
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
