"""Corpora whose label and speaker are in the path of each file: one regular expression."""

import re

from emobox_hf.corpora.discovery.rows import describe, map_emotion
from emobox_hf.corpora.discovery.tree import FileTree, comparable
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Findings


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """Match `discovery.pattern` against the end of each audio file's path, the extension in lower case.

    The pattern's groups give `emotion` (the raw code) and whatever else `discovery.key` or a row needs: `speaker`,
    `text` (a sentence, or a code that `texts` spells out). The key template sees the groups and `stem`, the file's name without extension.
    """
    findings = Findings()
    pattern = re.compile(rf"(?:.*/)?(?:{spec.discovery.pattern})")
    key_template = spec.discovery.key or f"{spec.name}-{{stem}}"
    for path in tree.audio():
        name = comparable(path)
        match = pattern.fullmatch(name)
        if match is None:
            findings.unexpected.append(path)
            continue
        groups = match.groupdict()
        key = key_template.format(stem=name.rpartition("/")[2].rpartition(".")[0], **groups)
        emotion = map_emotion(spec, groups["emotion"], path)
        if emotion is None:
            findings.left_out[key] = spec.labels_left_out[groups["emotion"]]
            continue
        findings.utterances.append(
            describe(
                spec,
                key=key,
                path=path,
                raw_emotion=groups["emotion"],
                emotion=emotion,
                speaker=groups.get("speaker"),
                text=spec.texts.get(groups.get("text", ""), groups.get("text")),
            )
        )
    return findings
