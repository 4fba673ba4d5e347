"""The figures of `emobox bench` as tables."""

from collections.abc import Callable
from typing import Any

from emobox_hf.report.table import Cell, Table, percent
from emobox_hf.text import show_number


def bench_tables(figures: dict[str, Any]) -> list[Table]:
    """A table for each part that was measured."""
    return [bench_table(part, figures) for part in MAKERS if part in figures]


def bench_table(part: str, figures: dict[str, Any]) -> Table:
    """The table of one part."""
    return MAKERS[part](figures[part])


def describe_machine(figures: dict[str, Any]) -> str:
    """A line that says when and on which machine, with which versions, a bench runs."""
    machine = figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = machine.get("device_name") or f"{machine['n_threads']} threads of {machine['n_cores']} cores"
    return f"{figures['at']}, {where}, {machine['processor']}, {machine['platform']}; {versions}"


def _gemm_table(products: Any) -> Table:
    best = {product["dtype"]: 0.0 for product in products}
    for product in products:
        best[product["dtype"]] = max(best[product["dtype"]], product["tflops"])
    rows = tuple(
        (p["dtype"], p["m"], p["k"], p["n"], _three(p["tflops"]), "best" if p["tflops"] == best[p["dtype"]] else "")
        for p in products
    )
    return Table("Products of matrices, (m, k) by (k, n)", ("dtype", "m", "k", "n", "TFLOP/s", ""), rows)


def _encoders_table(encoders: Any) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in encoders:
        name = one["name"] if one["is_random"] else f"{one['name']} (given weights)"
        flop = one["gflop_per_audio_s"]
        loop_tflops = None if flop is None else _three(flop * one["loop_audio_s_per_s"] / 1000)
        rates = (_three(one["loop_audio_s_per_s"]), _three(one["loop_clips_per_s"]))
        rows.append((name, "loop, float32", *rates, 1.0, loop_tflops, None, None, None, 0.0, None, None))
        for ours in one["extractions"]:
            rows.append(
                (
                    name,
                    ours["precision"],
                    _three(ours["audio_s_per_s"]),
                    _three(ours["clips_per_s"]),
                    ours["times_loop"],
                    _three(ours["tflops"]),
                    percent(ours["fraction_of_peak"]),
                    percent(ours["forward_fraction_of_peak"]),
                    percent(ours["busy_fraction"]),
                    percent(ours["padding"]),
                    None if ours["pass_memory_mb"] is None else round(ours["pass_memory_mb"]),
                    _three(ours["all_corpora_min"]),
                )
            )
    columns = (
        "encoder",
        "precision",
        "audio s/s",
        "clips/s",
        "x loop",
        "TFLOP/s",
        "% of peak",
        "passes alone",
        "% busy",
        "% padding",
        "MB a pass",
        "all corpora, min",
    )
    notes = (
        "loop: plain transformers, one clip at a time, as EmoBox extracts but under no_grad, storing nothing; ours "
        "goes from a WAV file to a shard on disk.",
        "% of peak: operations as plain transformers has them, against the product measured right before; medians over "
        "the rounds. Padding: of the batches of 8,000 clips of 0.6 to 12 s; Whisper hears 30 s of each.",
        "% busy: share of the time in which a pass is under way, on a GPU by its own clock.",
        "all corpora: 262,020 utterances, 294 h, at this rate.",
    )
    return Table("Extraction", columns, tuple(rows), notes)


def _store_table(store: Any) -> Table:
    columns = ("utterances", "MB", "written MB/s", "read MB/s", "pooled vectors read/s")
    row = (
        store["n_clips"],
        store["stored_mb"],
        _three(store["write_mb_s"]),
        _three(store["read_mb_s"]),
        _three(store["read_pooled_clips_s"]),
    )
    notes = ("Of 4 s, 768 dimensions, 13 layers, float16; verified when read, perhaps from the memory of the system.",)
    return Table("Store", columns, (row,), notes)


def _probes_table(probes: Any) -> Table:
    rows = tuple(
        (
            p["precision"],
            p["n_probes"],
            p["n_steps"],
            _three(p["steps_per_s"]),
            _three(p["loop_steps_per_s"]),
            p["times_loop"],
        )
        for p in probes
    )
    columns = ("precision", "probes", "steps", "steps/s", "one at a time", "x loop")
    notes = ("A step is a batch of 32 utterances of one probe: head emobox, 5 folds, 2 learning rates, 3 seeds.",)
    return Table("Probes", columns, rows, notes)


MAKERS: dict[str, Callable[[Any], Table]] = {
    "gemm": _gemm_table,
    "encoders": _encoders_table,
    "store": _store_table,
    "probes": _probes_table,
}


def _three(value: float | None) -> str | None:
    return None if value is None else show_number(value)
