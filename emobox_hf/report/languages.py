"""Unseen languages: scores on corpora whose language an encoder met in pretraining, and on others."""

from collections import defaultdict
from collections.abc import Sequence

from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.encoders.known.table import KnownEncoder, find_known
from emobox_hf.report.collect import Run, name_runs, published_runs
from emobox_hf.report.protocol import choose_run, explain, mark_runs
from emobox_hf.report.table import Cell, Table, mean_of_cells
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
    by_place: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        by_place[name, run.corpus].append(run)
    names, corpora = (sorted({place[side] for place in by_place}) for side in (0, 1))
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    detail: list[tuple[Cell, ...]] = []
    marks: dict[tuple[int, int], str] = {}
    for i, corpus in enumerate(corpora):
        row: list[Cell] = [corpus, ", ".join(_languages(corpus))]
        there = [name for name in names if (name, corpus) in by_place]
        marked = dict(zip(there, mark_runs([choose_run(by_place[name, corpus]) for name in there]), strict=True))
        for name in names:
            if name not in marked:
                row += [None, None]
                continue
            one = marked[name]
            kind = tell_language(find_known(one.run.encoder), corpus)
            row += [kind, one.run.estimate(score)]
            if one.marks:
                marks[i, len(row) - 1] = one.marks
            if one.counts(with_contaminated=with_contaminated):
                groups[name, kind].append(one.run.estimate(score))
        detail.append(tuple(row))
    means = tuple(
        (name, *(cell for kind in KINDS for cell in (len(groups[name, kind]), mean_of_cells(groups[name, kind]))))
        for name in names
    )
    told = explain(marks.values(), has_means=True, with_contaminated=with_contaminated)
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
            tuple(told),
            marks,
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
