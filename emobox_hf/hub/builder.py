"""The `datasets` builder of every corpus: one class, one configuration a fold."""

import hashlib
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

import emobox_hf
from emobox_hf.audio import encode_sound, is_exact, read_utterance
from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.manifest import Manifest, build_manifest, find_corpus
from emobox_hf.corpora.row_order import (
    list_cells,
    list_lacking,
    list_partitions,
    order_rows,
    rules_digest,
    warn_of_other_order,
)
from emobox_hf.corpora.spec import CorpusSpec, load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, suggest
from emobox_hf.files import sha256_of_keys
from emobox_hf.sampling import SAMPLE_RATE_HZ

ROWS_A_TABLE = 500
SOUND = "as encoders hear it"  # what `audio_cell` gives; another text where it gives something else
OWN_OPTIONS = ("folds_dir", "allow_missing")  # of `load_dataset`, beside those that every dataset has


@dataclass
class CorpusConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """A configuration of a corpus; `data_dir` is the corpus's folder.

    `folds_dir` is a folder of EmoBox's lists, `allow_missing` accepts a copy that lacks files.
    """

    corpus: str = ""
    folds_dir: str | None = None
    allow_missing: bool = False


def corpus_configs(corpus: str) -> list[CorpusConfig]:
    """The configurations of a corpus, each with the version of the spec; `corpus` is a name or the path of a spec."""
    spec = load_spec(corpus)
    if corpus.endswith(".toml"):
        corpus = str(Path(corpus).expanduser().resolve())  # workers may run in another folder
    return [
        CorpusConfig(
            name=name,
            version=datasets.Version(spec.version),
            description=f"{spec.title}, {name} (emobox-hf {emobox_hf.__version__})",
            corpus=corpus,
        )
        for name in list_configs(spec)
    ]


def fingerprint(spec: CorpusSpec) -> str:
    """A digest under which `datasets` caches what it built.

    It changes with the spec, which holds the digests of the published lists, with the rules that draw all other splits,
    with what a row's sound is, and with the package version.
    """
    made_of = f"{spec.digest} {rules_digest()} {SOUND} {emobox_hf.__version__}"
    return hashlib.sha256(made_of.encode()).hexdigest()


def row_features(spec: CorpusSpec) -> datasets.Features:
    """The columns of a corpus; audio is cast to mono 16 kHz when it is decoded.

    `extras` is there where the corpus says more of an utterance, in its own codes: a struct of strings.
    """
    text = datasets.Value("string")
    extras = {"extras": dict.fromkeys(spec.extra_names, text)} if spec.extra_names else {}
    return datasets.Features(
        {
            "key": text,
            "audio": datasets.Audio(sampling_rate=SAMPLE_RATE_HZ),
            "emotion": datasets.ClassLabel(names=list(spec.emotions)),
            "raw_emotion": text,
            "speaker": text,
            "gender": text,
            "language": text,
            "text": text,
            "corpus": text,
            "start_s": datasets.Value("float64"),
            "end_s": datasets.Value("float64"),
            **extras,
        }
    )


def row_table(spec: CorpusSpec, utterances: Sequence[Utterance], audio: Sequence[dict[str, Any]]) -> pa.Table:
    """The rows of some utterances as an Arrow table; nothing is encoded, so no audio library is needed to write it."""
    emotions = {emotion: index for index, emotion in enumerate(spec.emotions)}
    columns: dict[str, list[Any]] = {
        name: [getattr(utterance, name) for utterance in utterances]
        for name in ("key", "raw_emotion", "speaker", "gender", "language", "text", "start_s", "end_s")
    }
    columns["audio"] = list(audio)
    columns["emotion"] = [emotions[utterance.emotion] for utterance in utterances]
    columns["corpus"] = [spec.name] * len(utterances)
    columns["extras"] = [{name: utterance.extras.get(name) for name in spec.extra_names} for utterance in utterances]
    schema = row_features(spec).arrow_schema
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def audio_cell(spec: CorpusSpec, root: Path, utterance: Utterance, *, embed: bool = False) -> dict[str, Any]:
    """An utterance's value in the column `audio`: a path, or 16 kHz mono sound where a path would not do.

    A path does where the utterance is a whole file that every decoder reads as `read_utterance` does: whoever decodes
    the rows hears what encoders hear. The file is read in any case, so that a damaged one is no row.
    """
    path = root / utterance.path
    waveform = read_utterance(spec, root, utterance)
    if not embed and utterance.start_s is None and utterance.end_s is None and is_exact(path):
        return {"path": str(path), "bytes": None}
    suffix, content = encode_sound(waveform)
    return {"path": f"{utterance.key}{suffix}", "bytes": content}


class CorpusBuilder(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """Builds any corpus; its configurations say which. Subclasses set BUILDER_CONFIGS and nothing else."""

    BUILDER_CONFIG_CLASS = CorpusConfig

    def __init__(
        self,
        cache_dir: str | None = None,
        dataset_name: str | None = None,
        config_name: str | None = None,
        hash: str | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Find the corpus; what is built is cached under its folder, its spec and the rules that draw its splits, too.

        Raises:
            InputError: No such configuration, an option that a corpus on disk has no use for, or no corpus.
        """
        spec = load_spec(self.BUILDER_CONFIGS[0].corpus)
        _check_options(spec, config_name, kwargs)
        root = find_corpus(spec, data_dir)
        lacking = list_lacking(spec, kwargs.get("folds_dir"))
        made_of = " ".join((fingerprint(spec), *lacking))  # without their lists, rows come in another order
        self._manifest: Manifest | None = None
        if kwargs.get("allow_missing"):  # what is missing today may be there tomorrow
            self._manifest = build_manifest(spec, root, folds_dir=kwargs.get("folds_dir"), allow_missing=True)
            found = sha256_of_keys(u.key for u in self._manifest.utterances)
            made_of = f"{made_of} {found}"
        made_of = hashlib.sha256(made_of.encode()).hexdigest()
        super().__init__(cache_dir, dataset_name, config_name, made_of, data_dir=os.fspath(root), **kwargs)
        if lacking and Path(self.cache_dir).is_dir():  # built before, and the lists could not be had then
            warn_of_other_order(spec, lacking)

    def _info(self) -> datasets.DatasetInfo:
        spec = load_spec(self.config.corpus)
        return datasets.DatasetInfo(
            description=f"{spec.title}, as in EmoBox (arXiv 2406.07162), configuration {self.config.name}.",
            features=row_features(spec),
            homepage=spec.homepage,
            citation=spec.citation.strip(),
            license=spec.licence,
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        config = self.config
        manifest = self._manifest or build_manifest(
            load_spec(config.corpus), config.data_dir, folds_dir=config.folds_dir, allow_missing=config.allow_missing
        )
        self._manifest = None  # it has served; a builder is pickled for several processes
        partitions = list_partitions(manifest, folds_dir=config.folds_dir, needed=[config.name])
        cells = list_cells(partitions)
        splits = {name: order_rows(members, cells) for name, members in partitions[config.name].splits.items()}
        return [
            datasets.SplitGenerator(
                name=name,
                # a list of lists, so that num_proc and streaming can deal it out
                gen_kwargs={
                    "parts": [utterances[i : i + ROWS_A_TABLE] for i in range(0, len(utterances), ROWS_A_TABLE)]
                },
            )
            for name, utterances in splits.items()
        ]

    def _generate_tables(self, parts: Sequence[Sequence[Utterance]]) -> Iterator[tuple[str, pa.Table]]:
        spec, root = load_spec(self.config.corpus), Path(self.config.data_dir)
        for part in parts:
            audio = [audio_cell(spec, root, utterance) for utterance in part]
            yield part[0].key, row_table(spec, part, audio)

    def _save_infos(self) -> None:
        """Refuse `save_infos=True` of datasets 3.x: it writes sizes into the package, and checks all loads by them."""
        raise InputError("leave save_infos out; `emobox build` writes a folder whose card has the sizes of all splits")


def _check_options(spec: CorpusSpec, config_name: str | None, options: Mapping[str, Any]) -> None:
    """Refuse what `load_dataset` would otherwise pass over in silence, or fail at in words of its own."""
    configs = list_configs(spec)
    if config_name is None:
        raise InputError(f"{spec.name}: name a configuration, one of {', '.join(configs)}")
    if config_name not in configs:
        raise InputError(f"{spec.name} has no configuration {config_name!r}{suggest(config_name, configs)}")
    if options.get("data_files") is not None:
        raise InputError(
            f"{spec.name} finds its files by itself; leave data_files out, and give the corpus's folder as data_dir"
        )
    features = options.get("features")
    if features is not None and features != row_features(spec):
        raise InputError(
            f"the columns of {spec.name} are fixed; leave features out, and change what is loaded by select_columns, "
            "rename_column or cast_column"
        )
    of_every_builder = inspect.signature(datasets.ArrowBasedBuilder.__init__).parameters
    for name in options.keys() - of_every_builder.keys() - set(OWN_OPTIONS):
        raise InputError(
            f"load_dataset has no option {name!r} for {spec.name}{suggest(name, OWN_OPTIONS)}; a corpus takes "
            f"data_dir, {', '.join(OWN_OPTIONS)}"
        )
