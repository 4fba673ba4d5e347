"""IEMOCAP: one text file of evaluations a dialogue, and one of transcriptions beside it."""

import re

from emobox_hf.corpora.discovery.rows import make_utterance, map_emotion
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Findings
from emobox_hf.errors import InputError
from emobox_hf.files import read_text

_EVALUATIONS = re.compile(r"(?:.*/)?(?P<session>Session\d)/dialog/EmoEvaluation/(?P<dialogue>[^/]+)\.txt")
# [6.2901 - 8.2357]<TAB>Ses01F_impro01_F000<TAB>neu<TAB>[2.5000, 2.5000, 2.5000]
_EVALUATION = re.compile(r"\[[\d. -]+\]\t(?P<utterance>\S+)\t(?P<emotion>\S+)\t\[(?P<ratings>.*)\]")
_RATINGS = ("valence", "activation", "dominance")  # their order in the brackets at the end of the line
# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
_TRANSCRIPTION = re.compile(r"(?P<utterance>\S+) \[[\d.-]+\]: ?(?P<text>.*)")


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """The utterances of all sessions; the speaker is who speaks, by the last letter group of the utterance's name.

    EmoBox's lists name the dialogue's prefix instead (the wearer of the motion-capture markers), which is another
    person for half of the utterances.
    """
    findings = Findings()
    files = [match for path in tree.paths if (match := _EVALUATIONS.fullmatch(path))]
    if not files:
        raise InputError(f"{tree.root}: no file Session*/dialog/EmoEvaluation/*.txt; expected tree:\n{spec.tree}")
    for file in files:
        _read_dialogue(spec, tree, file, findings)
    known = {utterance.path for utterance in findings.utterances}
    left_out = {f"{key.removeprefix(spec.name + '-')}.wav" for key in findings.left_out}
    for path in tree.audio():
        is_sentence = "/sentences/wav/" in f"/{path}"
        if is_sentence and path not in known and path.rpartition("/")[2] not in left_out:
            findings.unexpected.append(path)
    return findings


def _read_dialogue(spec: CorpusSpec, tree: FileTree, file: re.Match[str], findings: Findings) -> None:
    session, dialogue = file["session"], file["dialogue"]
    texts = _read_transcriptions(spec, tree, session, dialogue)
    for line in _lines(spec, tree, file.group()):
        match = _EVALUATION.fullmatch(line)
        if match is None:
            continue  # the per-annotator lines below each evaluation, the header
        name, raw_emotion = match["utterance"], match["emotion"]
        key = f"{spec.name}-{name}"
        emotion = map_emotion(spec, raw_emotion, f"{file.group()}, {name}")
        if emotion is None:
            findings.left_out[key] = spec.labels_left_out[raw_emotion]
            continue
        wanted = f"{session}/sentences/wav/{dialogue}/{name}.wav"
        audio = tree.find(wanted)
        if audio is None:
            findings.missing[key] = wanted
            continue
        letter = name.rpartition("_")[2][:1]
        findings.utterances.append(
            make_utterance(
                spec,
                key=key,
                path=audio,
                raw_emotion=raw_emotion,
                emotion=emotion,
                speaker=name[: len("Ses01")] + letter,
                text=texts.get(name),
                **dict(zip(_RATINGS, match["ratings"].split(", "), strict=False)),
            )
        )


def _read_transcriptions(spec: CorpusSpec, tree: FileTree, session: str, dialogue: str) -> dict[str, str]:
    path = tree.find(f"{session}/dialog/transcriptions/{dialogue}.txt")
    if path is None:
        return {}
    matches = (_TRANSCRIPTION.fullmatch(line) for line in _lines(spec, tree, path))
    return {match["utterance"]: match["text"].strip() for match in matches if match}


def _lines(spec: CorpusSpec, tree: FileTree, path: str) -> list[str]:
    return read_text(tree.root / path, spec.discovery.encoding).splitlines()
