"""Unseen languages: scores on corpora whose language an encoder met in pretraining, and on others."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.encoders.known.table import KnownEncoder, find_known
from emobox_hf.report.collect import Run, name_runs, published_runs
from emobox_hf.report.contamination import NOTE, is_contaminated
from emobox_hf.report.table import Cell, Table
from emobox_hf.scores import SCORES

SEEN, PARTLY, UNSEEN, UNKNOWN = "seen", "partly", "unseen", "unknown"
KINDS = (SEEN, PARTLY, UNSEEN, UNKNOWN)


def languages_tables(runs: Sequence[Run], *, score: str = "ua", with_contaminated: bool = False) -> list[Table]:
    """One score by whether the encoder's pretraining data hold a corpus's languages: means, then each.

    Languages differ in their corpora, not only in whether encoders know them; a line without `seen` corpora beside
    `unseen` ones compares nothing. Corpora that an encoder was trained on are left out of its means unless asked for.

    Raises:
        InputError: There is no run on published folds that has the score.
    """
    chosen = published_runs(runs, score)
    by_place = {(name, run.corpus): run for run, name in zip(chosen, name_runs(chosen), strict=True)}
    names, corpora = (sorted({place[side] for place in by_place}) for side in (0, 1))
    groups: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    detail: list[tuple[Cell, ...]] = []
    flagged = set()
    for i, corpus in enumerate(corpora):
        row: list[Cell] = [corpus, ", ".join(_languages(corpus))]
        for name in names:
            run = by_place.get((name, corpus))
            if run is None:
                row += [None, None]
                continue
            kind = tell_language(find_known(run.encoder), corpus)
            row += [kind, run.score(score)]
            if is_contaminated(run):
                flagged.add((i, len(row) - 1))
            if with_contaminated or not is_contaminated(run):
                groups[name, kind].append(run.score(score))
        detail.append(tuple(row))
    means = tuple((name, *(cell for kind in KINDS for cell in _summarize(groups[name, kind]))) for name in names)
    fate = f"{NOTE}; {'in' if with_contaminated else 'left out of'} the means."
    return [
        Table(
            f"{SCORES[score].caption} by language",
            ("encoder", *(title for kind in KINDS for title in (f"{kind}: corpora", kind))),
            means,
            ("Whether the corpus's languages are in the encoder's pretraining data, by `emobox encoders`.",),
            decimals=SCORES[score].decimals,
        ),
        Table(
            f"{SCORES[score].caption}, and whether the encoder was pretrained on the corpus's languages",
            ("corpus", "languages", *(title for name in names for title in (f"{name}: language", name))),
            tuple(detail),
            (fate,) if flagged else (),
            frozenset(flagged),
            SCORES[score].decimals,
        ),
    ]


def tell_language(encoder: KnownEncoder | None, corpus: str) -> str:
    """Whether the corpus's languages are in the encoder's pretraining data; `unknown` where either is not known."""
    spoken = set(_languages(corpus)) - {"mul"}
    if encoder is None or encoder.languages is None or not spoken:
        return UNKNOWN
    known = spoken & set(encoder.languages)
    return SEEN if known == spoken else PARTLY if known else UNSEEN


def _languages(corpus: str) -> tuple[str, ...]:
    return load_spec(corpus).languages if corpus in list_corpora() else ()


def _summarize(values: Sequence[float | None]) -> tuple[int, float | None]:
    known = [value for value in values if value is not None]
    return len(known), float(np.mean(known)) if known else None
