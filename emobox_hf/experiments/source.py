"""A corpus as an experiment uses it: its utterances, what identifies their sound, and how long they are."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from emobox_hf.audio import read_info, read_utterance
from emobox_hf.corpora.folds import Partition, ValidationRule, partition
from emobox_hf.corpora.manifest import Manifest, build_manifest
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.traits import Columns, make_columns
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, MissingPackageError
from emobox_hf.memo import look_up
from emobox_hf.results import AudioSettings, CorpusSettings

if TYPE_CHECKING:
    from emobox_hf.features import Clip

SAMPLE_BYTES = 65_536


@dataclass(frozen=True)
class Source:
    """A corpus on disk.

    Attributes:
        manifest: Its utterances.
        folds_dir: Where EmoBox's lists are, if the user named a folder.
        audio_sha256: Digest of what is heard: keys, contents, segment bounds and the channel rule, not of any place.
    """

    manifest: Manifest
    folds_dir: Path | None
    audio_sha256: str

    @property
    def spec(self) -> CorpusSpec:
        """The corpus's specification."""
        return self.manifest.spec

    @property
    def settings(self) -> CorpusSettings:
        """What a record says of it."""
        return CorpusSettings(
            name=self.spec.name,
            version=self.spec.version,
            spec_sha256=self.spec.digest,
            audio_sha256=self.audio_sha256,
            missing=tuple(sorted(self.manifest.missing)),
            n_absent=self.manifest.n_absent,
        )

    def partition(self, config: str, validation: ValidationRule | None = None) -> Partition:
        """The splits of one configuration, see `corpora.folds.partition`."""
        return partition(self.manifest, config, folds_dir=self.folds_dir, validation=validation)

    def columns(self, trait: str) -> Columns:
        """A trait of every utterance of the corpus, in whatever fold, see `corpora.traits.make_columns`."""
        return make_columns(self.spec, self.manifest.utterances, trait)


def open_source(spec: CorpusSpec, data_dir: Path | None, folds_dir: Path | None, *, allow_missing: bool) -> Source:
    """The corpus found in `data_dir`, or where `corpora.manifest.find_corpus` looks.

    Raises:
        InputError: It is not there, or utterances are missing and `allow_missing` is not set.
    """
    manifest = build_manifest(spec, data_dir, folds_dir=folds_dir, allow_missing=allow_missing)
    return Source(manifest, folds_dir, _digest_audio(manifest))


def read_durations(manifest: Manifest, utterances: Sequence[Utterance]) -> list[float | InputError]:
    """Length of each utterance in seconds, by its table or its file's header; the error where that cannot be read.

    Raises:
        OSError: A file cannot be opened for a reason that is not its contents.
        MissingPackageError: A package that reads one is not installed.
    """
    whole = sorted({u.path for u in utterances if u.start_s is None or u.end_s is None})
    headers = look_up("duration", manifest.root, whole, lambda path: repr(read_info(path).duration_s))
    durations: list[float | InputError] = []
    for utterance in utterances:
        if utterance.start_s is not None and utterance.end_s is not None:
            durations.append(utterance.end_s - utterance.start_s)
            continue
        header = headers[utterance.path]
        if isinstance(header, OSError | MissingPackageError):
            raise header
        durations.append(header if isinstance(header, InputError) else float(header))
    return durations


def list_clips(
    source: Source, utterances: Sequence[Utterance], audio: AudioSettings, *, trait: str | None = None
) -> "tuple[list[Clip], dict[str, str]]":
    """The utterances as clips to encode, and key and reason of those that are too long or, under `skip`, broken.

    With a trait a clip is read as its one-hot row in place of its sound, which is not decoded: a file whose header is
    whole is not known to be broken then.

    Raises:
        InputError: A file's header cannot be read and `on_error` is `stop`.
    """
    from emobox_hf.encoders.baselines.backbones import one_hot
    from emobox_hf.features import Clip

    columns = source.columns(trait) if trait else None
    spec, root = source.spec, source.manifest.root
    clips, left_out = [], {}
    for utterance, duration_s in zip(utterances, read_durations(source.manifest, utterances), strict=True):
        if isinstance(duration_s, InputError):
            if audio.on_error == "stop":
                raise refuse_clip(utterance.key, duration_s) from duration_s
            left_out[utterance.key] = str(duration_s)
        elif too_long := audio.refuse_length(duration_s):
            left_out[utterance.key] = too_long
        elif columns:
            row = partial(one_hot, columns.column_of.get(utterance.key), len(columns.values))
            clips.append(Clip(utterance.key, duration_s, row))
        else:
            read = partial(read_utterance, spec, root, utterance, resampler=audio.resampler)
            clips.append(Clip(utterance.key, duration_s, read))
    return clips, left_out


def refuse_clip(key: str, error: InputError) -> InputError:
    """An error for a clip that cannot be read, with what to do about it."""
    return InputError(
        f"utterance {key}: {error}. Mend or replace the file, or leave such clips out with --on-error skip, which "
        "names them in what is written"
    )


def _digest_audio(manifest: Manifest) -> str:
    paths = sorted({u.path for u in manifest.utterances})
    samples = look_up("sample", manifest.root, paths, _sample_file)
    digest = hashlib.sha256(json.dumps(manifest.spec.audio.channels, sort_keys=True).encode())
    for u in manifest.utterances:
        sample = samples[u.path]
        if not isinstance(sample, str):
            raise sample
        digest.update(f"{u.key} {sample} {u.start_s} {u.end_s}\n".encode())
    return digest.hexdigest()


def _sample_file(path: Path) -> str:
    """Digest of a file's size and of its bytes, all of a short one, start, middle and end of a long one.

    A corpus that is filtered, re-encoded or swapped changes everywhere; to read 100 GB before each run would be
    too much.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        starts = [0] if size <= 3 * SAMPLE_BYTES else [0, (size - SAMPLE_BYTES) // 2, size - SAMPLE_BYTES]
        for start in starts:
            file.seek(start)
            digest.update(file.read(3 * SAMPLE_BYTES if len(starts) == 1 else SAMPLE_BYTES))
    return digest.hexdigest()
