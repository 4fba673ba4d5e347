"""Corpora on disk made from rows, in the layout of the originals: paths, tables, dialogues or segments."""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import yaml

from emobox_hf.corpora.spec import CorpusSpec, Example


def lay_out(spec: CorpusSpec, rows: Sequence[Example], root: Path, audio: bytes = b"") -> None:
    """Write a fake copy of a corpus under `root`: one small file an utterance, and the tables that name them."""
    for path in sorted({row.path for row in rows}):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(audio)
    writers = {"tables": _write_tables, "iemocap": _write_dialogues, "segments": _write_segments}
    if spec.discovery.strategy in writers:
        writers[spec.discovery.strategy](spec, rows, root)


def _write_tables(spec: CorpusSpec, rows: Sequence[Example], root: Path) -> None:
    for table in spec.discovery.tables:
        key_pattern = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(table.key)))
        header = [*spec.discovery.columns.values(), *key_pattern.groupindex]
        with open(root / table.file, "w", encoding=spec.discovery.encoding, newline="") as file:
            writer = csv.DictWriter(file, header, delimiter=spec.discovery.separator)
            writer.writeheader()
            for row in rows:
                if (match := key_pattern.fullmatch(row.key)) is None:
                    continue
                values = {"emotion": row.raw_emotion, "speaker": row.speaker, "text": row.text or "Oh, “fine”, then."}
                named = {column: values[field] for field, column in spec.discovery.columns.items()}
                writer.writerow(named | match.groupdict())


def _write_dialogues(spec: CorpusSpec, rows: Sequence[Example], root: Path) -> None:
    dialogues = defaultdict(list)
    for row in rows:
        session, _, _, dialogue, name = row.path.split("/")
        dialogues[session, dialogue].append((name.removesuffix(".wav"), row))
    for (session, dialogue), members in dialogues.items():
        folder = root / session / "dialog"
        (folder / "EmoEvaluation").mkdir(parents=True, exist_ok=True)
        (folder / "transcriptions").mkdir(parents=True, exist_ok=True)
        evaluations = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        transcriptions = []
        for name, row in members:
            evaluations.append(f"[6.2901 - 8.2357]\t{name}\t{row.raw_emotion}\t[2.5000, 2.5000, 2.5000]")
            evaluations.append("C-E2:\tNeutral;\t()")
            transcriptions.append(f"{name} [006.2901-008.2357]: {row.text or 'Excuse me.'}")
        first, _ = members[0]
        evaluations.append(f"[9.0000 - 9.5000]\t{first[:-1]}x\txxx\t[2.5000, 2.5000, 2.5000]")
        (folder / "EmoEvaluation" / f"{dialogue}.txt").write_text("\n".join(evaluations), encoding="latin-1")
        (folder / "transcriptions" / f"{dialogue}.txt").write_text("\n".join(transcriptions), encoding="latin-1")


def _write_segments(spec: CorpusSpec, rows: Sequence[Example], root: Path) -> None:
    segments = defaultdict(list)
    for row in rows:
        prompt = row.key.removeprefix(f"{spec.name}-").removesuffix(f"-{row.raw_emotion}")
        segment = {"prompt": prompt, "style": row.raw_emotion, "text": row.text or "Nein", "start": row.start_s}
        segments[row.path].append(segment | {"end": row.end_s})
    for table in spec.discovery.tables:
        text = yaml.safe_dump(segments.get(table.audio, []), allow_unicode=True)
        (root / table.file).write_text(text, encoding="utf-8")


def read_published(spec: CorpusSpec, data: Path) -> list[Example]:
    """The rows of EmoBox's list of a whole corpus, the raw label as EmoBox writes it."""
    rows = []
    speakers = _read_speakers(data / spec.name / "data.seg.wrd.stm")
    with open(data / spec.name / f"{spec.name}.jsonl", encoding="utf-8") as file:
        for row in map(json.loads, file):
            rows.append(
                Example(
                    path=row["wav"].removeprefix(f"downloads/{spec.name}/"),
                    key=row["key"],
                    raw_emotion=row["emo"],
                    speaker=speakers[row["key"]],
                    start_s=row.get("start_time"),
                    end_s=row.get("end_time"),
                )
            )
    return rows


def _read_speakers(path: Path) -> dict[str, str]:
    pattern = re.compile(r"<id=(?P<key>.*),lang=[^,]*,spk=(?P<speaker>.*),emotion=[^,>]*>")
    matches = map(pattern.search, path.read_text(encoding="utf-8").splitlines())
    return {match["key"]: match["speaker"] for match in matches if match}
