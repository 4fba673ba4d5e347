"""How fast a corpus of 35,000 files is found, checked, audited and loaded, beside `datasets`' own audiofolder.

    python benchmarks/perf/corpora.py [--json FILE]

Makes a fake ESD (20 speakers, 35,000 WAV files of a hundredth of a second) in a temporary folder, runs each job in a
process of its own and prints wall time and peak memory; ratios are within this one run. Needs no corpus, no network.
"""

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

EMOTIONS = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
LOAD = (
    "import emobox_hf, datasets; datasets.load_dataset('emobox/esd', 'fold1', data_dir={root!r}, cache_dir={cache!r})"
)
FOLDER = "import datasets; datasets.load_dataset('audiofolder', data_dir={root!r}, cache_dir={cache!r})"
JOBS = {
    "import emobox_hf": "import emobox_hf",
    "import datasets": "import datasets",
    "audiofolder, cold": FOLDER,
    "audiofolder, warm": FOLDER,
    "load_dataset esd fold1, cold": LOAD,
    "load_dataset esd fold1, warm": LOAD,
    "emobox check esd": "from emobox_hf.cli.main import main; main(['check', 'esd', '--data-dir', {root!r}])",
    "emobox audit esd fold1": (
        "from emobox_hf.cli.main import main; main(['audit', 'esd', 'fold1', '--data-dir', {root!r}])"
    ),
}
# A corpus of as many files as MSP-Podcast has, as one's own; load_dataset of it against the number of rows.
GROWTH = (10_000, 40_000, 110_000)
SPEC = """
name = "grown"
title = "Grown"
version = "1.0.0"
languages = ["en"]
[discovery]
strategy = "paths"
pattern = '(?P<speaker>s\\d+)/(?P<emotion>[an])\\d+\\.wav'
key = "grown-{{speaker}}-{{stem}}"
[labels]
a = "Angry"
n = "Neutral"
[expected]
utterances = {n_rows}
speakers = 100
"""
LOAD_GROWN = "import emobox_hf, datasets; datasets.load_dataset({id!r}, 'all', data_dir={root!r}, cache_dir={cache!r})"
# Runs the job, then reports its own wall time and peak memory; imports are part of what a user waits for.
FRAME = """
import json, resource, sys, time
start = time.perf_counter()
{job}
seconds = time.perf_counter() - start
print("RESULT", json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def make_esd(root: Path) -> None:
    """The tree of ESD: speaker/emotion/speaker_number.wav."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(320))
    for speaker in range(1, 21):
        for block, emotion in enumerate(EMOTIONS):
            folder = root / f"{speaker:04d}" / emotion
            folder.mkdir(parents=True)
            for number in range(350 * block + 1, 350 * (block + 1) + 1):
                (folder / f"{speaker:04d}_{number:06d}.wav").write_bytes(buffer.getvalue())


def make_grown(folder: Path, n_rows: int) -> Path:
    """A corpus of `n_rows` tiny files and its spec, whose path is given back."""
    for speaker in range(100):
        home = folder / "data" / f"s{speaker}"
        home.mkdir(parents=True)
        for number in range(n_rows // 200):
            (home / f"a{number}.wav").write_bytes(b"RIFF")
            (home / f"n{number}.wav").write_bytes(b"RIFF")
    spec = folder / "grown.toml"
    spec.write_text(SPEC.format(n_rows=n_rows), encoding="utf-8")
    return spec


def run(job: str, root: Path, cache: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of a job in a process of its own."""
    code = FRAME.format(job=job.format(root=str(root), cache=str(cache)))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache), "EMOBOX_CACHE": str(cache)}
    outcome = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    line = next(line for line in outcome.stdout.splitlines() if line.startswith("RESULT"))
    seconds, megabytes = json.loads(line.removeprefix("RESULT"))
    return seconds, megabytes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emobox-perf-") as scratch:
        root, cache = Path(scratch, "esd"), Path(scratch, "cache")
        make_esd(root)
        figures = {name: run(job, root, cache) for name, job in JOBS.items()}
        for n_rows in GROWTH:
            folder = Path(scratch, f"grown-{n_rows}")
            job = LOAD_GROWN.replace("{id!r}", repr(f"emobox/{make_grown(folder, n_rows)}"))
            figures[f"load_dataset {n_rows} rows, cold"] = run(job, folder / "data", cache)
    for name, (seconds, megabytes) in figures.items():
        print(f"{name:<32}{seconds:8.2f} s{megabytes:8.0f} MB")
    ratio = figures["audiofolder, cold"][0] / figures["load_dataset esd fold1, cold"][0]
    print(f"audiofolder / load_dataset, cold: {ratio:.1f}")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": platform.platform(), "cores": os.cpu_count(), "figures": figures}, indent=1)
        )


if __name__ == "__main__":
    main()
