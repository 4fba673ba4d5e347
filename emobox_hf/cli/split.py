"""`emobox split`: folds for a corpus of one's own, by EmoBox's rule."""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from emobox_hf.corpora.manifest_csv import read_manifest
from emobox_hf.corpora.sampling import split_by_emobox_rule
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_keys, write_text


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "split",
        help="folds for a corpus of one's own, by EmoBox's rule",
        description="Under four speakers, or emotions unevenly spread over them: one fold with a quarter of each "
        "emotion as test. Four to six speakers: one out a fold. More: a quarter as many folds as speakers.",
    )
    verb.add_argument("manifest", type=Path, help="a CSV table with the columns key, emotion and, if known, speaker")
    verb.add_argument("--out", type=Path, help="write lists there, laid out like EmoBox's")
    verb.add_argument("--seed", type=int, default=0, help="of the random choice where folds are not by speakers")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(run=_split)


def _split(arguments: argparse.Namespace) -> int:
    utterances = read_manifest(arguments.manifest)
    if not utterances:
        raise InputError(f"{arguments.manifest}: no utterances below the header")
    tests = split_by_emobox_rule(utterances, seed=arguments.seed)
    name = arguments.manifest.stem
    if arguments.out is not None:
        for number, test in enumerate(tests, start=1):
            for part, keys in (("train", {u.key for u in utterances} - test), ("test", test)):
                lines = "".join(json.dumps({"key": key}, ensure_ascii=False) + "\n" for key in sorted(keys))
                write_text(arguments.out / name / f"fold_{number}" / f"{name}_{part}_fold_{number}.jsonl", lines)
    folds = [_describe(utterances, number, test) for number, test in enumerate(tests, start=1)]
    if arguments.json:
        print(json.dumps(folds, ensure_ascii=False, indent=1))
        return 0
    for fold in folds:
        speakers = ", ".join(fold["test_speakers"]) or "unknown"
        shared = f"; {len(fold['shared_speakers'])} of them in train too" if fold["shared_speakers"] else ""
        print(f"fold{fold['fold']}: train {fold['train']}, test {fold['test']}; test speakers {speakers}{shared}")
    return 0


def _describe(utterances: list[Utterance], number: int, test: set[str]) -> dict[str, Any]:
    tested = [u for u in utterances if u.key in test]
    speakers = {u.speaker for u in tested if u.speaker}
    return {
        "fold": number,
        "train": len(utterances) - len(tested),
        "test": len(tested),
        "test_emotions": dict(sorted(Counter(u.emotion for u in tested).items())),
        "test_speakers": sorted(speakers),
        "shared_speakers": sorted(speakers & {u.speaker for u in utterances if u.key not in test and u.speaker}),
        "test_sha256": sha256_of_keys(test),
    }
