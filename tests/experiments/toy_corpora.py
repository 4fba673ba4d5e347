"""Small corpora of one's own, a TOML file and synthetic speech each, that differ as corpora do."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from speech import synthesize, write_wav

SPEC = """
name = "{name}"
title = "{name}"
version = "1.0.0"
languages = ["{language}"]
source = "acted"

[discovery]
strategy = "paths"
pattern = '(?P<speaker>s\\d+)/(?P<emotion>[A-Z][a-z]+)_\\d+\\.wav'
key = "{name}-{{speaker}}-{{stem}}"

[labels]
{labels}

[folds]
source = "rule"
count = {n_speakers}

[expected]
utterances = {n_utterances}
speakers = {n_speakers}
"""


def make_corpus(
    folder: Path,
    name: str,
    *,
    emotions: Sequence[str] = ("Angry", "Happy", "Neutral", "Sad"),
    n_speakers: int = 4,
    n_each: int = 5,
    language: str = "en",
    pitch: float = 1.0,
    accent: float = 0.0,
    mislabelled: int = 0,
) -> Path:
    """`<folder>/<name>.toml`, with the sound in `<folder>/<name>`; gives the path of the TOML.

    Args:
        folder: Where.
        name: Of the corpus.
        emotions: Its labels, raw and mapped alike.
        n_speakers: 4 to 6, so that EmoBox's rule leaves one out in each fold.
        n_each: Utterances of each speaker and emotion.
        language: Its language.
        pitch: What every pitch is multiplied by: how this corpus differs from the others.
        accent: How much of an emotion's pitch is a speaker's own.
        mislabelled: Of each speaker and emotion, how many utterances sound like the next emotion.
    """
    for speaker in range(n_speakers):
        for index, emotion in enumerate(emotions):
            for number in range(n_each):
                heard = emotions[(index + 1) % len(emotions)] if number < mislabelled else emotion
                key = f"{name} {speaker} {emotion} {number}"
                sound = synthesize(heard, f"{name}-{speaker}", key, pitch=pitch, accent=accent)
                write_wav(folder / name / f"s{speaker}" / f"{emotion}_{number}.wav", sound)
    spec = SPEC.format(
        name=name,
        language=language,
        labels="\n".join(f'{emotion} = "{emotion}"' for emotion in emotions),
        n_speakers=n_speakers,
        n_utterances=n_speakers * len(emotions) * n_each,
    )
    path = folder / f"{name}.toml"
    path.write_text(spec, encoding="utf-8")
    return path


def drop_corpus(folder: Path, name: str) -> None:
    """Remove a corpus's sound."""
    shutil.rmtree(folder / name)
