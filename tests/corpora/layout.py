"""Corpora on disk made from rows, in the layout of the originals: paths, tables, records, dialogues or segments."""

import csv
import json
import re
import typing
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from emobox_hf.corpora.spec import CorpusSpec, Example, LabelTable

# EmoBox's lists lie beside the checkout where its development takes place; tests that need them skip elsewhere.
LISTS = Path(__file__).parents[2].parent / "shared/emobox-metadata/data"
SOUND = b"RIFF"  # not empty: files of 0 bytes are no copy of a corpus
PARTS = {"train": "train", "validation": "valid", "test": "test"}


def lay_out(spec: CorpusSpec, rows: Sequence[Example], root: Path, audio: bytes = SOUND) -> None:
    """Write a fake copy of a corpus under `root`: one small file an utterance, and the tables that name them."""
    touch(root, (row.path for row in rows), audio)
    writers = {
        "tables": _write_tables,
        "json": _write_records,
        "iemocap": _write_dialogues,
        "segments": _write_segments,
    }
    if spec.discovery.strategy in writers:
        writers[spec.discovery.strategy](spec, rows, root)


def touch(root: Path, paths: Iterable[str], content: bytes = SOUND) -> None:
    """Write files of one content under `root`, with the folders they need."""
    folders = set()
    for path in sorted(set(paths)):
        folder = root / path.rpartition("/")[0]
        if folder not in folders:
            folder.mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        with open(f"{root}/{path}", "wb") as file:
            file.write(content)


def _template_pattern(template: str) -> str:
    """A regular expression that reads back what a template was filled with; `{x.name}` becomes a group `x`."""
    parts = re.split(r"\{(\w+)(?:\.\w+)?\}", template)
    return "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))


def _fields_of_row(table: LabelTable, row: Example) -> dict[str, str] | None:
    """What the audio template of a table was filled with for a row; None if the row is not one of this table."""
    extensions = "|".join(map(re.escape, table.other_extensions))
    stem = re.sub(r"\.\w+$", "", row.path) if extensions and re.search(f"({extensions})$", row.path) else None
    path = row.path if stem is None else stem + re.search(r"\.\w+$", table.audio).group()
    match = re.fullmatch(rf"(?:.*?/)??{_template_pattern(table.audio)}", path)
    return match and match.groupdict()


def _values(spec: CorpusSpec, row: Example) -> dict[str, str]:
    """A row's values by the names of `discovery.columns`."""
    nobody = spec.discovery.no_speaker[0] if spec.discovery.no_speaker else ""
    known = {"emotion": row.raw_emotion, "speaker": row.speaker or nobody, "gender": row.gender, "split": row.split}
    known["text"] = row.text or "Oh, “fine”, then."
    return {name: known.get(name, row.extras.get(name)) or "" for name in spec.discovery.columns}


def _write_tables(spec: CorpusSpec, rows: Sequence[Example], root: Path) -> None:
    columns, joins = spec.discovery.columns, spec.discovery.joins
    lent = {name for name in columns if joins and name in ("gender", "age")}
    people = {}
    for table in spec.discovery.tables:
        lines = []
        for row in rows:
            fields = _fields_of_row(table, row)
            if fields is None:
                continue
            # a path in a column that only lends its last part
            fields = {n: f"wavs/{v}" if f"{{{n}.name}}" in table.audio else v for n, v in fields.items()}
            values = _values(spec, row)
            lines.append({column: values[name] for name, column in columns.items() if name not in lent} | fields)
            for join in joins:
                person = {columns[name]: values[name] for name in lent}
                people[lines[-1][join.on]] = person | {join.column: lines[-1][join.on]}
        header = [column for name, column in columns.items() if name not in lent]
        header += [name for name in re.findall(r"\{(\w+)", table.audio) if name not in header]
        write_table(root / table.file, header, lines, spec)
    for join in joins:
        write_table(root / join.file, [join.column, *(columns[name] for name in sorted(lent))], people.values(), spec)


def write_table(path: Path, header: Sequence[str], lines: Iterable[dict[str, str]], spec: CorpusSpec) -> None:
    """Write a table with the separator and encoding that a spec gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding=spec.discovery.encoding, newline="") as file:
        writer = csv.DictWriter(file, header, delimiter=spec.discovery.separator)
        writer.writeheader()
        writer.writerows(lines)


def _write_records(spec: CorpusSpec, rows: Sequence[Example], root: Path) -> None:
    discovery = spec.discovery
    lists = defaultdict(set)
    for table in discovery.tables:
        top: dict[str, typing.Any] = {}
        for row in rows:
            fields = _fields_of_row(table, row) or {}
            values = _values(spec, row)
            if discovery.speaker:
                split = re.fullmatch(_template_pattern(discovery.speaker), row.speaker or "")
                assert split is not None, row.speaker
                fields |= {name: value for name, value in split.groupdict().items() if name != "speaker"}
                fields["dialogue"] = fields["utterance"].rpartition("_")[0]
                values["speaker"] = split["speaker"]
            for name, way in discovery.columns.items():
                _put(top, way.format(**fields), values[name])
            on_the_way = set(re.findall(r"\{(\w+)\}", table.records))
            for name in fields.keys() - on_the_way:
                _put(top, f"{table.records}/{name}".format(**fields), fields[name])
            if discovery.split_by:
                lists[row.split].add(fields[discovery.split_by])
        path = root / table.file
        path.write_text(json.dumps(top, ensure_ascii=False), encoding="utf-8")
    for part, file in discovery.split_lists.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("".join(f"{value}\n" for value in sorted(lists[part])), encoding="utf-8")


def _put(top: dict[str, typing.Any], way: str, value: str) -> None:
    *steps, last = way.split("/")
    for step in steps:
        top = top.setdefault(step, {})
    top[last] = value


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
            evaluations.append(f"[6.2901 - 8.2357]\t{name}\t{row.raw_emotion}\t[2.5000, 3.0000, 3.5000]")
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


def has_lists(name: str) -> bool:
    """Whether EmoBox's lists of a corpus are at hand."""
    return (LISTS / name / "label_map.json").is_file()


def normal_label(label: str) -> str:
    """EmoBox's label in this project's spelling: it writes `pain, groan` and `UnKnown` for two of ASVP-ESD's."""
    return label.partition(",")[0].capitalize() if label != "No-agreement" else label


def read_published(spec: CorpusSpec, lists: Path = LISTS) -> list[Example]:
    """Every row of a corpus in EmoBox's lists, the raw label and the speaker as EmoBox writes them.

    There is one list of the whole corpus, or (ESD, MEAD, M3ED) a table of all keys beside lists of some parts. Of
    MSP-Podcast there is nothing but two parts.
    """
    folder = lists / spec.name
    people = _read_people(folder / "data.seg.wrd.stm")
    whole = folder / f"{spec.name}.jsonl"
    rows = _read_rows(whole) if whole.is_file() else {}
    parts = {}
    if not rows:
        for number in range(1, len(spec.folds.published) + 1):
            for ours, word in PARTS.items():
                part = {}
                for ending in ("jsonl", "json"):
                    part |= _read_rows(folder / f"fold_{number}" / f"{spec.name}_{word}_fold_{number}.{ending}")
                rows |= part
                parts |= dict.fromkeys(part, spec.folds.splits.get(ours))
    for key in people.keys() - rows.keys():  # MEAD's train part
        speaker, emotion, _, level, number = key.split("-")[1:]
        rows[key] = {"wav": f"{speaker}/audio/{emotion}/level_{level}/{number}.m4a", "emo": emotion}
    return [
        Example(
            path=row["wav"].removeprefix(f"downloads/{spec.name}/"),
            key=key,
            raw_emotion=row["emo"],
            speaker=people.get(key),
            split=parts.get(key),
            start_s=row.get("start_time"),
            end_s=row.get("end_time"),
        )
        for key, row in rows.items()
    ]


def published_keys(spec: CorpusSpec, number: int) -> dict[str, set[str]]:
    """The keys of EmoBox's lists of a fold, by our names of the splits; without the lists that EmoBox lacks."""
    folder = LISTS / spec.name / f"fold_{number}"
    lists = {}
    for ours, word in PARTS.items():
        keys = {
            key
            for ending in ("jsonl", "json")
            for key in _read_rows(folder / f"{spec.name}_{word}_fold_{number}.{ending}")
        }
        if keys:
            lists[ours] = keys
    return lists


def _read_rows(path: Path) -> dict[str, dict[str, typing.Any]]:
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    return {row["key"]: row for row in map(json.loads, text.splitlines())}


def _read_people(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pattern = re.compile(r"<id=(?P<key>.*),lang=[^,]*,spk=(?P<speaker>.*),emotion=[^,>]*>")
    matches = map(pattern.search, path.read_text(encoding="utf-8").splitlines())
    return {match["key"]: match["speaker"] for match in matches if match}
