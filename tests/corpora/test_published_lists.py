"""Complete corpora laid out from EmoBox's own lists: our rows and folds have to be EmoBox's, key for key."""

import json
import tempfile
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest
from layout import LISTS, has_lists, lay_out, normal_label, published_keys, read_published

from emobox_hf.corpora.audit import audit_partition
from emobox_hf.corpora.configurations import SPEAKER_INDEPENDENT, list_folds
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.row_order import list_cells, list_partitions, order_rows
from emobox_hf.corpora.spec import list_corpora, load_spec

LISTED = [name for name in list_corpora() if has_lists(name)]
pytestmark = pytest.mark.skipif(not LISTED, reason="EmoBox's lists are not beside this checkout")

# Tens of thousands of empty files: in memory they take a tenth of the time.
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
# MSP-Podcast: EmoBox published two of three parts.
INCOMPLETE = {"msppodcast"}
# MER2023 and RESD name no speaker, and EmoBox writes the clip; IEMOCAP: EmoBox names the dialogue's prefix, which is
# the other person for half of the rows; eNTERFACE: EmoBox's speaker of s_3_an_1.avi is `s`. MSP-Podcast: no list says.
OTHER_SPEAKERS = {"mer2023", "resd", "iemocap", "enterface", "msppodcast"}


@pytest.fixture(scope="module", params=LISTED or [None])
def corpus(request):
    """A corpus's manifest, and EmoBox's rows that it was laid out from."""
    spec = load_spec(request.param)
    rows = read_published(spec)
    with tempfile.TemporaryDirectory(prefix=f"{spec.name}-", dir=FAST) as folder:
        root = Path(folder, "downloads", spec.name)
        lay_out(spec, rows, root)
        yield search_corpus(spec, Path(folder), folds_dir=LISTS), rows


def test_keys_labels_and_paths_are_emobox(corpus):
    manifest, rows = corpus
    spec = manifest.spec
    label_map = json.loads((LISTS / spec.name / "label_map.json").read_text(encoding="utf-8"))
    label_map.setdefault("neutral", "Neutral")  # EmoDB's map says `Neutral` where its lists say `neutral`
    root = f"downloads/{spec.name}/"
    ours = {u.key: (u.path.removeprefix(root), u.emotion, u.start_s, u.end_s) for u in manifest.utterances}
    theirs = {r.key: (r.path, normal_label(label_map[r.raw_emotion]), r.start_s, r.end_s) for r in rows}
    assert ours == theirs
    assert manifest.is_complete or spec.name in INCOMPLETE
    assert not manifest.unexpected
    assert not manifest.duplicates


def test_speakers_are_emobox_under_another_name(corpus):
    manifest, rows = corpus
    theirs = {row.key: row.speaker for row in rows}
    if manifest.spec.name not in OTHER_SPEAKERS:
        pairs = {(utterance.speaker, theirs[utterance.key]) for utterance in manifest.utterances}
        assert len(pairs) == len(set(theirs.values())) == len({ours for ours, _ in pairs})
    if manifest.spec.name == "iemocap":
        others = [u for u in manifest.utterances if u.speaker != theirs[u.key]]
        assert all(u.speaker[5] == u.key.rpartition("_")[2][0] != theirs[u.key][5] for u in others)
        assert 0.4 < len(others) / len(theirs) < 0.6
    if manifest.spec.name not in INCOMPLETE:
        speakers = {utterance.speaker for utterance in manifest.utterances} - {None}
        assert len(speakers) == manifest.spec.expected.speakers


def test_folds_by_folder_are_emobox(corpus):
    manifest, _ = corpus
    for number, config in enumerate(list_folds(manifest.spec), start=1):
        check_fold(partition(manifest, config, folds_dir=LISTS), published_keys(manifest.spec, number), manifest)


def test_folds_by_rule_are_emobox(corpus):
    manifest, _ = corpus
    if manifest.spec.folds.source == "list":  # EmoBox drew these folds at random: there is no rule
        assert not manifest.spec.folds.test_speakers
        assert not manifest.spec.folds.splits
        return
    for number, config in enumerate(list_folds(manifest.spec), start=1):
        check_fold(partition(manifest, config), published_keys(manifest.spec, number), manifest)


def check_fold(found, published, manifest) -> None:
    ours = {name: {utterance.key for utterance in split} for name, split in found.splits.items()}
    assert max(Counter(key for keys in ours.values() for key in keys).values()) == 1
    if "validation" not in published:
        ours["train"] |= ours.pop("validation")
    if "train" not in published and manifest.spec.name not in INCOMPLETE:
        published["train"] = {u.key for u in manifest.utterances}.difference(*published.values())
    for split, keys in published.items():
        assert ours[split] == keys, split


def test_speaker_independent_folds_test_every_class_and_keep_sessions_whole(corpus):
    manifest, _ = corpus
    spec = manifest.spec
    folds = list_folds(spec, SPEAKER_INDEPENDENT)
    if not folds or spec.name in INCOMPLETE:
        return
    speakers_of = {e: {u.speaker for u in manifest.utterances if u.emotion == e} for e in spec.emotions}
    # A class of fewer speakers than folds, in ASVP-ESD that of a single one, is in as many test parts as it can be.
    rare = {emotion for emotion, speakers in speakers_of.items() if len(speakers) < 2}
    assert not rare or spec.name == "asvpesd"
    for config in folds:
        drawn = partition(manifest, config)
        assert {u.emotion for u in drawn.splits["test"]} | rare == set(spec.emotions), config
        if spec.drawn.si_keeps:
            overlap = audit_partition(drawn, spec).overlap(spec.drawn.si_keeps)
            assert (overlap.n_shared, overlap.n_unknown) == (0, 0)


def test_rows_of_a_split_come_in_whole_cells_and_by_key(corpus):
    """So that a repository of files, whose splits are lists of whole files, has the order of the corpus on disk."""
    manifest, _ = corpus
    partitions = list_partitions(manifest, folds_dir=LISTS)
    cells = list_cells(partitions)
    whole = [u.key for u in order_rows(manifest.utterances, cells)]
    assert sorted(whole) == [u.key for u in manifest.utterances]
    place = {key: number for number, key in enumerate(whole)}
    for part in partitions.values():
        for members in part.splits.values():
            rows = [u.key for u in order_rows(members, cells)]
            assert [place[key] for key in rows] == sorted(place[key] for key in rows)
            runs = [cell for cell, _ in groupby(rows, key=cells.get)]
            assert len(runs) == len(set(runs))
