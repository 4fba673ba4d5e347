"""What every discovery function does with a raw row: map its label, make its key, fill in what the spec knows."""

import typing
from collections.abc import Mapping

from emobox_hf.corpora.discovery.tree import FileTree, comparable
from emobox_hf.corpora.spec import ROW_FIELDS, CorpusSpec, LabelTable
from emobox_hf.corpora.templates import Cell, fill
from emobox_hf.corpora.utterance import Findings, Utterance
from emobox_hf.errors import InputError, suggest

# ISO 639-2 for "multiple languages": a corpus whose rows do not say which, so a row has no language.
MIXED_LANGUAGES = "mul"


def map_emotion(spec: CorpusSpec, raw_emotion: str, where: str) -> str | None:
    """The EmoBox label of a raw code; None for a code that the spec leaves out with a reason.

    Raises:
        InputError: The spec knows nothing of the code.
    """
    emotion = spec.labels.get(raw_emotion)
    if emotion is None and raw_emotion not in spec.labels_left_out:
        known = [*spec.labels, *spec.labels_left_out]
        raise InputError(
            f"{spec.name_or_file}: {where} has the emotion code {raw_emotion!r}, which is neither in [labels] nor in "
            f"[labels_left_out]{suggest(raw_emotion, known)}"
        )
    return emotion


def name_file(path: str) -> dict[str, str]:
    """What templates know of an audio file: `file` and `stem`, its name with and without its extension."""
    name = Cell(comparable(path))
    return {"file": name.name, "stem": name.stem}


def make_key(spec: CorpusSpec, template: str, fields: Mapping[str, str | None], file: str) -> str:
    """The key of an utterance, by a template over its fields and the name of its audio file.

    `{file}` and `{stem}` are that name with and without its extension. Then each of `discovery.key_replace` is applied,
    in order, and `expected.aliases`.
    """
    key = fill(template, {**fields, **name_file(file)}, f"{spec.name_or_file}: the key of {file}")
    for old, new in spec.discovery.key_replace.items():
        key = key.replace(old, new)
    return spec.expected.aliases.get(key, key)


def add_row(
    spec: CorpusSpec,
    tree: FileTree,
    findings: Findings,
    *,
    table: LabelTable,
    fields: Mapping[str, str],
    columns: Mapping[str, str | None],
    where: str,
) -> str | None:
    """The path of a row's audio, None if there is none; the row is added to the findings.

    Args:
        spec: The corpus.
        tree: Its files.
        findings: What the row is added to.
        table: Whose templates say where the audio is and what the key is.
        fields: What the templates can use.
        columns: The row by the names of `discovery.columns`.
        where: Names the row in messages.

    Raises:
        InputError: The spec does not know the row's emotion code, or the row points outside the corpus folder.
    """
    raw_emotion = str(columns["emotion"])
    emotion = map_emotion(spec, raw_emotion, where)
    wanted = fill(table.audio, fields, f"{spec.name_or_file}: the audio of {where}")
    stem = wanted.rpartition(".")[0]
    candidates = (tree.find(path) for path in (wanted, *(stem + other for other in table.other_extensions)))
    audio = next((path for path in candidates if path is not None), None)
    key = make_key(spec, table.key, fields, audio or wanted)
    reason = spec.discovery.skip.get(key) or spec.labels_left_out.get(raw_emotion)
    if reason is not None or emotion is None:
        findings.left_out[key] = str(reason)
    elif audio is None:
        findings.missing[key] = wanted
    else:
        row: dict[str, typing.Any] = {"split": table.split, **columns}
        del row["emotion"]
        if spec.discovery.speaker is not None:
            known = {**fields, **columns}
            row["speaker"] = fill(spec.discovery.speaker, known, f"{spec.name_or_file}: the speaker of {where}")
        findings.utterances.append(
            make_utterance(spec, key=key, path=audio, raw_emotion=raw_emotion, emotion=emotion, **row)
        )
    return audio


def make_utterance(
    spec: CorpusSpec, *, key: str, path: str, raw_emotion: str, emotion: str, **row: typing.Any
) -> Utterance:
    """An utterance from what was read, completed by what the spec knows of the speaker, the text and the parts.

    Args:
        spec: The corpus.
        key: See `Utterance`.
        path: See `Utterance`.
        raw_emotion: See `Utterance`.
        emotion: See `Utterance`.
        **row: `start_s`, `end_s`, and strings by name; a name that no field of `Utterance` bears becomes an extra,
            unless the string is empty or the name begins with an underscore.
    """
    times = {name: row.pop(name, None) for name in ("start_s", "end_s")}
    extras = {
        name: value for name, value in row.items() if value and name not in ROW_FIELDS and not name.startswith("_")
    }
    speaker = None if row.get("speaker") in spec.discovery.no_speaker else row.get("speaker")
    only = spec.languages[0] if len(spec.languages) == 1 and spec.languages[0] != MIXED_LANGUAGES else None
    return Utterance(
        key=key,
        path=path,
        raw_emotion=raw_emotion,
        emotion=emotion,
        speaker=speaker,
        gender=spec.gender_of.get(row.get("gender") or speaker or ""),
        language=row.get("language") or spec.language_of.get(speaker or "", only),
        text=spec.texts.get(row.get("text") or "", row.get("text")),
        split=spec.discovery.splits.get(row.get("split") or "", row.get("split")),
        **times,
        extras=extras,
    )
