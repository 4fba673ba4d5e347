"""Corpora whose label and speaker are in the path of each file: one regular expression."""

from emobox_hf.corpora.discovery.matching import check_pattern_ends, compile_path_pattern
from emobox_hf.corpora.discovery.rows import make_key, make_utterance, map_emotion, name_file
from emobox_hf.corpora.discovery.tree import FileTree, comparable
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.templates import fill
from emobox_hf.corpora.utterance import Findings


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """The utterances whose paths end in a match of `discovery.pattern`, the extension in lower case.

    The pattern's groups give `emotion` (the raw code) and whatever else the corpus tells: `speaker`, `gender`, `text`
    (a sentence, or a code that `texts` spells out), any other name for an extra, names with a leading underscore for
    the templates alone. The templates `discovery.key`, `speaker` and `text` see the groups, and `file` and `stem`, the
    file's name with and without its extension.
    """
    findings = Findings()
    pattern, audio = compile_path_pattern(spec), tree.audio()
    names = [comparable(path) for path in audio]
    check_pattern_ends(spec, "discovery.pattern", pattern, names)
    template = spec.discovery.key or f"{spec.name}-{{stem}}"
    for path, name in zip(audio, names, strict=True):
        match = pattern.fullmatch(name)
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
                row[field] = fill(
                    made, {**match.groupdict(), **name_file(path)}, f"{spec.name_or_file}: discovery.{field}"
                )
        findings.utterances.append(
            make_utterance(spec, key=key, path=path, raw_emotion=raw_emotion, emotion=emotion, **row)
        )
    return findings
