"""Corpora of long recordings with a YAML list of segments beside each: `{prompt, style, text, start, end}`."""

import math
from collections.abc import Mapping
from pathlib import Path

import yaml

from emobox_hf.corpora.discovery.rows import make_utterance, map_emotion
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.templates import fill
from emobox_hf.corpora.utterance import Findings
from emobox_hf.errors import InputError, first_five

_FIELDS = ("prompt", "style", "start", "end")
# libyaml's parser is ten times faster; wheels of PyYAML carry it, a build from source may not.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """The utterances that the spec's lists of segments cut out of recordings; `table.audio` is the recording."""
    findings = Findings()
    recordings = set()
    for table in spec.discovery.tables:
        path = tree.require(table.file, "which lists the corpus's segments")
        audio = tree.find(table.audio)
        recordings.add(audio)
        for number, segment in enumerate(_read_segments(tree, path), start=1):
            where = f"{path}, segment {number},"
            key = fill(table.key, segment, f"{tree.root}: {where} the key")
            raw_emotion = segment["style"]
            emotion = map_emotion(spec, raw_emotion, where)
            if emotion is None:
                findings.left_out[key] = spec.labels_left_out[raw_emotion]
            elif audio is None:
                findings.missing[key] = table.audio
            else:
                start_s, end_s = _read_times(segment, f"{tree.root / path}, segment {number}")
                findings.utterances.append(
                    make_utterance(
                        spec,
                        key=key,
                        path=audio,
                        raw_emotion=raw_emotion,
                        emotion=emotion,
                        speaker=spec.discovery.speaker,
                        text=segment.get("text"),
                        start_s=start_s,
                        end_s=end_s,
                    )
                )
    findings.unexpected.extend(path for path in tree.audio() if path not in recordings)
    return findings


def _read_times(segment: Mapping[str, str], where: str) -> tuple[float, float]:
    try:
        start_s, end_s = float(segment["start"]), float(segment["end"])
    except ValueError as error:
        raise InputError(f"{where}: start and end are seconds: {error}") from error
    if not 0 <= start_s < end_s < math.inf:
        raise InputError(
            f"{where}: expected a start of 0 s or later and an end after it, found {start_s:g} to {end_s:g}"
        )
    return start_s, end_s


def _read_segments(tree: FileTree, path: str) -> list[dict[str, str]]:
    try:
        segments = _read_list(tree.root / path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{tree.root / path}: not YAML in UTF-8: {error}") from error
    for number, segment in enumerate(segments, start=1):
        if absent := [name for name in _FIELDS if name not in segment]:
            raise InputError(f"{tree.root / path}, segment {number}: no {first_five(absent)}")
    return segments


def _read_list(path: Path) -> list[dict[str, str]]:
    """The mappings of texts that a YAML file lists, read event by event.

    PyYAML makes objects by recursion, which a deeply nested file makes overflow, and takes what looks like a number or
    a truth value for one, where the prompt `1e3` or the text `No` should stay what it is.
    """
    segments: list[dict[str, str]] = []
    opened: list[type] = []
    n_lists = 0
    name: str | None = None
    with open(path, encoding="utf-8") as file:
        for event in yaml.parse(file, Loader=_LOADER):
            where = f"{path}, line {event.start_mark.line + 1 if event.start_mark else 0}"
            if isinstance(event, yaml.AliasEvent):
                raise InputError(f"{where}: expected segments that are written out, found an alias")
            if isinstance(event, yaml.CollectionStartEvent):
                opened.append(type(event))
                if opened == [yaml.SequenceStartEvent, yaml.MappingStartEvent]:
                    segments.append({})
                elif opened == [yaml.SequenceStartEvent] and not n_lists:
                    n_lists += 1
                else:
                    raise InputError(f"{where}: expected a list of segments, each a mapping of names to texts")
            elif isinstance(event, yaml.CollectionEndEvent):
                opened.pop()
            elif isinstance(event, yaml.ScalarEvent):
                if len(opened) < 2:
                    raise InputError(f"{where}: expected a list of segments, found the text {event.value[:40]!r}")
                if name is None:
                    name = event.value
                else:
                    segments[-1][name], name = event.value, None
    if not n_lists:
        raise InputError(f"{path}: expected a list of segments, found an empty file")
    return segments
