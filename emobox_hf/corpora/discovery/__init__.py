"""The utterances in a corpus's folder: one function for each way in which corpora keep their labels."""

from collections.abc import Callable

from emobox_hf.corpora.discovery import csv_tables, iemocap, json_records, paths, segments
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Findings

STRATEGIES: dict[str, Callable[[CorpusSpec, FileTree], Findings]] = {
    "paths": paths.discover,
    "tables": csv_tables.discover,
    "json": json_records.discover,
    "iemocap": iemocap.discover,
    "segments": segments.discover,
}
