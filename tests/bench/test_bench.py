"""The bench: its arithmetic, what it measures, that it asks for nothing a bare GPU machine lacks; never time."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emobox_hf.bench.budget import Budget
from emobox_hf.bench.clips import MEAN_S, choose_clips, draw_durations, make_clip, recordings
from emobox_hf.bench.extraction_rate import Workload, project_min, summarize_rounds
from emobox_hf.bench.flops import count_flops
from emobox_hf.bench.gemm import list_products, measure_gemm
from emobox_hf.bench.measure import BenchRequest, choose_device, default_request, run_bench
from emobox_hf.bench.probe_rate import draw_data
from emobox_hf.bench.rate_tables import bench_tables
from emobox_hf.bench.shapes import SHAPES, load_plain, make_config, make_shape
from emobox_hf.bench.timed_extraction import Clocked, TimedExtraction, run_loop
from emobox_hf.errors import InputError
from emobox_hf.features import Clip, FeatureStore, extract
from emobox_hf.features.batching import make_batches

CPU = torch.device("cpu")
# What a machine with torch and transformers may lack.
LACKING = ("datasets", "evaluate", "soundfile", "soxr", "av", "wrapt", "pyarrow", "sklearn", "threadpoolctl", "pandas")


def noise(n_samples: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)


def test_medians_ratios_and_fractions() -> None:
    work = Workload(n_clips=10, audio_s=40.0, flops=8_000_000, pads_windows=False)
    done = [
        TimedExtraction(2.0, 1.0, 8e6, None),
        TimedExtraction(4.0, 2.0, 4e6, None),
        TimedExtraction(8.0, 5.0, 2e6, 7.0),
    ]
    found = summarize_rounds("bf16", 16.0, 0.03, work, done, loops=[8.0, 8.0, 24.0])
    assert (found.audio_s_per_s, found.clips_per_s) == (10.0, 2.5)
    assert found.times_loop == 3.0  # of 4, 2 and 3: each by the loop of its round
    assert found.tflops == 2e6 / 1e12
    assert found.fraction_of_peak == 0.5
    assert found.forward_fraction_of_peak == 1.0
    assert found.busy_fraction == 0.5  # of 1/2, 1/2 and 5/8
    assert (found.padding, found.batch_s, found.pass_memory_mb) == (0.03, 16.0, 7.0)
    assert found.all_corpora_min == pytest.approx(294 * 60 / 10)


def test_what_cannot_be_counted_has_no_fraction() -> None:
    found = summarize_rounds(
        "no", 1.0, 0.0, Workload(1, 1.0, None, False), [TimedExtraction(1.0, 1.0, 1.0, None)], [2.0]
    )
    assert (found.tflops, found.fraction_of_peak, found.forward_fraction_of_peak) == (None, None, None)
    assert found.times_loop == 2.0


def test_all_corpora_are_projected_by_clips_where_each_is_padded() -> None:
    assert project_min(100.0, 262_020 / 3600, pads_windows=True) == pytest.approx(60)
    assert project_min(294.0, 1.0, pads_windows=False) == pytest.approx(60)


def test_durations_are_those_of_utterances_and_always_the_same() -> None:
    durations = draw_durations(8000)
    assert durations == draw_durations(8000)
    assert 0.6 <= min(durations) < 0.61
    assert 11.9 < max(durations) <= 12.0
    assert np.mean(durations) == pytest.approx(11.4 / np.log(20), rel=0.03)


def test_chosen_clips_are_whole_batches_and_the_padding_is_that_of_the_corpus() -> None:
    durations = draw_durations(1000)
    clips, padding = choose_clips(durations, lambda duration: duration, batch_s=60.0, audio_s=300.0)
    batches = make_batches(durations, batch_s=60.0)
    chosen = [batch for batch in batches if f"noise-{batch[0]:06d}" in {clip.key for clip in clips}]
    assert [f"noise-{i:06d}" for batch in chosen for i in batch] == [clip.key for clip in clips]
    assert sum(clip.duration_s for clip in clips) == pytest.approx(300, rel=0.25)
    # Planned again without the others they are the same batches.
    again = make_batches([clip.duration_s for clip in clips], batch_s=60.0)
    assert list(map(len, again)) == list(map(len, chosen))
    computed_s = sum(len(batch) * durations[batch[0]] for batch in batches)
    assert padding == pytest.approx(1 - sum(durations) / computed_s)
    assert 0 < padding < 0.05


def test_padding_of_an_encoder_that_pads_every_clip() -> None:
    clips, padding = choose_clips([3.0] * 100, lambda _: 30.0, batch_s=30.0, audio_s=30.0)
    assert len(clips) == 10
    assert padding == pytest.approx(0.9)


def test_a_clip_is_as_long_as_it_says() -> None:
    clip = make_clip(3, 0.61234)
    waveform = clip.read()
    assert (len(waveform), waveform.dtype) == (round(clip.duration_s * 16_000), np.float32)
    np.testing.assert_array_equal(waveform, make_clip(3, 0.61234).read())


def test_products_are_counted_two_operations_to_a_multiply_and_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emobox_hf.bench.gemm.seconds_per_call", lambda *_, **__: 0.5)
    (product,) = measure_gemm(CPU, torch.float32, [(3, 5, 7)], seconds=1)
    assert product.tflops == 2 * 3 * 5 * 7 / 0.5 / 1e12
    assert (product.dtype, product.m, product.k, product.n) == ("float32", 3, 5, 7)


def test_products_are_those_of_the_feed_forward_layers_and_a_square() -> None:
    assert list_products(CPU, [(10, 2, 8)]) == [(10, 2, 8), (10, 8, 2), (2048, 2048, 2048)]
    assert len({n for _, _, n in list_products(CPU)}) > 2


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_those_of_the_known_encoders(name: str) -> None:
    with torch.device("meta"):
        import transformers

        config = getattr(transformers, SHAPES[name]["config"])(**SHAPES[name].get("settings", {}))
    from emobox_hf.encoders import KNOWN_ENCODERS

    known = KNOWN_ENCODERS.get(name)
    n_layers = getattr(config, "encoder_layers", None) or config.num_hidden_layers
    if known is None:
        assert name.endswith("toy") or name in ("whisper-small", "whisper-medium")
    else:
        assert (n_layers, getattr(config, "d_model", None) or config.hidden_size) == (known.n_layers, known.dim)


@pytest.mark.parametrize("name", ["wav2vec2-toy", "whisper-toy"])
def test_the_loop_and_ours_compute_the_same_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_shape(name)
    assert plain.is_random
    outputs = []
    monkeypatch.setattr(
        plain.model, "forward", lambda *args, run=plain.model.forward: outputs.append(run(*args)) or outputs[-1]
    )
    waveform = noise(16_000)
    run_loop(plain, [waveform], CPU)
    (ours,) = plain.build(device="cpu", precision="no").encode([waveform])
    theirs = outputs[0].last_hidden_state[0][: len(ours.frames)]
    torch.testing.assert_close(ours.frames, theirs, atol=1e-4, rtol=1e-3)


def test_given_weights_are_loaded_for_both(encoder: Path) -> None:
    plain = load_plain(str(encoder))
    assert not plain.is_random
    assert plain.identity.weights_digest
    assert plain.build(device="cpu", precision="no").dim == 32


def test_the_clock_changes_nothing(tmp_path: Path) -> None:
    from emobox_hf.bench.store_rate import noise_key

    encoder = make_shape("wav2vec2-toy").build(device="cpu", precision="no")
    clips = [Clip(f"{i}", 0.5, make_clip(i, 0.5).read) for i in range(3)]
    stores = [FeatureStore.open(tmp_path / name, noise_key("toy", "", "no")) for name in ("bare", "clocked")]
    clocked = Clocked(encoder)
    for one, store in zip((encoder, clocked), stores, strict=True):
        extract(clips, one, store, n_workers=0)
    assert torch.equal(*(store.read(["0", "1", "2"]).frames for store in stores))
    assert clocked.seconds() > 0


def test_recordings_decode_to_the_noise_that_the_loop_is_given(tmp_path: Path) -> None:
    clips = [make_clip(number, duration) for number, duration in enumerate(draw_durations(5))]
    with recordings(tmp_path, "cpu") as files:
        files.write(clips[2:4])
        ((found, other),) = files.decoders.decode([clips[2:4]])
        assert len(list(files.folder.iterdir())) == 2
    for (clip, sound), expected in zip((found, other), clips[2:4], strict=True):
        assert clip.key == expected.key
        np.testing.assert_allclose(sound, expected.read(), atol=2 / 32768)
    assert list(tmp_path.iterdir()) == []


def test_probe_data_have_five_disjoint_folds() -> None:
    data = draw_data(60)
    assert len(data.splits) == 5
    assert data.frames.shape[0] == data.offsets[-1]
    for split in data.splits.values():
        assert sorted(np.concatenate(split)) == list(range(60))
    assert sorted(np.concatenate([split.test for split in data.splits.values()])) == list(range(60))


def test_figures_hold_together() -> None:
    heard: list[str] = []
    figures = run_bench(default_request(CPU, is_quick=True, audio_s=3.0, precisions=("no",)), heard.append)
    assert any("whisper-toy" in line for line in heard)
    json.dumps(figures)
    waveform, whisper = figures["encoders"]
    for one in (waveform, whisper):
        (ours,) = one["extractions"]
        assert ours["tflops"] * 1000 == pytest.approx(one["gflop_per_audio_s"] * ours["audio_s_per_s"])
        assert ours["clips_per_s"] / ours["audio_s_per_s"] == pytest.approx(one["n_clips"] / one["audio_s"])
        assert ours["times_loop"] == pytest.approx(ours["audio_s_per_s"] / one["loop_audio_s_per_s"])
    config = make_shape("whisper-toy").model.config
    assert whisper["gflop_per_audio_s"] * 1e9 * whisper["audio_s"] == pytest.approx(
        whisper["n_clips"] * count_flops(config, 16_000)
    )
    assert waveform["extractions"][0]["padding"] < 0.05
    assert whisper["extractions"][0]["padding"] > 0.8
    assert figures["probes"][0]["n_probes"] == 30
    # 36 of 60 utterances or so train: two batches of 32 a probe and epoch.
    assert figures["probes"][0]["n_steps"] == 60
    tables = {table.title: table for table in bench_tables(figures)}
    assert {"Extraction", "Store", "Probes"} <= set(tables)
    assert all(len(row) == len(table.columns) for table in tables.values() for row in table.rows)


def test_parts_are_measured_alone() -> None:
    figures = run_bench(default_request(CPU, is_quick=True, parts=("store",)), lambda _: None)
    assert set(figures) == {"at", "machine", "store", "peak_memory_mb"}
    assert figures["store"]["n_clips"] == 20


@pytest.fixture
def slow_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that is fast in float32 and emulates bfloat16."""
    rates = {torch.float32: 1e12, torch.bfloat16: 1e6}
    monkeypatch.setattr("emobox_hf.bench.budget.measure_rate", lambda device, dtype: rates[dtype])


@pytest.mark.usefixtures("slow_bfloat16")
def test_what_would_take_minutes_is_skipped_by_name() -> None:
    heard: list[str] = []
    figures = run_bench(default_request(CPU, is_quick=True, audio_s=3.0), heard.append)
    assert [one["what"] for one in figures["skipped"]] == [
        "products of matrices in bf16",
        "wav2vec2-toy in bf16",
        "whisper-toy in bf16",
        "probes in bfloat16",
    ]
    assert min(one["seconds"] for one in figures["skipped"]) > 120
    assert {product["dtype"] for product in figures["gemm"]} == {"float32"}
    assert [[one["precision"] for one in encoder["extractions"]] for encoder in figures["encoders"]] == [["no"]] * 2
    assert [one["precision"] for one in figures["probes"]] == ["float32"]
    assert heard[0].startswith("about ")
    assert heard[0].endswith(" s in all")  # without what is skipped
    assert sum("TFLOP/s" in line for line in heard) == len(figures["gemm"])


@pytest.mark.usefixtures("slow_bfloat16")
def test_what_takes_minutes_is_measured_when_it_is_asked_for() -> None:
    request = default_request(CPU, is_quick=True, parts=("probes",), longest_s=float("inf"))
    figures = run_bench(request, lambda _: None)
    assert [one["precision"] for one in figures["probes"]] == ["float32", "bfloat16"]
    assert "skipped" not in figures


def test_a_part_of_which_everything_is_skipped_has_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emobox_hf.bench.budget.measure_rate", lambda device, dtype: 1.0)
    shown: list[str] = []
    figures = run_bench(default_request(CPU, is_quick=True), lambda _: None, lambda part, _: shown.append(part))
    assert shown == ["machine", "store"]
    assert [table.title for table in bench_tables(figures)] == ["Store"]
    assert {"wav2vec2-toy", "whisper-toy"} <= {one["what"] for one in figures["skipped"]}  # even the loop


def test_there_are_as_many_rounds_as_there_is_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emobox_hf.bench.budget.measure_rate", lambda device, dtype: 1e10)
    heard: list[str] = []
    request = default_request(CPU, is_quick=True, parts=("encoders",), shapes=("whisper-toy",), precisions=("no",))
    request = replace(request, rounds=3)
    lengths = [Budget(request).loop_s(make_config("whisper-toy")), 0.0]
    longest_s = max(Budget(request).extraction_s(make_config("whisper-toy"), "no"), *lengths)
    figures = run_bench(replace(request, longest_s=2.1 * longest_s), heard.append)
    assert figures["encoders"][0]["n_rounds"] == 2
    assert "whisper-toy: 2 of 3 rounds, for lack of time; --slow runs all" in heard
    assert "skipped" not in figures


def test_the_mean_of_durations_is_what_estimates_take_it_for() -> None:
    assert np.mean(draw_durations(8000)) == pytest.approx(MEAN_S, rel=0.02)


def test_given_encoders_replace_the_usual_shapes() -> None:
    assert default_request(CPU, encoders=("somewhere",)).shapes == ()
    both = default_request(CPU, encoders=("somewhere",), shapes=("whisper-tiny",))
    assert (both.shapes, both.encoders) == (("whisper-tiny",), ("somewhere",))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shapes": ("wavlm-larg",)}, "did you mean 'wavlm-large'"),
        ({"rounds": 0}, "--rounds is a whole number from 1"),
        ({"audio_s": 0.0}, "--audio-s is a number of seconds above 0"),
        ({"scratch": Path("nowhere")}, "--scratch is a folder that exists"),
    ],
)
def test_wrong_requests_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        default_request(CPU, **wrong)
    assert isinstance(default_request(CPU), BenchRequest)


def test_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device("cpu") == CPU
    with pytest.raises(InputError, match="no device 'quantum' here"):
        choose_device("quantum")


def test_a_machine_with_torch_and_transformers_alone_runs_it(checkout: Path, tmp_path: Path) -> None:
    blocked = "import sys, runpy; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split())); " + (
        "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    )
    script, out = checkout / "benchmarks" / "perf" / "engine.py", tmp_path / "figures.json"
    arguments = [" ".join(LACKING), str(script), "--quick", "--audio-s", "3", "--device", "cpu", "--out", str(out)]
    # Where the package is not installed its path is all that is known.
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-c", blocked, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Extraction" in done.stdout
    assert {"gemm", "encoders", "store", "probes"} <= set(json.loads(out.read_text(encoding="utf-8")))
