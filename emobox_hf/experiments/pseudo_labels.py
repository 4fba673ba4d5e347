"""Pseudo-labels: what an audio classifier says of every utterance of a corpus."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from emobox_hf.corpora.predictions import Predictions, write_probabilities
from emobox_hf.corpora.synonyms import map_labels
from emobox_hf.encoders.known.identity import EncoderIdentity, identify
from emobox_hf.encoders.known.table import find_known
from emobox_hf.errors import InputError
from emobox_hf.experiments.launch import find_place
from emobox_hf.experiments.source import Source, list_clips, refuse_clip
from emobox_hf.files import check_writable, whole_file
from emobox_hf.progress import progress
from emobox_hf.results import AudioSettings
from emobox_hf.sources.fetch_encoder import cached_encoder

if TYPE_CHECKING:
    from emobox_hf.encoders.classifier import Classifier
    from emobox_hf.features.decoding import Clip

BATCH_S = 60.0


@dataclass(frozen=True)
class Mapped:
    """Which of a model's labels stand for which of a corpus's emotions.

    Attributes:
        emotion_of: The emotion of each label that is used; several labels of one emotion add up.
        unused: Labels that name no emotion, or one that the corpus lacks.
        lacking: Emotions of the corpus that the model cannot tell.
    """

    emotion_of: dict[str, str]
    unused: tuple[str, ...]
    lacking: tuple[str, ...]

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that the model can tell."""
        return tuple(dict.fromkeys(self.emotion_of.values()))


def match_labels(labels: Sequence[str], emotions: Sequence[str], given: Mapping[str, str] | None = None) -> Mapped:
    """Which of a model's labels stand for which of a corpus's emotions, by `corpora.synonyms` and by what is `given`.

    Raises:
        InputError: Fewer than two of the emotions are among the labels, or `given` does not fit.
    """
    found = map_labels(labels, given)
    used = {label: emotion for label, emotion in found.items() if emotion in emotions}
    matched = set(used.values())
    if len(matched) < 2:
        raise InputError(
            f"two or more of the corpus's emotions ({', '.join(emotions)}) have to be among the model's labels, found "
            f"{', '.join(sorted(matched)) or 'none'} in {', '.join(labels)}. If the model's card says what they mean, "
            f"say it: --map {labels[0]}={emotions[0]} …"
        )
    # In the corpus's order of emotions.
    ordered = dict(sorted(used.items(), key=lambda pair: emotions.index(pair[1])))
    unused = tuple(label for label in labels if label not in used)
    return Mapped(ordered, unused, tuple(emotion for emotion in emotions if emotion not in matched))


def label_corpus(
    source: Source,
    model: str,
    out: Path,
    *,
    revision: str | None = None,
    given: Mapping[str, str] | None = None,
    batch_s: float = BATCH_S,
    n_workers: int | None = None,
    max_duration_s: float = 30.0,
    on_error: Literal["stop", "skip"] = "stop",
) -> tuple[Predictions, Mapped]:
    """Write the predictions of a model for every utterance of a corpus to `out`, whole or not at all.

    Args:
        source: The corpus.
        model: A short name, a Hub id or a folder that `AutoModelForAudioClassification` loads.
        out: A Parquet file, see `corpora.predictions`.
        revision: Of a model on the Hub.
        given: Emotions of labels, before the written rule.
        batch_s: Seconds of padded audio in a batch.
        n_workers: Processes that decode ahead of the model; None for what suits the machine.
        max_duration_s: Longer clips get no prediction.
        on_error: Whether a clip that cannot be read stops the work, or gets no prediction.

    Raises:
        InputError: The model cannot be loaded, its labels are not the corpus's, or a clip cannot be read.
        OSError: `out` cannot be written, known before any work.
    """
    from emobox_hf.encoders.classifier import load_classifier

    identity = identify(str(cached_encoder(model) or model), revision=revision)
    check_writable(out)  # the file itself is begun when all is known, so that a process that is killed leaves none
    with progress(f"load {model}", only="lines"):
        classifier = load_classifier(identity, device=find_place().device)
    mapped = match_labels(classifier.labels, source.spec.emotions, given)
    utterances = source.manifest.utterances
    audio = AudioSettings(max_duration_s=max_duration_s, on_error=on_error)
    clips, reasons = list_clips(source, utterances, audio)
    rows: dict[str, NDArray[np.float32]] = {}
    for clip, outcome in _predict(classifier, clips, batch_s, n_workers):
        if not isinstance(outcome, InputError):
            rows[clip.key] = outcome
        elif on_error == "skip":
            reasons[clip.key] = str(outcome)
        else:
            raise refuse_clip(clip.key, outcome)
    keys = tuple(u.key for u in utterances)
    empty = np.full(len(classifier.labels), np.nan, dtype=np.float32)
    all_labels = np.stack([rows.get(key, empty) for key in keys])  # (utterances, labels)
    probabilities = _add_up(all_labels, classifier.labels, mapped)
    made_from = _describe(source, identity, mapped)
    predictions = Predictions(keys, mapped.emotions, probabilities, reasons, made_from)
    rest = all_labels[:, [classifier.labels.index(label) for label in mapped.unused]].sum(axis=1)
    rest[np.isnan(probabilities).any(axis=1)] = np.nan
    with whole_file(out) as part:
        write_probabilities(predictions, part, corpus_emotions=source.spec.emotions, rest=rest)
    return predictions, mapped


def _describe(source: Source, identity: EncoderIdentity, mapped: Mapped) -> dict[str, object]:
    """What a file of predictions says of itself."""
    name = identity.display_name
    known = find_known(name)
    return {
        "corpus": source.spec.name,
        "audio_sha256": source.audio_sha256,
        "model": name,
        "identity": identity.key,
        "labels": mapped.emotion_of,
        "unused_labels": list(mapped.unused),
        "lacking_emotions": list(mapped.lacking),
        "trained_on_corpus": known is not None and source.spec.name in known.trained_on,
    }


def _predict(
    classifier: "Classifier", clips: "Sequence[Clip]", batch_s: float, n_workers: int | None
) -> "Iterator[tuple[Clip, NDArray[np.float32] | InputError]]":
    """Each clip with float32 (labels,), or with why it has none; in batches, longest clips first."""
    from emobox_hf.features.batching import make_batches
    from emobox_hf.features.decoding import decode_ahead
    from emobox_hf.features.passes import Passes

    durations_s = [clip.duration_s for clip in clips]
    batches = [[clips[index] for index in batch] for batch in make_batches(durations_s, batch_s=batch_s)]
    passes = Passes(lambda waveforms: list(classifier.predict(waveforms)))  # a row a waveform
    with progress("label", total=round(sum(durations_s)), unit=" s of audio") as advance:
        for batch in decode_ahead(batches, n_workers=n_workers):
            for clip, sound in batch:
                if isinstance(sound, InputError):
                    yield clip, sound
            readable = [(clip, sound) for clip, sound in batch if not isinstance(sound, InputError)]
            for part, outcome in passes.run(readable):
                if isinstance(outcome, InputError):
                    yield part[0], outcome
                else:
                    yield from zip(part, outcome, strict=True)
            advance(sum(clip.duration_s for clip, _ in batch))


def _add_up(rows: NDArray[np.float32], labels: Sequence[str], mapped: Mapped) -> NDArray[np.float32]:
    """Probabilities (utterances, emotions) from those of labels (utterances, labels): sums over synonyms."""
    membership = np.zeros((len(labels), len(mapped.emotions)), dtype=np.float32)
    for label, emotion in mapped.emotion_of.items():
        membership[labels.index(label), mapped.emotions.index(emotion)] = 1
    summed: NDArray[np.float32] = np.minimum(rows @ membership, 1)
    return summed


def describe_mapping(mapped: Mapped) -> list[str]:
    """Lines for people: which label is which emotion, what is left over on either side."""
    lines = [", ".join(f"{label} is {emotion}" for label, emotion in mapped.emotion_of.items())]
    if mapped.unused:
        lines.append(f"labels of the model that are not used: {', '.join(mapped.unused)}")
    if mapped.lacking:
        lines.append(f"emotions of the corpus that the model cannot tell: {', '.join(mapped.lacking)}")
    return lines
