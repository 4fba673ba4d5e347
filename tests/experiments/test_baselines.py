"""Baselines through the whole path: they score what their corpus gives away, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from toy_corpora import make_corpus

from emobox_hf.errors import InputError
from emobox_hf.experiments import source
from emobox_hf.experiments.plan import plan_run
from emobox_hf.experiments.request import ProbeRequest, make_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.report.collect import find_runs, name_runs
from emobox_hf.results import read_record

INITIAL, NUMBER = "(?P<emotion>(?P<sentence>[A-Z])[a-z]+)_\\d+", "(?P<emotion>[A-Z][a-z]+)_(?P<sentence>\\d+)"


def write_spec(path: Path, pattern: str) -> None:
    """Let a toy corpus tell its sentences: the initial of the emotion, or the number of the utterance."""
    text = path.read_text(encoding="utf-8")
    assert "(?P<emotion>[A-Z][a-z]+)_\\d+" in text
    path.write_text(text.replace("(?P<emotion>[A-Z][a-z]+)_\\d+", pattern), encoding="utf-8")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`telling`, whose sentences are those of one emotion each; `fair`, whose emotions share all sentences."""
    folder = tmp_path_factory.mktemp("corpora")
    write_spec(make_corpus(folder, "telling"), INITIAL)
    write_spec(make_corpus(folder, "fair", n_speakers=5), NUMBER)
    return folder


@pytest.fixture
def request_for(corpora: Path, tmp_path: Path) -> Any:
    """A function (baseline, corpus, options) -> ProbeRequest; another spec of the corpus may be given."""

    def make(baseline: str, corpus: str, *, spec: Path | None = None, **options: Any) -> ProbeRequest:
        defaults = {"data_dir": corpora / corpus, "features": tmp_path / "features", "output": tmp_path / "runs"}
        where = {"corpus": str(spec or corpora / f"{corpus}.toml")} if "train" not in options else {}
        defaults |= {"head": "linear", "epochs": 30, **where}
        return make_request(encoder=f"baseline:{baseline}", **defaults | options)

    return make


@pytest.mark.parametrize("head", ["linear", "emobox"])
@pytest.mark.parametrize(("corpus", "ua"), [("telling", 1.0), ("fair", 0.25)])
def test_sentences_score_what_they_give_away(request_for: Any, head: str, corpus: str, ua: float) -> None:
    record = read_record(run_probe(request_for("sentence", corpus, head=head)))
    assert record.summary["ua"].mean == pytest.approx(ua)
    assert (record.settings.encoder.name, record.left_out) == ("baseline:sentence", [])


def test_speakers_that_training_lacks_are_worth_nothing(request_for: Any) -> None:
    record = read_record(run_probe(request_for("speaker", "fair")))
    assert (record.summary["ua"].mean, record.summary["ua"].std) == (0.25, 0.0)


@pytest.mark.parametrize("name", ["duration", "logmel"])
@pytest.mark.parametrize("head", ["linear", "emobox"])
def test_sound_is_heard(request_for: Any, name: str, head: str) -> None:
    record = read_record(run_probe(request_for(name, "telling", head=head)))
    assert record.settings.encoder.identity == f"baseline:{name}@1"
    if name == "logmel":
        assert record.summary["ua"].mean > 0.6  # the emotions differ in pitch and level
    else:
        assert record.summary["ua"].mean == pytest.approx(0.25)  # all clips are equally long


def test_a_trait_is_read_without_decoding_sound(request_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "read_utterance", lambda *_, **__: pytest.fail("sound was decoded"))
    assert read_record(run_probe(request_for("speaker", "telling", workers=0))).folds


def test_clips_too_long_are_left_out_as_for_any_encoder(request_for: Any) -> None:
    with pytest.raises(InputError, match=r"all 80 utterances of telling were left out.*0\.4 s long, over 0\.1 s"):
        run_probe(request_for("speaker", "telling", max_duration_s=0.1))


def test_other_columns_are_other_features_and_another_run(request_for: Any, corpora: Path, tmp_path: Path) -> None:
    def plan() -> Any:
        made = plan_run(request_for("sentence", "telling", spec=spec))
        return made, made.settings.feature_key(made.sources[0].settings).digest

    spec = tmp_path / "telling.toml"
    spec.write_text((corpora / "telling.toml").read_text(encoding="utf-8"), encoding="utf-8")
    before, key = plan()
    again, same_key = plan()
    write = spec.read_text(encoding="utf-8").replace(INITIAL, NUMBER)
    spec.write_text(write, encoding="utf-8")
    after, other_key = plan()
    assert (again.folder, same_key) == (before.folder, key)
    assert after.folder != before.folder
    assert other_key != key


def test_a_table_has_one_column_for_a_trait_on_all_corpora(request_for: Any, tmp_path: Path) -> None:
    for corpus in ("telling", "fair"):
        run_probe(request_for("speaker", corpus))
    runs = find_runs(tmp_path / "runs")
    assert len({run.settings.encoder.identity for run in runs}) == 2
    assert name_runs(runs) == ["baseline:speaker"] * 2


@pytest.mark.parametrize("name", ["speaker", "sentence"])
def test_a_trait_is_of_one_corpus(request_for: Any, corpora: Path, name: str) -> None:
    pair = {"train": (str(corpora / "telling.toml"),), "test": str(corpora / "fair.toml"), "data_dir": corpora}
    with pytest.raises(InputError, match=rf"baseline:{name} has a column for each {name} of one corpus.*--corpus"):
        run_probe(request_for(name, "", **pair))


def test_sound_goes_across_corpora(request_for: Any, corpora: Path) -> None:
    pair = {"train": (str(corpora / "telling.toml"),), "test": str(corpora / "fair.toml"), "data_dir": corpora}
    record = read_record(run_probe(request_for("logmel", "", **pair)))
    assert record.settings.partition.name == "telling-to-fair"
    assert record.summary["ua"].mean > 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "all"}, "has no layers"),
        ({"layer": "0"}, "has no layers"),
        ({"context": "clip"}, "takes clips as they are"),
        ({"mixed_precision": "bf16"}, "is computed in float32"),
        ({"output_norm": True}, "gives one frame"),
        ({"revision": "main"}, "of no commit"),
    ],
)
def test_options_without_a_meaning_are_refused_before_anything_is_read(
    request_for: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan_run(request_for("duration", "telling", **options))
