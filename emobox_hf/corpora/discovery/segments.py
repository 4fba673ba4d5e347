"""Corpora of long recordings with a YAML list of segments beside each: `{prompt, style, text, start, end}`."""

import typing

import yaml

from emobox_hf.corpora.discovery.rows import make_utterance, map_emotion
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Findings
from emobox_hf.errors import InputError, first_five

_FIELDS = ("prompt", "style", "start", "end")
# The base loader keeps every scalar a string, so the prompt `1e3` or the text `No` stays what it is. libyaml's is ten
# times faster; wheels of PyYAML carry it, a build from source may not.
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
            key = table.key.format(**segment)
            raw_emotion = segment["style"]
            emotion = map_emotion(spec, raw_emotion, where)
            if emotion is None:
                findings.left_out[key] = spec.labels_left_out[raw_emotion]
            elif audio is None:
                findings.missing[key] = table.audio
            else:
                findings.utterances.append(
                    make_utterance(
                        spec,
                        key=key,
                        path=audio,
                        raw_emotion=raw_emotion,
                        emotion=emotion,
                        speaker=spec.discovery.speaker,
                        text=segment.get("text"),
                        start_s=float(segment["start"]),
                        end_s=float(segment["end"]),
                    )
                )
    findings.unexpected.extend(path for path in tree.audio() if path not in recordings)
    return findings


def _read_segments(tree: FileTree, path: str) -> list[dict[str, typing.Any]]:
    try:
        with open(tree.root / path, encoding="utf-8") as file:
            segments = yaml.load(file, Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{tree.root / path}: not YAML in UTF-8: {error}") from error
    if not isinstance(segments, list):
        raise InputError(f"{tree.root / path}: expected a list of segments, found {type(segments).__name__}")
    for number, segment in enumerate(segments, start=1):
        if absent := [name for name in _FIELDS if name not in segment]:
            raise InputError(f"{tree.root / path}, segment {number}: no {first_five(absent)}")
    return segments
