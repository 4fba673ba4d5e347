"""What a run will be: the corpus, its folds, the encoder and every setting, decided from files alone."""

import dataclasses
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emobox_hf import __version__
from emobox_hf.corpora.folds import ALL, Partition, check_config, list_folds, list_si_folds, partition
from emobox_hf.corpora.manifest import Manifest, build_manifest
from emobox_hf.corpora.spec import CorpusSpec, load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.encoders.fetch import fetched_encoder
from emobox_hf.encoders.identity import EncoderIdentity, identify
from emobox_hf.errors import InputError
from emobox_hf.experiments.request import ProbeRequest
from emobox_hf.probes.settings import ProbeSettings
from emobox_hf.results import is_finished, run_folder

N_READERS = 8  # files read at once: they are many and small, and disks and networks answer several as fast as one
SAMPLE_BYTES = 65_536


@dataclass(frozen=True)
class Plan:
    """A run, decided: what is read, how it is encoded and probed, and where the results go."""

    request: ProbeRequest
    manifest: Manifest
    partitions: tuple[Partition, ...]
    identity: EncoderIdentity
    probe: ProbeSettings
    settings: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return run_folder(self.request.output, self.settings)

    @property
    def is_finished(self) -> bool:
        """Whether the run is done and is not to be done again."""
        return is_finished(self.folder) and not self.request.overwrite

    @property
    def utterances(self) -> list[Utterance]:
        """Every utterance of any split of the folds, in key order."""
        used = {u.key for part in self.partitions for split in part.splits.values() for u in split}
        return [u for u in self.manifest.utterances if u.key in used]


def plan_run(request: ProbeRequest) -> Plan:
    """Find the corpus, its folds and the encoder, check every option, and name the run; loads no model.

    Raises:
        InputError: Anything the user asked for does not exist or does not fit.
    """
    spec = load_spec(request.corpus)
    folds = _choose_folds(spec, request.folds)
    probe = ProbeSettings(
        head=request.head,
        seeds=request.seeds,
        epochs=request.epochs,
        warmup_epochs=min(ProbeSettings().warmup_epochs, request.epochs - 1),
    )
    identity = identify(str(fetched_encoder(request.encoder) or request.encoder), revision=request.revision)
    manifest = build_manifest(
        spec, request.data_dir, folds_dir=request.folds_dir, allow_missing=request.on_error == "skip"
    )
    partitions = tuple(partition(manifest, fold, folds_dir=request.folds_dir) for fold in folds)
    settings = {
        "experiment": "intra-corpus",
        "package": __version__,
        "corpus": {
            "name": spec.name,
            "version": spec.version,
            "spec_sha256": spec.digest,
            "audio_sha256": _digest_audio(manifest),
            "folds": list(folds),
            "missing": sorted(manifest.missing) or manifest.n_absent,
            "on_error": request.on_error,
        },
        "encoder": {
            "name": _name_encoder(identity),
            "identity": identity.key,
            "layer": request.layer,
            "context": request.context,
            "mixed_precision": request.mixed_precision,
        },
        "audio": {
            "resampler": request.resampler,
            "max_duration_s": request.max_duration_s if math.isfinite(request.max_duration_s) else None,
        },
        "features": {"storage_dtype": request.storage_dtype, "output_norm": request.output_norm},
        "probe": _used_settings(probe),
    }
    plan = Plan(request, manifest, partitions, identity, probe, settings)
    for folder in (plan.folder.parent, request.features):
        _check_writable(folder)
    return plan


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before hours of work end there."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}; give another --output or --features") from error


def _choose_folds(spec: CorpusSpec, asked: Sequence[str]) -> tuple[str, ...]:
    """The folds asked for, each once; the published ones by default, and `si` for all speaker-independent ones."""
    names = [name for word in asked for name in (list_si_folds(spec) if word == "si" else [word])]
    if asked and not names:
        raise InputError(
            f"{spec.name} has no speaker-independent folds: it has {spec.expected.speakers} known speakers"
        )
    for name in names:
        check_config(spec, name)
    if ALL in names:
        raise InputError(f"{ALL!r} has no test part; name folds, such as fold1")
    return tuple(dict.fromkeys(names or list_folds(spec)))


def _used_settings(probe: ProbeSettings) -> dict[str, Any]:
    """The probe's settings as plain JSON; those that its head does not use are left out, so they name no other run."""
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(probe)))
    unused = {
        "emobox": ("regularisation", "standardize", "refit", "max_iterations"),
        "linear": ("seeds", "hidden_dim", "epochs", "warmup_epochs", "batch_size", "learning_rates"),
    }
    return {name: value for name, value in table.items() if name not in unused[probe.head]}


def _digest_audio(manifest: Manifest) -> str:
    """Digest of what is heard: keys, contents, segment bounds and the channel rule, but not where the files lie."""
    paths = sorted({u.path for u in manifest.utterances})
    with ThreadPoolExecutor(N_READERS) as readers:
        contents = dict(zip(paths, readers.map(lambda path: _sample_file(manifest.root / path), paths), strict=True))
    digest = hashlib.sha256(json.dumps(manifest.spec.audio.channels, sort_keys=True).encode())
    for u in manifest.utterances:
        digest.update(f"{u.key} {contents[u.path]} {u.start_s} {u.end_s}\n".encode())
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


def _name_encoder(identity: EncoderIdentity) -> str:
    """What tables call an encoder: its Hub id, or the name of its folder."""
    return identity.name if identity.revision else Path(identity.name).expanduser().resolve().name
