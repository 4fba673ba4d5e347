"""Systems compared inside a corpus and over corpora."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from emobox_hf.cli.main import main
from emobox_hf.errors import InputError
from emobox_hf.report.comparison import compare_paper, compare_runs

PAIR = ["Angry", "Happy"]
CORPORA = ["savee", "cafe", "casia", "emovo", "polish", "tess"]


def predicted(n_right: list[int]) -> list[tuple[str, str, str, str]]:
    """Ten utterances of each emotion by each speaker; so many of each are predicted as they are labelled."""
    other = {"Angry": "Happy", "Happy": "Angry"}
    return [
        (f"{speaker}-{label}-{i}", f"s{speaker}", label, label if i < n else other[label])
        for speaker, n in enumerate(n_right)
        for label in PAIR
        for i in range(10)
    ]


def make_system(make_run: Any, encoder: str, n_right: list[int], **options: Any) -> Any:
    defaults = {"folds": ["fold1"], "labels": PAIR, "corpus": "mine", "is_summed": True}
    return make_run(encoder=encoder, tested=predicted(n_right), **defaults | options)


def test_pairs_of_a_corpus_are_paired_t_tests_over_speakers_with_holms_correction(make_run: Any) -> None:
    right = {"x": [5, 6, 7, 4, 6, 8], "y": [7, 7, 9, 7, 6, 9], "z": [5, 5, 8, 4, 7, 7]}
    found = compare_runs([make_system(make_run, name, some) for name, some in right.items()])
    (table,) = found.tables
    rows = {(row["first"], row["second"]): row for row in table.to_dict()["rows"]}
    assert list(rows) == [("y", "x"), ("y", "z"), ("x", "z")]
    tests = {pair: stats.ttest_rel(right[pair[0]], right[pair[1]]) for pair in rows}
    for pair, row in rows.items():
        bounds = tests[pair].confidence_interval(0.95)
        assert row["p"] == f"{tests[pair].pvalue:.2g}"
        assert [row["difference from"], row["difference to"]] == pytest.approx([10 * bounds.low, 10 * bounds.high])
    smallest = min(tests, key=lambda pair: tests[pair].pvalue)
    assert rows[smallest]["p, Holm"] == f"{3 * tests[smallest].pvalue:.2g}"
    assert found.ranking is None


def test_systems_are_ranked_over_the_corpora_that_all_were_run_on(make_run: Any) -> None:
    runs = [
        make_run(corpus=corpus, encoder=encoder, ua=ua + 0.01 * number)
        for number, corpus in enumerate(CORPORA)
        for encoder, ua in (("x", 0.5), ("y", 0.6), ("z", 0.4))
    ]
    *_, ranks, pairs = compare_runs(runs).tables
    assert [row["system"] for row in ranks.to_dict()["rows"]] == ["y", "x", "z"]
    assert [row["mean rank"] for row in ranks.to_dict()["rows"]] == ["1.00", "2.00", "3.00"]
    assert pairs.to_dict()["rows"][0]["wins"] == 6
    # A run that is incomplete counts no more than one that is not there.
    runs[1] = make_run(corpus=CORPORA[0], encoder="incomplete", ua=0.9, missing=("a",))
    assert compare_runs(runs).ranking is None


def test_the_papers_own_table_is_ranked() -> None:
    """Friedman, Nemenyi and Wilcoxon by independent code (SciPy alone) gave these."""
    found = compare_paper()
    assert found.ranking is not None
    assert found.ranking.p_value == pytest.approx(5.34e-38, rel=1e-3)
    assert found.ranking.critical_difference == pytest.approx(2.39, abs=0.005)
    ranks = dict(zip(found.names, found.ranking.mean_ranks, strict=True))
    assert (ranks["whisper-large-v3"], ranks["wavlm-large"]) == pytest.approx((1.55, 2.12), abs=0.01)
    first = found.ranking.pairs[0]
    assert (found.names[first.first], found.names[first.second]) == ("whisper-large-v3", "wavlm-large")
    assert ranks["wavlm-large"] - ranks["whisper-large-v3"] < found.ranking.critical_difference
    assert (first.p_value, first.median) == (pytest.approx(0.00114, abs=1e-5), pytest.approx(3.81, abs=0.01))
    assert first.p_holm < 0.05
    with pytest.raises(InputError, match="the paper has ua, wa, macro_f1, not nll"):
        compare_paper(score="nll")


def test_the_verb_prints_and_draws(make_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_system(make_run, "x", [5, 6, 7, 4, 6, 8])
    make_system(make_run, "y", [7, 7, 9, 7, 6, 9])
    assert main(["compare", str(tmp_path / "runs"), "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["rows"][0]["first"] == "y"
    assert main(["compare", "--paper", "--figure", str(tmp_path / "ranks.svg")]) == 0
    assert "<svg" in (tmp_path / "ranks.svg").read_text(encoding="utf-8")
    assert main(["compare", str(tmp_path / "runs"), "--figure", str(tmp_path / "x.png")]) == 2
    assert "three systems" in capsys.readouterr().err
    assert main(["compare", "--paper", "--figure", str(tmp_path / "ranks.gif")]) == 2
    assert "ends in .png, .svg, .pdf" in capsys.readouterr().err


def test_one_system_is_not_compared(make_run: Any) -> None:
    with pytest.raises(InputError, match="by two systems, found none"):
        compare_runs([make_run()])
