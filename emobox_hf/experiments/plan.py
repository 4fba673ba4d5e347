"""What a run will be: its corpora, partitions, encoder and every setting, decided from files alone."""

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emobox_hf import __version__
from emobox_hf.corpora.folds import ALL, Partition, check_config, list_folds, list_si_folds
from emobox_hf.corpora.spec import CorpusSpec, load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.experiments.cross_corpus import draw_cross_corpus
from emobox_hf.experiments.encoding import Encoding, choose_encoding
from emobox_hf.experiments.random_folds import draw_random_fold, list_random_folds
from emobox_hf.experiments.request import ProbeRequest
from emobox_hf.experiments.source import Source, open_source
from emobox_hf.probes.settings import ProbeSettings
from emobox_hf.results import is_finished, run_folder


@dataclass(frozen=True)
class Plan:
    """A run, decided: what is read, how it is encoded and probed, and where the results go.

    Attributes:
        request: What was asked for.
        sources: The corpora.
        partitions: What is trained, validated and tested on; the utterances may be of different sources.
        classes: The labels that probes are trained on.
        scored: Those of them that test utterances have and predictions are chosen from.
        encoding: How sound becomes features.
        probe: How probes are trained.
        settings: All that shapes the scores, for the record.
    """

    request: ProbeRequest
    sources: tuple[Source, ...]
    partitions: tuple[Partition, ...]
    classes: tuple[str, ...]
    scored: tuple[str, ...]
    encoding: Encoding
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

    def utterances(self, source: Source) -> list[Utterance]:
        """The utterances of a source that are in any split, in key order."""
        used = {u.key for part in self.partitions for split in part.splits.values() for u in split}
        return [u for u in source.manifest.utterances if u.key in used]


def plan_run(request: ProbeRequest) -> Plan:
    """Find the corpora, their folds and the encoder, check every option, and name the run; loads no model.

    Raises:
        InputError: Anything the user asked for does not exist or does not fit.
    """
    plan = _plan_cross_corpus(request) if request.train else _plan_intra_corpus(request)
    for folder in (plan.folder.parent, request.features):
        _check_writable(folder)
    return plan


def _plan_intra_corpus(request: ProbeRequest) -> Plan:
    spec = load_spec(request.corpus)
    folds = _choose_folds(spec, request.folds)
    probe, encoding = _choose_probe(request), choose_encoding(request)
    source = open_source(spec, request.data_dir, request.folds_dir, allow_missing=request.on_error == "skip")
    settings = {
        "experiment": "intra-corpus",
        "package": __version__,
        "corpus": {**source.settings, "folds": list(folds), "all_folds": _are_all(spec, folds)},
        **encoding.settings,
        "probe": _used_settings(probe),
    }
    partitions = tuple(_partition(source, fold) for fold in folds)
    return Plan(request, (source,), partitions, spec.emotions, spec.emotions, encoding, probe, settings)


def _plan_cross_corpus(request: ProbeRequest) -> Plan:
    probe, encoding = _choose_probe(request), choose_encoding(request)
    pair = draw_cross_corpus(request)
    corpus = {"name": pair.partition.config, "test_set": pair.test_set, "labels": request.labels}
    if pair.chosen_by:
        corpus["test_set_chosen_by"] = pair.chosen_by
    settings = {
        "experiment": "cross-corpus",
        "package": __version__,
        "corpus": corpus,
        "sources": [source.settings for source in pair.sources],
        "classes": {"trained": list(pair.classes), "scored": list(pair.scored)},
        **encoding.settings,
        "probe": _used_settings(probe),
    }
    return Plan(request, pair.sources, (pair.partition,), pair.classes, pair.scored, encoding, probe, settings)


def _choose_probe(request: ProbeRequest) -> ProbeSettings:
    """The probe that a request asks for; a short training warms up for less than its length."""
    return ProbeSettings(
        head=request.head,
        seeds=request.seeds,
        epochs=request.epochs,
        warmup_epochs=min(ProbeSettings().warmup_epochs, request.epochs - 1),
        precision=request.probe_precision,
    )


def _used_settings(probe: ProbeSettings) -> dict[str, Any]:
    """The probe's settings as plain JSON; those that its head does not use are left out, so they name no other run."""
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(probe)))
    unused = {
        "emobox": ("regularisation", "standardize", "refit", "max_iterations"),
        "linear": ("seeds", "hidden_dim", "epochs", "warmup_epochs", "batch_size", "learning_rates", "precision"),
    }
    return {name: value for name, value in table.items() if name not in unused[probe.head]}


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before hours of work end there."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}; give another --output or --features") from error


def _choose_folds(spec: CorpusSpec, asked: Sequence[str]) -> tuple[str, ...]:
    """The folds asked for, each once; the published ones by default, `si` and `random` for all of their kind."""
    kinds = {"si": list_si_folds(spec), "random": list_random_folds(spec)}
    names = [name for word in asked for name in kinds.get(word, [word])]
    if asked and not names:
        raise InputError(
            f"{spec.name} has no speaker-independent folds: it has {spec.expected.speakers} known speakers"
        )
    for name in names:
        if name not in kinds["random"]:
            check_config(spec, name)
    if ALL in names:
        raise InputError(f"{ALL!r} has no test part; name folds, such as fold1")
    return tuple(dict.fromkeys(names or list_folds(spec)))


def _are_all(spec: CorpusSpec, folds: Sequence[str]) -> bool:
    """Whether no fold is left out of those of its kind."""
    kinds = map(set, (list_folds(spec), list_si_folds(spec), list_random_folds(spec)))
    return all(kind <= set(folds) for kind in kinds if kind & set(folds))


def _partition(source: Source, fold: str) -> Partition:
    is_random = fold in list_random_folds(source.spec)
    return draw_random_fold(source.manifest, fold) if is_random else source.partition(fold)
