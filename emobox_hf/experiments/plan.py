"""What a run will be: its corpora, partitions, encoder and every setting, decided from files alone."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emobox_hf import __version__
from emobox_hf.corpora.configurations import (
    PUBLISHED,
    RANDOM,
    SPEAKER_INDEPENDENT,
    choose_folds,
    is_whole_kind,
    list_folds,
)
from emobox_hf.corpora.folds import Partition
from emobox_hf.corpora.sampling import thin_out
from emobox_hf.corpora.spec import CorpusSpec, load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.encoders.baselines.table import check_options, find_baseline, trait_of
from emobox_hf.encoders.known.identity import EncoderIdentity, identify
from emobox_hf.encoders.known.inputs import describe_input
from emobox_hf.errors import InputError
from emobox_hf.experiments.cross_corpus import CrossCorpus, draw_cross_corpus
from emobox_hf.experiments.mixed_precision import choose_precision
from emobox_hf.experiments.request import DataChoice, ProbeRequest
from emobox_hf.experiments.source import Source, open_source
from emobox_hf.files import check_writable
from emobox_hf.precision import AUTO, Precision
from emobox_hf.probes.heads import HEADS, Head
from emobox_hf.results import ALL_LAYERS, LAST, EncoderSettings, PartitionSettings, RunSettings, is_finished
from emobox_hf.sources.fetch_encoder import cached_encoder


@dataclass(frozen=True)
class Plan:
    """A run, decided: what is read, how it is encoded and probed, and where the results go.

    Attributes:
        request: What was asked for.
        settings: All that shapes the scores.
        sources: The corpora.
        partitions: What is trained, validated and tested on, by fold and seed; utterances may be of different sources.
        identity: Which encoder exactly.
    """

    request: ProbeRequest
    settings: RunSettings
    sources: tuple[Source, ...]
    partitions: Mapping[tuple[str, int], Partition]
    identity: EncoderIdentity

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.request.places.output / self.settings.folder

    @property
    def is_finished(self) -> bool:
        """Whether the run is done and is not to be done again."""
        return is_finished(self.folder) and not self.request.places.overwrite

    def utterances(self, source: Source) -> list[Utterance]:
        """The utterances of a source that are in any split, in key order."""
        used = {u.key for part in self.partitions.values() for split in part.splits.values() for u in split}
        return [u for u in source.manifest.utterances if u.key in used]


def plan_run(request: ProbeRequest) -> Plan:
    """Find the corpora, their folds and the encoder, check every option, and name the run; loads no model.

    Raises:
        InputError: Anything the user asked for does not exist or does not fit.
    """
    plan = _plan_cross_corpus(request) if request.data.train else _plan_intra_corpus(request)
    for folder in (plan.folder.parent, request.places.features_dir):
        _check_writable(folder)
    return plan


def resolve_encoder(
    encoder: EncoderSettings, head: Head, *, revision: str | None = None, output_norm: bool = False
) -> tuple[EncoderIdentity, EncoderSettings]:
    """Which encoder a name stands for, and its settings with the identity and the name that tables give it.

    Raises:
        InputError: There is no such encoder or layer, the head cannot take all layers, or an option has no meaning for
            a baseline.
    """
    layer = encoder.layer
    if layer not in (LAST, ALL_LAYERS) and not layer.removeprefix("-").isdigit():
        raise InputError(f"layer is 'last', 'all' or a whole number, not {layer!r}")
    if layer == ALL_LAYERS and head.reads != "vectors":
        others = " or ".join(f"--head {name}" for name, kind in HEADS.items() if kind.reads == "vectors")
        raise InputError(
            f"the {head.name} head takes the frames of one layer; probe all layers with {others}, which takes the "
            "pooled vectors that one pass gives of every layer, or name one layer"
        )
    encoder = dataclasses.replace(encoder, mixed_precision=_choose_precision(encoder))
    check_options(
        encoder.name,
        layer=layer,
        context=encoder.context,
        precision=encoder.mixed_precision,
        output_norm=output_norm,
    )
    identity = identify(str(cached_encoder(encoder.name) or encoder.name), revision=revision)
    taken = str(describe_input(identity))
    return identity, dataclasses.replace(encoder, name=identity.display_name, identity=identity.key, input=taken)


def _resolve(request: ProbeRequest) -> tuple[EncoderIdentity, EncoderSettings]:
    norm, revision = request.features.output_norm, request.places.revision
    return resolve_encoder(request.encoder, request.head, revision=revision, output_norm=norm)


def _choose_precision(encoder: EncoderSettings) -> Precision:
    """What was asked for as it will be; baselines are computed in float32 alone."""
    choice = encoder.mixed_precision
    return "no" if choice == AUTO and find_baseline(encoder.name) else choose_precision(choice)


def _plan_intra_corpus(request: ProbeRequest) -> Plan:
    data, places = request.data, request.places
    spec = load_spec(data.corpus)
    folds = choose_folds(spec, data.folds)
    identity, encoder = _resolve(request)
    source = open_source(
        spec,
        places.data_dir,
        places.folds_dir,
        allow_missing=request.audio.on_error == "skip",
    )
    if trait := trait_of(identity.name):
        # Behind a plus, which tables leave out: one baseline has other columns on every corpus.
        encoder = dataclasses.replace(encoder, identity=f"{encoder.identity}+{source.columns(trait).digest}")
    partitions = {
        (fold, seed): source.partition(fold, data.validation(seed)) for fold in folds for seed in request.head.seeds
    }
    train_size = _choose_train_size(data, source)
    if train_size is not None:
        partitions = {place: _thin_out(part, train_size, seed=place[1]) for place, part in partitions.items()}
    partition = PartitionSettings(
        name=spec.name,
        folds=folds,
        all_folds=is_whole_kind(spec, folds),
        digests=_digests(partitions),
        validation_share=data.validation_share,
        validation_by=data.validation_by,
        train_size=train_size,
        validation_draws=data.validation_draws,
        trained_labels=spec.emotions,
        scored_labels=spec.emotions,
    )
    settings = RunSettings(
        experiment="intra-corpus",
        package=__version__,
        corpora=(source.settings,),
        partition=partition,
        encoder=encoder,
        audio=request.audio,
        features=request.features,
        probe=request.head,
    )
    return Plan(request, settings, (source,), partitions, identity)


def _plan_cross_corpus(request: ProbeRequest) -> Plan:
    identity, encoder = _resolve(request)
    if trait := trait_of(identity.name):
        raise InputError(
            f"{identity.name} has a column for each {trait} of one corpus, and another corpus has others: probe it "
            "inside a corpus, with --corpus"
        )
    pair = draw_pair(request)
    name = pair.partitions[0].config
    partitions = {(name, seed): part for seed, part in zip(request.head.seeds, pair.partitions, strict=True)}
    partition = PartitionSettings(
        name=name,
        folds=(name,),
        digests=_digests(partitions),
        validation_share=request.data.validation_share,
        validation_by=request.data.validation_by,
        validation_draws=request.data.validation_draws,
        trained_labels=pair.classes,
        scored_labels=pair.scored,
        labels=request.data.labels,
        test_set=pair.test_set,
        test_set_chosen_by=pair.chosen_by,
    )
    settings = RunSettings(
        experiment="cross-corpus",
        package=__version__,
        corpora=tuple(source.settings for source in pair.sources),
        partition=partition,
        encoder=encoder,
        audio=request.audio,
        features=request.features,
        probe=request.head,
    )
    return Plan(request, settings, pair.sources, partitions, identity)


def draw_pair(request: ProbeRequest) -> CrossCorpus:
    """The partition of a cross-corpus request, see `cross_corpus.draw_cross_corpus`."""
    data, places = request.data, request.places

    def find(spec: CorpusSpec) -> Source:
        """A corpus in the folder that holds several; elsewhere it is found as always."""
        folder = places.data_dir / spec.name if places.data_dir is not None else None
        allow_missing = request.audio.on_error == "skip"
        return open_source(spec, folder, places.folds_dir, allow_missing=allow_missing)

    rules = [data.validation(seed) for seed in request.head.seeds]
    return draw_cross_corpus(
        data.train, data.test, test_set=data.test_set, labels=data.labels, find=find, validation=rules
    )


def _choose_train_size(data: DataChoice, source: Source) -> int | None:
    """How many utterances of train are used; None for all.

    Raises:
        InputError: It is neither a number from 1 nor `equal`.
    """
    if not data.train_size:
        return None
    if data.train_size == "equal":
        kinds = (PUBLISHED, SPEAKER_INDEPENDENT, RANDOM)
        every = [fold for kind in kinds for fold in list_folds(source.spec, kind)]
        return min(len(source.partition(fold, data.validation(0)).splits["train"]) for fold in every)
    if not data.train_size.isdecimal() or int(data.train_size) < 1:
        raise InputError(f"--train-size is a whole number from 1, or equal, not {data.train_size!r}")
    return int(data.train_size)


def _thin_out(part: Partition, n: int, *, seed: int) -> Partition:
    """A partition with `n` utterances of its train part.

    Raises:
        InputError: It has fewer.
    """
    train = part.splits["train"]
    if len(train) < n:
        raise InputError(f"--train-size is {n}, but {part.config} has {len(train)} utterances to train on; take fewer")
    return dataclasses.replace(part, splits={**part.splits, "train": tuple(thin_out(train, n, seed=seed))})


def _digests(partitions: Mapping[tuple[str, int], Partition]) -> dict[str, dict[str, str]]:
    """Fold -> split -> digest of its keys; where a seed draws others than the first, as `fold1 seed 3`."""
    digests: dict[str, dict[str, str]] = {}
    for (fold, seed), part in partitions.items():
        first = digests.setdefault(fold, part.digests)
        if part.digests != first:
            digests[f"{fold} seed {seed}"] = part.digests
    return digests


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before hours of work end there."""
    try:
        check_writable(folder / "any file")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}; give another --output or --features") from error
