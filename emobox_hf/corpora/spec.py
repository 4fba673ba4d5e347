"""CorpusSpec: a corpus as data, read from `specs/<corpus>.toml`; `specs/README.md` explains each field."""

import dataclasses
import hashlib
import json
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emobox_hf.corpora.braces import expand_braces
from emobox_hf.corpora.download_source import DownloadSource, check_download_source
from emobox_hf.corpora.labels import EMOTIONS
from emobox_hf.corpora.synonyms import map_label
from emobox_hf.corpora.templates import fields_of, find_fault
from emobox_hf.dataclass_reader import read_as
from emobox_hf.errors import InputError, first_five, suggest
from emobox_hf.files import read_toml

SPECS_DIR = Path(__file__).parent / "specs"


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A file of labels that comes with the corpus, a row an utterance; its columns make each row's audio path and key.

    `other_extensions` are tried where no file has the template's. `records` says where the rows are in a JSON file.
    """

    file: str
    audio: str
    key: str
    split: str | None = None
    other_extensions: tuple[str, ...] = ()
    records: str | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """A second table that adds columns: those of its row whose `column` equals the first table's `on`."""

    file: str
    column: str
    on: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """How utterances are found; which fields are used depends on `strategy`."""

    strategy: str
    pattern: str | None = None
    key: str | None = None
    key_replace: Mapping[str, str] = dataclasses.field(default_factory=dict)
    speaker: str | None = None
    no_speaker: tuple[str, ...] = ()
    text: str | None = None
    encoding: str = "utf-8"
    separator: str = ","
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tables: tuple[LabelTable, ...] = ()
    joins: tuple[Join, ...] = ()
    splits: Mapping[str, str] = dataclasses.field(default_factory=dict)
    split_by: str | None = None
    split_lists: Mapping[str, str] = dataclasses.field(default_factory=dict)
    skip: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """Sizes and digests (`files.sha256_of_keys`) of one fold that EmoBox published; None where it has no such list."""

    test: int
    test_sha256: str
    train: int | None = None
    train_sha256: str | None = None
    validation: int | None = None
    validation_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Folds:
    """Where folds come from: `speakers` (test speakers a fold), `split` (the corpus's own parts), `list`, or `rule`.

    `rule` is EmoBox's partition rule for a corpus that EmoBox has not split; `count` is how many folds it gives.
    """

    source: str = "rule"
    published: tuple[Published, ...] = ()
    count: int = 0
    test_speakers: tuple[tuple[str, ...], ...] = ()
    splits: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BalancedList:
    """EmoBox's own cross-corpus test set: a file in its `track2` folder, and how its names become keys.

    `pattern` is matched with a row's `wav_filename`; `keys` are templates over its groups. Of the utterances they name,
    those of the row's emotion fit; one of the row's speaker goes first, then the order of the templates decides.
    """

    file: str
    pattern: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DrawnFolds:
    """What partitions that this project draws need to know, and digests of their test keys.

    `si_folds` is their number where it is not one a speaker, ten at most: the largest for which every test part can
    have every class, or the number of sessions. `si_keeps` names the occasion whose speakers stay together, such as
    `session`. `published` is EmoBox's own cross-corpus test set where it drew one.
    """

    si_folds: int = 0
    si_keeps: str = ""
    si_sha256: tuple[str, ...] = ()
    cross_corpus_sha256: str | None = None
    published: BalancedList | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a complete copy holds.

    `keys` are brace patterns of all keys, where the corpus is such a grid, `keys_sha256` the digest of all keys
    (`files.sha256_of_keys`) where that is known otherwise. `aliases` are keys that copies of the corpus on other sites
    give, and the published keys they stand for.
    """

    utterances: int
    speakers: int
    keys: tuple[str, ...] = ()
    keys_sha256: str = ""
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OtherRelease:
    """A release of the corpus that EmoBox's lists do not fit: how it is recognised, and which is needed instead.

    `sign` is the end of a path that only it has, `is_of` says which it is, `needed` which one to get.
    """

    sign: str
    is_of: str
    needed: str


@dataclass(frozen=True, slots=True)
class Audio:
    """Which channel of a file is used: `channels`, number of channels = channel from 1; else the first."""

    channels: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Example:
    """A row of the corpus from which tests make a fake copy."""

    path: str
    key: str
    raw_emotion: str
    speaker: str | None = None
    text: str | None = None
    split: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    language: str | None = None
    gender: str | None = None
    extras: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CorpusSpec:
    """A corpus as data. `labels` maps every raw code that is used to an EmoBox label, `labels_left_out` to a reason."""

    name: str
    title: str
    version: str
    languages: tuple[str, ...]
    discovery: Discovery
    labels: Mapping[str, str]
    expected: Expected
    folds: Folds = dataclasses.field(default_factory=Folds)
    homepage: str = ""
    licence: str = "not stated"
    access: str = "form"
    obtain: str = ""
    citation: str = ""
    source: str = ""
    tree: str = ""
    labels_left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    genders: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    speaker_languages: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    occasions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    drawn: DrawnFolds = dataclasses.field(default_factory=DrawnFolds)
    audio: Audio = dataclasses.field(default_factory=Audio)
    fetch: DownloadSource | None = None
    by_hand: str = ""
    notes: tuple[str, ...] = ()
    other_releases: tuple[OtherRelease, ...] = ()
    file: str = dataclasses.field(default="", compare=False)  # of a corpus of one's own, as the user named it
    examples: tuple[Example, ...] = ()

    @property
    def name_or_file(self) -> str:
        """What the corpus is called on the command line: its name, or the file of a corpus of one's own."""
        return self.file or self.name

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes, in the order of the EmoBox vocabulary."""
        used = set(self.labels.values())
        return tuple(emotion for emotion in EMOTIONS if emotion in used)

    @property
    def gender_of(self) -> Mapping[str, str]:
        """Gender by speaker, or by the corpus's own code of a gender, where the spec tells it."""
        return _invert(tuple(self.genders.items()))

    @property
    def language_of(self) -> Mapping[str, str]:
        """Language by speaker, in a corpus of several languages."""
        return _invert(tuple(self.speaker_languages.items()))

    @property
    def extra_names(self) -> tuple[str, ...]:
        """The names of an utterance's `extras`, sorted: pattern groups and columns that are no field of a row."""
        groups = re.compile(self.discovery.pattern or "").groupindex
        names = {*groups, *self.discovery.columns} - {*ROW_FIELDS}
        return tuple(sorted(name for name in names if not name.startswith("_")))

    @property
    def channels(self) -> dict[int, int]:
        """Which channel of a file is used, from 1, by the file's number of channels."""
        return {int(count): channel for count, channel in self.audio.channels.items()}

    @property
    def digest(self) -> str:
        """SHA-256 of everything that shapes a row; changes when keys, labels, folds or the channel rule do."""
        shaping = (
            *("name", "version", "languages", "discovery", "labels", "labels_left_out"),
            *("texts", "genders", "speaker_languages", "folds", "drawn", "audio"),
        )
        table = dataclasses.asdict(self)
        return hashlib.sha256(json.dumps([table[name] for name in shaping], sort_keys=True).encode()).hexdigest()


ACCESS = {"open": "open", "form": "on request (form or licence agreement)", "paid": "paid"}
FOLD_SOURCES = ("speakers", "split", "list", "rule")
STRATEGY_NAMES = ("paths", "tables", "json", "iemocap", "segments")  # the keys of discovery.STRATEGIES
# What a pattern's group or a column can be called to fill a field of Utterance; any other name is one of its extras.
ROW_FIELDS = ("emotion", "speaker", "gender", "language", "text", "split")


def list_corpora() -> list[str]:
    """The names of all corpora, sorted."""
    return sorted(path.stem for path in SPECS_DIR.glob("*.toml"))


def load_spec(name: str) -> CorpusSpec:
    """The spec of a corpus by its name, such as `iemocap`, or of one's own by the path of its file, `./mine.toml`.

    Raises:
        InputError: No corpus has this name, or its spec has an unknown, missing or mistyped field.
    """
    if name.endswith(".toml"):
        return dataclasses.replace(read_spec(Path(name).expanduser()), file=name)
    return _load_known(name)


@cache
def _load_known(name: str) -> CorpusSpec:
    if name not in list_corpora():
        raise InputError(
            f"no corpus named {name!r}{suggest(name, list_corpora())}; one of your own is named by its file, "
            "./mine.toml"
        )
    return read_spec(SPECS_DIR / f"{name}.toml")


def read_spec(path: Path) -> CorpusSpec:
    """The spec in one TOML file, checked field by field."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; a spec in TOML was expected, as specs/README.md explains")
    spec: CorpusSpec = read_as(CorpusSpec, read_toml(path), str(path))
    _check(spec, path)
    return spec


def _check(spec: CorpusSpec, path: Path) -> None:
    def refuse(message: str) -> typing.NoReturn:
        raise InputError(f"{path}: {message}")

    if spec.file:
        refuse("unknown field 'file'")
    if spec.name != path.stem:
        refuse(f"name is {spec.name!r}, expected the file's name, {path.stem!r}")
    if spec.access not in ACCESS:
        refuse(f"access is {spec.access!r}, expected one of {', '.join(ACCESS)}")
    if spec.fetch is not None:
        check_download_source(spec.fetch, spec.access, spec.by_hand, refuse)
    if unknown := {code: label for code, label in spec.labels.items() if label not in EMOTIONS}:
        code, label = next(iter(unknown.items()))
        meant = map_label(label)
        hint = f"; did you mean {meant!r}?" if meant else suggest(label, EMOTIONS)
        others = f" ({len(unknown)} such labels)" if len(unknown) > 1 else ""
        listed = "" if "known: " in hint else f" Known: {', '.join(EMOTIONS)}"
        refuse(f"labels.{code} is {label!r}, which is no emotion of EmoBox's{others}{hint}{listed}")
    if both := sorted(set(spec.labels) & set(spec.labels_left_out)):
        refuse(f"raw codes both mapped and left out: {first_five(both)}")
    if spec.folds.source not in FOLD_SOURCES:
        refuse(f"folds.source is {spec.folds.source!r}, expected one of {', '.join(FOLD_SOURCES)}")
    if spec.folds.count and spec.folds.source != "rule":
        refuse("folds.count goes with folds.source = 'rule'; the others count their published folds")
    if negative := [name for name, number in _counts(spec).items() if number < 0]:
        refuse(f"{negative[0]} is negative")
    if spec.folds.source == "speakers" and len(spec.folds.test_speakers) != len(spec.folds.published):
        refuse("folds.test_speakers and folds.published differ in length")
    if spec.discovery.strategy not in STRATEGY_NAMES:
        refuse(f"discovery.strategy is {spec.discovery.strategy!r}, expected one of {', '.join(STRATEGY_NAMES)}")
    for name, pattern in _braces(spec):
        try:
            expand_braces(pattern)
        except InputError as error:
            refuse(f"{name}: {error}")
    for name, template in _templates(spec):
        if fault := find_fault(template):
            refuse(f"{name} is no template: {template!r}: {fault}")
    _check_text(spec.discovery, refuse)
    for name, pattern in spec.occasions.items():
        if not _count_groups(pattern):
            refuse(f"occasions.{name} is not a regular expression with a group: {pattern!r}")
    if spec.drawn.si_keeps and spec.drawn.si_keeps not in spec.occasions:
        known = ", ".join(spec.occasions) or "none"
        refuse(f"drawn.si_keeps is {spec.drawn.si_keeps!r}, expected one of occasions: {known}")
    if spec.drawn.published and not _count_groups(spec.drawn.published.pattern):
        refuse(f"drawn.published.pattern is not a regular expression with a group: {spec.drawn.published.pattern!r}")
    n_speakers = spec.expected.speakers
    if spec.drawn.si_folds and not 2 <= spec.drawn.si_folds <= n_speakers:
        refuse(f"drawn.si_folds is {spec.drawn.si_folds}, expected 2 to {n_speakers}, the number of speakers")
    if spec.discovery.strategy == "paths":
        _check_pattern(spec.discovery, refuse)
    elif spec.discovery.strategy != "iemocap" and not spec.discovery.tables:
        refuse(f"discovery.strategy is {spec.discovery.strategy!r}, but there are no discovery.tables")
    if spec.discovery.strategy in ("tables", "json") and "emotion" not in spec.discovery.columns:
        refuse("discovery.columns has no 'emotion'")
    if spec.discovery.strategy == "json" and any(table.records is None for table in spec.discovery.tables):
        refuse("discovery.strategy is 'json', so every one of discovery.tables needs 'records'")


def _counts(spec: CorpusSpec) -> dict[str, int]:
    """Every number of a specification that counts something."""
    return {
        "expected.utterances": spec.expected.utterances,
        "expected.speakers": spec.expected.speakers,
        "folds.count": spec.folds.count,
        "drawn.si_folds": spec.drawn.si_folds,
        **{f"folds.published[{i}].test": published.test for i, published in enumerate(spec.folds.published)},
    }


def _braces(spec: CorpusSpec) -> list[tuple[str, str]]:
    """Every brace pattern of a specification, with its place."""
    named = {"genders": spec.genders, "speaker_languages": spec.speaker_languages}
    return [("expected.keys", pattern) for pattern in spec.expected.keys] + [
        (f"{field}.{name}", pattern)
        for field, lists in named.items()
        for name, patterns in lists.items()
        for pattern in patterns
    ]


def _templates(spec: CorpusSpec) -> list[tuple[str, str]]:
    """Every template of a specification, with its place."""
    discovery, balanced = spec.discovery, spec.drawn.published
    found = [(f"discovery.{name}", getattr(discovery, name) or "") for name in ("key", "speaker", "text")]
    for i, table in enumerate(discovery.tables):
        found += [(f"discovery.tables[{i}].{name}", getattr(table, name) or "") for name in ("audio", "key", "records")]
    if discovery.strategy == "json":
        found += [(f"discovery.columns.{name}", way) for name, way in discovery.columns.items()]
    return found + [("drawn.published.keys", template) for template in (balanced.keys if balanced else ())]


def _check_text(discovery: Discovery, refuse: Callable[[str], typing.NoReturn]) -> None:
    """Refuse what no text file of a corpus can be read by."""
    try:
        b"a".decode(discovery.encoding)
    except (LookupError, ValueError) as error:
        if not isinstance(error, UnicodeError):  # one byte is no text in UTF-16
            refuse(f"discovery.encoding is {discovery.encoding!r}, expected one of text, such as utf-8 or latin-1")
    if len(discovery.separator) != 1 or discovery.separator in '\r\n"':
        refuse(f"discovery.separator is {discovery.separator!r}, expected one character, such as , or ; or |")


def _count_groups(pattern: str) -> int:
    try:
        return _compile(pattern).groups
    except ValueError:
        return 0


def _compile(pattern: str) -> re.Pattern[str]:
    """A regular expression, compiled.

    Raises:
        ValueError: It is none, or is nested too deep; the message says what is wrong.
    """
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _check_pattern(discovery: Discovery, refuse: Callable[[str], typing.NoReturn]) -> None:
    try:
        groups = set(_compile(discovery.pattern or "").groupindex)
    except ValueError as error:
        refuse(f"discovery.pattern is not a regular expression: {error}")
    if "emotion" not in groups:
        refuse("discovery.pattern has no group named 'emotion'")
    for name in ("key", "speaker", "text"):
        fields = set(fields_of(getattr(discovery, name) or ""))
        if unknown := sorted(fields - groups - {"file", "stem"}):
            refuse(f"discovery.{name} uses {first_five(unknown)}, which discovery.pattern has no group for")


@cache
def _invert(lists: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[str, str]:
    """Each name's value, from pairs of a value and the brace patterns of its names."""
    return {name: value for value, patterns in lists for pattern in patterns for name in expand_braces(pattern)}
