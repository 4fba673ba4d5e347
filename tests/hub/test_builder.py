"""`load_dataset` through the ids that `import emobox_hf` makes known; on datasets 3.6 and later."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from layout import lay_out, read_published
from speech import wav_bytes, write_wav

import emobox_hf
from emobox_hf.audio import read_utterance
from emobox_hf.corpora import fold_sources, folds, row_order
from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.hub import builder
from emobox_hf.hub.builder import audio_cell, fingerprint, row_features

COLUMNS = ["key", "audio", "emotion", "raw_emotion", "speaker", "gender", "language", "text", "corpus"]


@pytest.fixture
def polish(tmp_path: Path) -> Path:
    from speech import make_polish

    root = tmp_path / "polish"
    make_polish(root, load_spec("polish"))
    return root


def load(name: str, config: str, **options: object) -> datasets.DatasetDict:
    return datasets.load_dataset(f"emobox/{name}", config, **options)


def test_a_fold_has_three_splits_with_the_promised_columns(polish: Path) -> None:
    fold = load("polish", "fold1", data_dir=str(polish))
    assert {name: len(split) for name, split in fold.items()} == {"train": 288, "validation": 72, "test": 90}
    assert fold["test"].column_names[: len(COLUMNS)] == COLUMNS
    assert fold["test"].features["emotion"].names == ["Angry", "Neutral", "Fear"]
    assert set(fold["test"]["speaker"]) == {"m3"}
    row = fold["test"].cast_column("audio", datasets.Audio(decode=False))[0]
    assert row["key"] == "polish-m3.a_nie_1"
    assert row["audio"] == {"path": str(polish / "m3.a_nie_1.wav"), "bytes": None}
    assert (row["emotion"], row["raw_emotion"], row["gender"], row["language"], row["text"], row["corpus"]) == (
        (0, "a", "male", "pl", "nie", "polish")
    )


def test_sound_is_decoded_at_16_khz(polish: Path) -> None:
    row = load("polish", "fold1", data_dir=str(polish))["test"]
    if datasets.Version(datasets.__version__) >= datasets.Version("4.0.0"):
        try:
            import torchcodec  # noqa: F401
        except (ImportError, RuntimeError, OSError) as error:
            if os.environ.get("EMOBOX_TEST_ALL"):
                raise
            pytest.skip(f"torchcodec does not import: {str(error)[:80]}")
    audio = row[0]["audio"]
    assert audio["sampling_rate"] == 16000
    assert audio["array"].shape == (6400,)


def make_sound(kind: str, path: Path) -> None:
    """A second of noise in a file of one kind, under a name that ends in .wav."""
    import av
    import soundfile

    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    if kind == "two channels":
        soundfile.write(path, np.stack([noise, -noise], axis=1), 16000)
    elif kind == "48 kHz":
        soundfile.write(path, noise, 48_000)
    elif kind in ("IMA_ADPCM", "MS_ADPCM", "PCM_16", "FLOAT", "ALAW"):
        soundfile.write(path, noise, 16000, subtype=kind)
    elif kind == "loud":
        soundfile.write(path, 9 * noise, 16000, subtype="FLOAT")
    else:
        with av.open(str(path), "w", format="wav") as container:
            stream = container.add_stream("mp3", rate=16000, layout="mono")
            frame = av.AudioFrame.from_ndarray(noise[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16000
            for part in av.AudioResampler(format=stream.format, layout="mono", rate=16000).resample(frame):
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))


@pytest.mark.parametrize(
    "kind", ["PCM_16", "FLOAT", "ALAW", "two channels", "48 kHz", "IMA_ADPCM", "MS_ADPCM", "loud", "MP3 in WAV"]
)
@pytest.mark.parametrize("embed", [False, True])
def test_every_door_gives_the_sound_that_encoders_hear(kind: str, embed: bool, tmp_path: Path) -> None:
    """What `datasets` decodes of a row, linked or embedded, is one channel, and `read_utterance`'s samples."""
    make_sound(kind, tmp_path / "a.wav")
    spec = load_spec("polish")
    utterance = Utterance(key="x", path="a.wav", raw_emotion="a", emotion="Angry")
    heard = read_utterance(spec, tmp_path, utterance)
    cell = audio_cell(spec, tmp_path, utterance, embed=embed)
    assert (cell["bytes"] is None) == (not embed and kind in ("PCM_16", "FLOAT", "ALAW", "loud"))
    try:
        decoded = datasets.Audio(sampling_rate=16000).decode_example(cell)
    except (ImportError, RuntimeError, OSError) as error:  # torchcodec is not there, or does not load
        if os.environ.get("EMOBOX_TEST_ALL"):
            raise
        pytest.skip(str(error)[:80])
    assert decoded["sampling_rate"] == 16000
    np.testing.assert_allclose(decoded["array"], heard, atol=0 if cell["bytes"] is None else 0.51 / 32768, rtol=0)


@pytest.mark.parametrize("fault", ["not a number", "cut MP3", "cut FLAC"])
@pytest.mark.parametrize("embed", [False, True])
def test_a_damaged_file_is_no_row(fault: str, embed: bool, tmp_path: Path) -> None:
    import soundfile

    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    name = {"not a number": "a.wav", "cut MP3": "a.mp3", "cut FLAC": "a.flac"}[fault]
    path = tmp_path / name
    if fault == "not a number":
        noise[5] = np.nan
        soundfile.write(path, noise, 16000, subtype="FLOAT")
    else:
        soundfile.write(path, noise, 16000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    utterance = Utterance(key="x", path=name, raw_emotion="a", emotion="Angry")
    with pytest.raises(InputError, match=rf"{name}: "):
        audio_cell(load_spec("polish"), tmp_path, utterance, embed=embed)


def test_all_has_one_split(polish: Path) -> None:
    whole = load("polish", "all", data_dir=str(polish))
    assert {name: len(split) for name, split in whole.items()} == {"train": 450}


def test_streaming_gives_the_same_rows(polish: Path) -> None:
    stored = load("polish", "fold2", data_dir=str(polish))["test"]
    streamed = load("polish", "fold2", data_dir=str(polish), streaming=True)["test"]
    rows = streamed.cast_column("audio", datasets.Audio(decode=False))
    assert [row["key"] for row in rows] == stored["key"]


def test_several_processes_give_the_same_rows(polish: Path) -> None:
    alone = load("polish", "all", data_dir=str(polish))["train"]["key"]
    datasets.disable_caching()
    shared = load("polish", "all", data_dir=str(polish), num_proc=2, download_mode="force_redownload")["train"]["key"]
    datasets.enable_caching()
    assert list(shared) == list(alone)


def test_the_variable_names_the_place(polish: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOBOX_DATA_DIR", str(polish.parent))
    assert len(load("polish", "fold1")["test"]) == 90


def test_a_corpus_that_has_moved_is_not_served_from_its_old_place(
    polish: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOBOX_DATA_DIR", str(polish.parent))
    load("polish", "fold1")
    (polish.parent / "elsewhere").mkdir()
    polish.rename(polish.parent / "elsewhere" / "polish")
    monkeypatch.setenv("EMOBOX_DATA_DIR", str(polish.parent / "elsewhere"))
    row = load("polish", "fold1")["test"].cast_column("audio", datasets.Audio(decode=False))[0]
    assert Path(row["audio"]["path"]).is_file()


def test_configurations_are_listed_without_the_corpus() -> None:
    names = datasets.get_dataset_config_names("emobox/iemocap")
    si_folds = [f"si_fold{number}" for number in range(1, 6)]  # one a session
    assert names == ["fold1", "fold2", "fold3", "fold4", "fold5", *si_folds, "cross_corpus", "all"]


def test_an_unknown_corpus_is_refused_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'iemocap'"):
        load("iemocapp", "fold1")


def test_an_unknown_configuration_is_refused(polish: Path) -> None:
    with pytest.raises(ValueError, match=r"fold9.*fold5"):
        load("polish", "fold9", data_dir=str(polish))


def test_a_missing_configuration_lists_them(polish: Path) -> None:
    with pytest.raises(InputError, match="name a configuration, one of fold1"):
        datasets.load_dataset("emobox/polish", data_dir=str(polish))


def test_a_corpus_that_is_nowhere_says_how_to_get_it() -> None:
    with pytest.raises(InputError, match=r"(?s)looked in.*sail.usc.edu.*form.*EmoEvaluation"):
        load("iemocap", "fold1")


def test_an_incomplete_corpus_is_refused_and_accepted_on_request(polish: Path) -> None:
    (polish / "m3.a_nie_1.wav").unlink()
    with pytest.raises(InputError, match=r"449 of 450.*1 missing: polish-m3.a_nie_1"):
        load("polish", "fold1", data_dir=str(polish))
    fold = load("polish", "fold1", data_dir=str(polish), allow_missing=True)
    assert {name: len(split) for name, split in fold.items()} == {"train": 288, "validation": 72, "test": 89}
    write_wav(polish / "m3.a_nie_1.wav", np.zeros(1600))
    assert len(load("polish", "fold1", data_dir=str(polish), allow_missing=True)["test"]) == 90


def test_other_ids_are_left_to_the_library(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n", encoding="utf-8")
    assert len(datasets.load_dataset("csv", data_files=str(tmp_path / "rows.csv"))["train"]) == 1


# The examples of segment corpora are hours into a recording; test_segments_are_cut_out stands for them.
WITH_SHORT_EXAMPLES = [
    name for name in emobox_hf.list_corpora() if all(e.end_s is None for e in load_spec(name).examples)
]


@pytest.mark.parametrize("name", WITH_SHORT_EXAMPLES)
def test_every_corpus_becomes_rows(name: str, tmp_path: Path) -> None:
    """The examples of each spec: discovered, typed and readable in `datasets`, with sound that can be had."""
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path, wav_bytes())
    manifest = search_corpus(spec, tmp_path)
    assert manifest.utterances
    features = row_features(spec)
    for utterance in manifest.utterances:
        if Path(utterance.path).suffix.lower() == ".wav":
            cell = audio_cell(spec, tmp_path, utterance, embed=True)
            assert cell["bytes"][:4] == b"fLaC"
        assert features["emotion"].int2str(features["emotion"].str2int(utterance.emotion)) == utterance.emotion


def test_segments_are_cut_out(tmp_path: Path) -> None:
    import io

    import numpy as np
    import soundfile

    spec = load_spec("pavoque")
    ramp = np.linspace(-0.9, 0.9, 10 * 16000, dtype=np.float32)
    write_wav(tmp_path / "pavoque-sad.flac", ramp)
    for style in ("neutral", "angry", "happy", "poker", "outtakes"):
        (tmp_path / f"pavoque-{style}.yaml").write_text("[]", encoding="utf-8")
    (tmp_path / "pavoque-sad.yaml").write_text(
        "- {prompt: e0001, style: sad, text: Nein, start: 2.0, end: 4.5}\n", encoding="utf-8"
    )
    (utterance,) = search_corpus(spec, tmp_path).utterances
    cell = audio_cell(spec, tmp_path, utterance)
    waveform, rate = soundfile.read(io.BytesIO(cell["bytes"]), dtype="float32")
    assert rate == 16000
    np.testing.assert_allclose(waveform, ramp[2 * 16000 : round(4.5 * 16000)], atol=1e-4)


def test_the_fingerprint_follows_the_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    spec = load_spec("polish")
    changed = dataclasses.replace(spec, labels={**spec.labels, "a": "Happy"})
    assert fingerprint(spec) != fingerprint(changed)
    assert fingerprint(spec) == fingerprint(dataclasses.replace(spec, notes=("another remark",)))


@pytest.mark.parametrize("name", ["iemocap", "ravdess", "savee", "meld", "pavoque", "emodb"])
def test_published_folds_come_through_the_builder(name: str, tmp_path: Path, emobox_data: Path) -> None:
    """The whole corpus laid out from EmoBox's lists: rows and folds of the dataset equal the lists."""
    import json

    spec = load_spec(name)
    rows = read_published(spec, emobox_data)
    lay_out(spec, rows, tmp_path, wav_bytes())
    manifest = search_corpus(spec, tmp_path)
    if manifest.utterances[0].start_s is not None or spec.channels:
        # Sound is decoded while rows are made: one second's work for a test is enough to show the rows.
        assert {u.key for u in manifest.utterances} == {row.key for row in rows}
        return
    fold = load(name, "fold1", data_dir=os.fspath(tmp_path), folds_dir=os.fspath(emobox_data))
    for split, names in (("test", ("test",)), ("train", ("train", "validation"))):
        listed = emobox_data / name / "fold_1" / f"{name}_{split}_fold_1.jsonl"
        keys = {json.loads(line)["key"] for line in listed.read_text(encoding="utf-8").splitlines()}
        assert {key for part in names for key in fold[part]["key"]} == keys


@pytest.fixture
def spec_fingerprint() -> Iterator[Callable[[], str]]:
    """The fingerprint of a spec by the rules as they are now."""

    def find() -> str:
        row_order.rules_digest.cache_clear()
        return fingerprint(load_spec("polish"))

    yield find
    row_order.rules_digest.cache_clear()


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("hold_out", lambda self, train: (train[1:], train[:1])),
        ("assign_speakers", lambda manifest, number, draw: fold_sources.assign_randomly(manifest, number)),
        ("assign_balanced", lambda manifest, folds_dir: fold_sources.assign_randomly(manifest, 1)),
        ("assign_by_emobox_rule", lambda manifest, number: fold_sources.assign_randomly(manifest, 1)),
        ("order_rows", lambda utterances, cells: sorted(utterances, key=lambda u: u.key)),
    ],
)
def test_another_rule_is_another_cache(
    place: str, changed: Any, spec_fingerprint: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a new version, a changed rule must not be served the rows of the old one."""
    usual = spec_fingerprint()
    home = {"hold_out": folds.ValidationRule, "order_rows": row_order}.get(place, folds)
    monkeypatch.setattr(home, place, changed)
    assert spec_fingerprint() != usual
    monkeypatch.undo()
    assert spec_fingerprint() == usual


def test_another_validation_share_is_another_cache(
    spec_fingerprint: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = spec_fingerprint()
    monkeypatch.setattr(folds.ValidationRule.__init__, "__defaults__", (0.25, 0, "utterances"))
    assert spec_fingerprint() != usual


def test_another_rule_is_built_again(polish: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load("polish", "fold1", data_dir=str(polish)).num_rows
    monkeypatch.setattr(folds.ValidationRule.__init__, "__defaults__", (0.5, 0, "utterances"))
    row_order.rules_digest.cache_clear()
    after = load("polish", "fold1", data_dir=str(polish)).num_rows
    row_order.rules_digest.cache_clear()
    assert before == {"train": 288, "validation": 72, "test": 90}
    assert after == {"train": 180, "validation": 180, "test": 90}


def test_an_incomplete_corpus_is_searched_once(polish: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from emobox_hf.corpora import manifest

    (polish / "m3.a_nie_1.wav").unlink()
    searched, search = [], manifest.search_corpus
    monkeypatch.setattr(manifest, "search_corpus", lambda *a, **k: searched.append(1) or search(*a, **k))
    load("polish", "fold1", data_dir=str(polish), allow_missing=True)
    assert searched == [1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"revision": "main"}, "has no revision 'main'; leave it out"),
        ({"data_files": "a.wav"}, "polish finds its files by itself; leave data_files out"),
        ({"features": datasets.Features({"key": datasets.Value("string")})}, "the columns of polish are fixed"),
        ({"version": "9.9.9"}, "load_dataset has no option 'version' for polish"),
        ({"corpus": "savee"}, "load_dataset has no option 'corpus' for polish"),
        ({"folds_dirs": "."}, "no option 'folds_dirs' for polish; did you mean 'folds_dir'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_corpus_on_disk_has_no_use_for_is_refused(polish: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load("polish", "fold1", data_dir=str(polish), **options)


@pytest.mark.skipif(datasets.__version__ >= "4", reason="datasets 4 takes save_infos and does nothing")
def test_no_sizes_are_written_into_the_package(polish: Path) -> None:
    before = sorted(Path(builder.__file__).parent.iterdir())
    with pytest.raises(InputError, match="leave save_infos out"):
        load("polish", "fold1", data_dir=str(polish), save_infos=True)
    assert sorted(Path(builder.__file__).parent.iterdir()) == before


def test_a_misspelt_corpus_or_configuration_gets_a_suggestion(polish: Path) -> None:
    with pytest.raises(InputError, match="no corpus named 'iemocp'; did you mean 'iemocap'"):
        load("iemocp", "fold1")
    with pytest.raises(InputError, match="polish has no configuration 'flod1'; did you mean 'fold1'"):
        load("polish", "flod1", data_dir=str(polish))
    with pytest.raises(
        InputError, match=r"emobox/ser_metrics is a metric: evaluate.load\('emobox/ser_metrics'\) loads"
    ):
        load("ser_metrics", "fold1")


def test_a_folder_that_is_named_goes_before_a_built_one(
    polish: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emobox_hf.hub.repo import build_repository

    monkeypatch.chdir(tmp_path)
    build_repository(emobox_hf.build_manifest("polish", polish), Path("emobox/polish"))
    direct = load("polish", "fold1", data_dir=str(polish))["test"].cast_column("audio", datasets.Audio(decode=False))
    assert direct[0]["audio"]["path"] == str(polish / "m3.a_nie_1.wav")
    built = load("polish", "fold1")["test"].cast_column("audio", datasets.Audio(decode=False))
    assert built[0]["audio"]["bytes"] is not None
    assert list(built["key"]) == list(direct["key"])


def test_names_do_where_objects_do(polish: Path) -> None:
    assert emobox_hf.list_configs("polish")[0] == "fold1"
    manifest = emobox_hf.build_manifest("polish", polish)
    assert manifest.is_complete
    assert {name: len(split) for name, split in emobox_hf.partition(manifest, "fold1").splits.items()} == {
        name: len(split) for name, split in load("polish", "fold1", data_dir=str(polish)).items()
    }
