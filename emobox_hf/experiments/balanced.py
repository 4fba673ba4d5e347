"""Test sets of utterances on which annotation and model agree, balanced over speakers and emotions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.predictions import Predictions
from emobox_hf.corpora.sampling import BALANCED_PER_EMOTION, OTHER_EMOTION, SpeakerBalancedSet, draw_speaker_balanced
from emobox_hf.corpora.utterance_sets import write_set
from emobox_hf.errors import InputError

NO_PREDICTION, DISAGREEMENT = "no prediction", "annotation and prediction disagree"
NOBODY = "(not known)"


@dataclass(frozen=True)
class AgreedSet:
    """A speaker-balanced set of utterances on which annotation and model agree.

    Attributes:
        drawn: The set.
        dropped: Why each other utterance of the corpus is not in it, by key.
        made_from: How it was drawn, for its file.
    """

    drawn: SpeakerBalancedSet
    dropped: dict[str, str]
    made_from: dict[str, Any]


def draw_agreed_set(
    manifest: Manifest,
    predictions: Predictions,
    *,
    emotions: Sequence[str] = SHARED_EMOTIONS,
    per_emotion: int = BALANCED_PER_EMOTION,
    n_speakers: int | None = None,
    seed: int = 0,
) -> AgreedSet:
    """A speaker-balanced set of the utterances whose annotation is the emotion that a model finds likeliest.

    Raises:
        InputError: The corpus lacks an emotion, the model cannot tell one, or too few utterances are left.
    """
    spec = manifest.spec
    if lacking := [emotion for emotion in emotions if emotion not in spec.emotions]:
        raise InputError(
            f"{spec.name} has no label {', '.join(lacking)}: its labels are {', '.join(spec.emotions)}; name others "
            "with --emotions"
        )
    if unknown := [emotion for emotion in emotions if emotion not in predictions.emotions]:
        raise InputError(
            f"there are no predictions of {', '.join(unknown)}, so nothing can agree with it; found those of "
            f"{', '.join(predictions.emotions)}; name others with --emotions, or map the model's labels with --map"
        )
    chosen = predictions.choose(spec.emotions)
    dropped: dict[str, str] = {}
    agreed = []
    for u in manifest.utterances:
        if u.emotion not in emotions:
            dropped[u.key] = OTHER_EMOTION
        elif u.key not in chosen:
            dropped[u.key] = NO_PREDICTION
        elif chosen[u.key] != u.emotion:
            dropped[u.key] = DISAGREEMENT
        else:
            agreed.append(u)
    try:
        drawn = draw_speaker_balanced(agreed, emotions, per_emotion=per_emotion, n_speakers=n_speakers, seed=seed)
    except InputError as error:
        raise InputError(
            f"{spec.name}, {len(agreed)} utterances that annotation and prediction agree on: {error}"
        ) from error
    dropped |= drawn.left_out
    made_from = {
        "version": spec.version,
        "spec_sha256": spec.digest,
        "emotions": list(emotions),
        "asked": {"per_emotion": per_emotion, "speakers": n_speakers, "seed": seed},
        "drawn": {"speakers": list(drawn.speakers), "of_each_speaker_and_emotion": drawn.n_each},
        "predictions": {**predictions.made_from, "file_sha256": predictions.sha256},
        "dropped": count_dropped(manifest, dropped),
    }
    return AgreedSet(drawn, dropped, made_from)


def count_dropped(manifest: Manifest, dropped: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """How many utterances were dropped for each reason, by emotion and by speaker."""
    found = [(dropped[u.key], u.emotion, u.speaker or NOBODY) for u in manifest.utterances if u.key in dropped]
    table = {}
    for reason in sorted({reason for reason, _, _ in found}):
        own = [(emotion, speaker) for why, emotion, speaker in found if why == reason]
        table[reason] = {
            "utterances": len(own),
            "by_emotion": dict(sorted(Counter(emotion for emotion, _ in own).items())),
            "by_speaker": dict(sorted(Counter(speaker for _, speaker in own).items())),
        }
    return table


def write_agreed_set(path: Path, manifest: Manifest, agreed: AgreedSet) -> str:
    """Write a set's file, whole or not at all, and give the digest of its keys."""
    return write_set(path, manifest.spec.name, agreed.drawn.keys, agreed.made_from)
