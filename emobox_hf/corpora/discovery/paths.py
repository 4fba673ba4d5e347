"""Corpora whose label and speaker are in the path of each file: one regular expression."""

import re

from emobox_hf.corpora.discovery.matching import matching_in_time
from emobox_hf.corpora.discovery.rows import describe, make_key, map_emotion
from emobox_hf.corpora.discovery.tree import FileTree, comparable
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Findings


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """Match `discovery.pattern` against the end of each audio file's path, the extension in lower case.

    The pattern's groups give `emotion` (the raw code) and whatever else the corpus tells: `speaker`, `gender`, `text`
    (a sentence, or a code that `texts` spells out), any other name for an extra, names with a leading underscore for
    the templates alone. The templates `discovery.key`, `speaker` and `text` see the groups; the key's also `file` and
    `stem`, the file's name with and without its extension.
    """
    findings = Findings()
    # the prefix is lazy, so that optional folders at the start of a pattern are tried before they are skipped
    pattern = re.compile(rf"(?:.*?/)??(?:{spec.discovery.pattern})")
    template = spec.discovery.key or f"{spec.name}-{{stem}}"
    with matching_in_time(pattern, f"{spec.typed_name}: discovery.pattern") as fullmatch:
        matches = [(path, fullmatch(comparable(path))) for path in tree.audio()]
    for path, match in matches:
        if match is None:
            findings.unexpected.append(path)
            continue
        row = match.groupdict()
        key = make_key(spec, template, row, path)
        raw_emotion = row.pop("emotion")
        emotion = map_emotion(spec, raw_emotion, path)
        reason = spec.discovery.skip.get(key) or spec.labels_left_out.get(raw_emotion)
        if reason is not None or emotion is None:
            findings.left_out[key] = str(reason)
            continue
        for field, made in (("speaker", spec.discovery.speaker), ("text", spec.discovery.text)):
            if made is not None:
                row[field] = made.format(**match.groupdict())
        findings.utterances.append(describe(spec, key=key, path=path, raw_emotion=raw_emotion, emotion=emotion, **row))
    return findings
