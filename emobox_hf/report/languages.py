"""Unseen languages: scores on corpora whose language an encoder heard in pretraining, and on the others."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.encoders.known import KnownEncoder, find_known
from emobox_hf.errors import InputError
from emobox_hf.report.benchmark import is_contaminated
from emobox_hf.report.collect import Run, name_runs
from emobox_hf.report.table import Cell, Table

SEEN, PARTLY, UNSEEN, UNKNOWN = "seen", "partly", "unseen", "unknown"


def languages_table(runs: Sequence[Run], *, score: str = "ua", with_contaminated: bool = False) -> Table:
    """Mean over corpora of one score in percent, by whether the encoder's pretraining data hold their languages.

    Languages differ in their corpora, not only in what encoders heard; a line without `seen` corpora beside `unseen`
    ones compares nothing.

    Raises:
        InputError: There is no run inside a corpus.
    """
    chosen = [run for run in runs if run.experiment == "intra-corpus" and run.kind_of_folds == "published"]
    if not chosen:
        raise InputError("expected runs on published folds, found none; run `emobox probe`")
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        if with_contaminated or not is_contaminated(run.encoder, run.corpus):
            value = 100 * (run.record.summary[score]["mean"] or 0.0)
            groups[name][tell_language(find_known(run.encoder), run.corpus)].append(value)
    rows: list[tuple[Cell, ...]] = []
    for name, kinds in sorted(groups.items()):
        cells: list[Cell] = [name]
        for kind in (SEEN, PARTLY, UNSEEN, UNKNOWN):
            cells += [len(kinds[kind]), float(np.mean(kinds[kind])) if kinds[kind] else None]
        rows.append(tuple(cells))
    columns = ("encoder", "corpora", SEEN, "corpora ", PARTLY, "corpora  ", UNSEEN, "corpora   ", UNKNOWN)
    notes = ("Whether the corpus's languages are in the encoder's pretraining data, by `emobox encoders`.",)
    return Table(f"{score.upper()} in percent by language", columns, tuple(rows), notes)


def tell_language(encoder: KnownEncoder | None, corpus: str) -> str:
    """Whether the corpus's languages are in the encoder's pretraining data; `unknown` where either is not known."""
    if encoder is None or encoder.languages is None or corpus not in list_corpora():
        return UNKNOWN
    spoken = set(load_spec(corpus).languages)
    heard = spoken & set(encoder.languages)
    return SEEN if heard == spoken else PARTLY if heard else UNSEEN
