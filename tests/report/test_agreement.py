"""Pseudo-labels against annotation: kappa by corpus, language and emotion; what is doubted; scores without it."""

from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score
from toy_corpora import make_corpus
from toy_predictions import write_toy_predictions

from emobox_hf.corpora.manifest import Manifest, build_manifest
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.report.agreement import (
    Judged,
    compare_with_runs,
    confusion_table,
    emotion_table,
    judge,
    overview_table,
)
from emobox_hf.report.noise import doubt_table, noise_curve

EMOTIONS = ("Angry", "Happy", "Sad")


def make(folder: Path, name: str, language: str = "en") -> tuple[str, Manifest]:
    """A corpus of four speakers with two of each of three emotions, and its manifest; its sound is gone."""
    path = str(make_corpus(folder, name, emotions=EMOTIONS, n_each=2, language=language))
    for sound in (folder / name).rglob("*.wav"):
        sound.write_bytes(b"RIFF")
    return path, build_manifest(load_spec(path), folder / name)


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    """A function name -> what predictions by hand say of a corpus of that name."""

    def make_judged(name: str, *, language: str = "en", heard: dict[str, str] | None = None, **options: Any) -> Judged:
        path, manifest = make(tmp_path, name, language)
        told = {f"{name}-{key}": emotion for key, emotion in (heard or {}).items()}
        options["silent"] = {f"{name}-{key}" for key in options.get("silent", ())}
        file = write_toy_predictions(tmp_path / f"{name}.parquet", manifest, heard=told, **options)
        return judge(path, file, data_dir=tmp_path / name)

    return make_judged


HEARD = {"s0-Angry_0": "Sad", "s0-Angry_1": "Sad", "s1-Happy_0": "Angry"}


def test_kappa_is_by_corpus_and_by_language(judged: Any) -> None:
    one, two = judged("alpha", heard=HEARD, silent={"s3-Sad_1"}), judged("beta", language="pl")
    table = overview_table([one, two])
    rows = [list(row) for row in table.rows]
    expected = cohen_kappa_score(one.references, one.predicted)
    assert rows[0] == ["alpha", "all", "toy", 23, f"{expected:.2f}", pytest.approx(100 * 20 / 23), "Angry 75 %"]
    assert rows[1] == ["beta", "all", "toy", 24, "1.00", 100.0, "Angry 100 %"]
    assert [row[:2] for row in rows[2:]] == [["all corpora", "en"], ["all corpora", "pl"]]
    assert rows[2][4] == rows[0][4]
    assert "alpha: 1 utterances without a prediction" in table.notes


def test_emotions_are_compared_one_against_the_rest(judged: Any) -> None:
    one = judged("alpha", heard=HEARD)
    rows = {row["emotion"]: row for row in emotion_table(one).to_dict()["rows"]}
    assert rows["Angry"]["annotated"] == 8
    assert rows["Angry"]["predicted"] == 7
    assert rows["Angry"]["agree %"] == 75.0
    assert rows["Angry"]["else most often predicted"] == "Sad 2"
    angry = [[side == 0 for side in sides] for sides in (one.references, one.predicted)]
    assert rows["Angry"]["kappa"] == f"{cohen_kappa_score(*angry):.2f}"
    assert confusion_table(one).rows == (("Angry", 6, 0, 2), ("Happy", 1, 7, 0), ("Sad", 0, 0, 8))


def test_an_emotion_that_the_model_cannot_tell_is_left_out_and_named(judged: Any) -> None:
    one = judged("alpha", emotions=("Angry", "Sad"))
    assert len(one.utterances) == 16
    assert "alpha: toy cannot tell Happy (8)" in overview_table([one]).notes


def test_doubts_come_with_the_file_to_listen_to(judged: Any) -> None:
    one = judged("alpha", heard=HEARD)
    (table,) = compare_with_runs(one, [])
    assert [row[0] for row in table.rows[:3]] == ["alpha-s0-Angry_0", "alpha-s0-Angry_1", "alpha-s1-Happy_0"]
    assert table.rows[0][1:] == ("Angry", "Sad", "-0.600", "s0/Angry_0.wav")
    assert table.rows[3][3] == "+0.600"
    assert one.list_doubts()[0].margin == pytest.approx(-0.6)


def test_runs_are_scored_without_what_the_model_doubts(judged: Any, make_run: Any) -> None:
    one = judged("alpha", heard={"s0-Angry_0": "Sad", "s0-Happy_0": "Sad"})
    # The probe is wrong on one of the two, and on one that the model does not doubt.
    keys = [("alpha-s0-Angry_0", "Angry", "Sad"), ("alpha-s0-Happy_0", "Happy", "Happy")]
    keys += [("alpha-s1-Angry_0", "Angry", "Angry"), ("alpha-s1-Happy_0", "Happy", "Angry")]
    tested = [(key, "s", reference, prediction) for key, reference, prediction in keys]
    options: dict[str, Any] = {"corpus": "alpha", "labels": list(EMOTIONS), "tested": tested}
    run = make_run(folds=["random_fold1"], **options)
    make_run(corpus="beta", folds=["random_fold1"])
    ranking = [doubt.key for doubt in one.list_doubts()]
    curve = noise_curve(run, (0.0, 0.25, 0.5), ranking=ranking, ranked_by="toy")
    assert [(row[1], row[2].value) for row in curve.rows] == [(4, 50.0), (3, 75.0), (2, 50.0)]
    assert curve.title == "alpha: wavlm-base without the most doubtful by toy"
    own = noise_curve(run, (0.0, 0.5))
    assert [row[2].value for row in own.rows] == [50.0, 100.0]
    assert own.notes[0].startswith("Circular: the probes that are scored are those that doubt")
    assert "Circular" not in curve.notes[0]
    tables = compare_with_runs(one, [run])
    assert [table.title.partition(":")[2].strip() for table in tables] == [
        "labels that toy doubts most",
        "wavlm-base without the most doubtful by toy",
        "labels that toy and probes of wavlm-base doubt, 1 in all",
    ]
    assert [row[0] for row in tables[2].rows] == ["alpha-s0-Angry_0"]
    assert doubt_table(run).title == "alpha: labels that wavlm-base doubts most"


def test_predictions_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path, manifest = make(tmp_path, "alpha")
    other, _ = make(tmp_path, "beta")
    file = write_toy_predictions(tmp_path / "p.parquet", manifest)
    with pytest.raises(InputError, match="expected predictions of beta, found those of alpha"):
        judge(other, file, data_dir=tmp_path / "beta")
    file = write_toy_predictions(tmp_path / "p.parquet", manifest, silent={u.key for u in manifest.utterances})
    with pytest.raises(InputError, match=r"two columns"):
        judge(path, file, data_dir=tmp_path / "alpha")
