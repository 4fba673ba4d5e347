"""`emobox bench`: how fast this machine extracts, stores and probes."""

import argparse
import json
import math
from pathlib import Path
from typing import Any, get_args

from emobox_hf.precision import Precision
from emobox_hf.progress import LOGGER


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "bench",
        help="how fast this machine extracts, stores and probes, beside plain loops",
        description="Rates of this machine, in one run: products of matrices, extraction in each precision beside a "
        "loop over single clips, a store, probes. Needs neither a corpus nor a network; about four minutes on two "
        "cores. Of what would take over two minutes by itself fewer rounds are run; what takes longer even so, such as "
        "bfloat16 on a processor without instructions for it, is skipped and named.",
    )
    add = verb.add_argument
    add("--shapes", nargs="+", metavar="SHAPE", help="published encoders, with random weights, such as wavlm-large")
    add(
        "--encoder",
        nargs="+",
        metavar="ENCODER",
        help="encoders with their weights: folders, or ids in the Hub's cache",
    )
    add("--precisions", nargs="+", choices=get_args(Precision), help="of extraction")
    add("--parts", nargs="+", choices=("gemm", "encoders", "store", "probes"), help="what to measure; else all")
    add("--device", help="cpu, cuda or cuda:1; else a GPU where there is one")
    add("--audio-s", type=float, help="seconds of sound that each extraction encodes")
    add("--rounds", type=int, help="times that each is measured; medians are given (3)")
    add("--scratch", type=Path, help="where the temporary stores lie: the disk to measure")
    add("--slow", action="store_true", help="measure what takes over two minutes, too, and in all rounds")
    add("--quick", action="store_true", help="the smallest models and sizes: whether it runs, in seconds")
    add("--out", type=Path, metavar="FILE", help="write the figures there too, as JSON")
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    verb.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    from emobox_hf.bench.estimate import Skipped, describe_skipped
    from emobox_hf.bench.measure import choose_device, default_request, run_bench
    from emobox_hf.bench.rate_tables import bench_table, describe_machine
    from emobox_hf.files import write_text

    lists = {"shapes": "shapes", "encoders": "encoder", "precisions": "precisions", "parts": "parts"}
    chosen = {name: getattr(arguments, option) for name, option in lists.items()}
    request = default_request(
        choose_device(arguments.device),
        is_quick=arguments.quick,
        audio_s=arguments.audio_s,
        rounds=arguments.rounds,
        scratch=arguments.scratch,
        longest_s=math.inf if arguments.slow else None,
        **{name: None if values is None else tuple(dict.fromkeys(values)) for name, values in chosen.items()},
    )

    def show(part: str, figures: dict[str, Any]) -> None:
        if arguments.json:
            return
        if part == "machine":
            print(describe_machine(figures), end="\n\n", flush=True)
        else:
            table = bench_table(part, figures)
            print(table.to_markdown() if arguments.markdown else f"{table.to_text()}\n", flush=True)

    figures = run_bench(request, LOGGER.info, show)
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    if arguments.out:
        write_text(arguments.out, text + "\n")
    skipped = describe_skipped([Skipped(**one) for one in figures.get("skipped", ())])
    if arguments.json:
        print(text)
        if skipped:
            LOGGER.warning(skipped)
        return 0
    print(f"peak memory {figures['peak_memory_mb']} MB" + (f"\n{skipped}" if skipped else ""))
    return 0
