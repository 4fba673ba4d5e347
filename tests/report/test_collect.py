"""What runs are called, and which of them count."""

from pathlib import Path
from typing import Any

import pytest

from emobox_hf.errors import InputError
from emobox_hf.report.collect import find_runs, name_runs, published_runs


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ({}, {"corpus": "savee"}, ["wavlm-base", "wavlm-base"]),
        ({}, {"head": "emobox"}, ["wavlm-base, head linear", "wavlm-base, head emobox"]),
        ({}, {"head": "emobox", "encoder": "x"}, ["wavlm-base, head linear", "x, head emobox"]),
        ({"layer": "3"}, {"layer": "all"}, ["wavlm-base, layer 3", "wavlm-base, layer all"]),
        ({}, {"identity": "sha256:abcdef0123"}, ["wavlm-base 1234567", "wavlm-base abcdef0"]),
        ({}, {"identity": "sha256:abcdef0123", "encoder": "x"}, ["wavlm-base", "x"]),
        ({"identity": "baseline:x@1+abc"}, {"identity": "baseline:x@1+def"}, ["wavlm-base", "wavlm-base"]),
        ({"identity": "baseline:x@1+abc"}, {"identity": "baseline:x@2+abc"}, ["wavlm-base 1", "wavlm-base 2"]),
        ({}, {"folds": ["fold1"], "all_folds": False}, ["wavlm-base", "wavlm-base, only fold1"]),
        (
            {"pair": (["a"], "b")},
            {"pair": (["a"], "b"), "test_set": "all"},
            ["wavlm-base, test balanced", "wavlm-base, test all"],
        ),
    ],
    ids=str,
)
def test_a_name_tells_what_differs(
    make_run: Any, first: dict[str, Any], second: dict[str, Any], names: list[str]
) -> None:
    assert name_runs([make_run(**first), make_run(**second)]) == names


def test_a_single_run_of_some_folds_says_so(make_run: Any) -> None:
    assert name_runs([make_run(folds=["fold3"], all_folds=False)]) == ["wavlm-base, only fold3"]
    assert name_runs([]) == []


@pytest.mark.parametrize(
    ("folds", "kind"),
    [
        (["fold1", "fold2"], "published"),
        (["si_fold1", "si_fold10"], "speaker-independent"),
        (["random_fold1"], "random"),
        (["fold1", "si_fold1"], "mixed"),
        (["cross_corpus"], "balanced"),
    ],
)
def test_the_kind_of_folds_is_told_by_their_names(make_run: Any, folds: list[str], kind: str) -> None:
    assert make_run(folds=folds).kind_of_folds == kind


def test_a_cross_corpus_run_knows_its_sides(make_run: Any) -> None:
    run = make_run(pair=(["talk-to-me", "b"], "c"))
    assert (run.settings.experiment, run.corpus) == ("cross-corpus", "talk-to-me+b-to-c")
    assert (run.trained, run.settings.tested) == ("talk-to-me+b", "c")
    intra = make_run()
    assert (intra.settings.experiment, intra.settings.tested) == ("intra-corpus", "polish")


def test_what_only_one_head_has_names_no_column(make_run: Any) -> None:
    runs = [make_run(head="linear"), make_run(head="emobox")]
    assert name_runs(runs) == ["wavlm-base, head linear", "wavlm-base, head emobox"]
    runs.append(make_run(head="emobox", head_options={"seeds": (0, 1)}))
    assert name_runs(runs)[1:] == ["wavlm-base, head emobox, seeds 0", "wavlm-base, head emobox, seeds 0 1"]


def test_runs_are_found_oldest_first(make_run: Any, tmp_path: Path) -> None:
    for corpus in ("savee", "polish", "cafe"):
        make_run(corpus=corpus)
    (tmp_path / "runs" / "polish" / "unfinished").mkdir()
    assert [run.corpus for run in find_runs(tmp_path / "runs")] == ["savee", "polish", "cafe"]


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no record\.json; `emobox probe`"):
        find_runs(tmp_path)
    with pytest.raises(InputError, match="found no record"):
        find_runs(tmp_path / "nowhere")


def test_published_folds_are_told_from_others(make_run: Any) -> None:
    runs = [make_run(), make_run(folds=["si_fold1"]), make_run(pair=(["a"], "b"))]
    assert published_runs(runs) == runs[:1]
    with pytest.raises(InputError, match="published folds, found none"):
        published_runs(runs[1:])
