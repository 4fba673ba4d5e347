"""`emobox bench`: how fast this machine extracts, stores and probes."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, get_args

from emobox_hf.precision import Precision


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "bench",
        help="how fast this machine extracts, stores and probes, beside plain loops",
        description="Rates of this machine, in one run: products of matrices, extraction in each precision beside a "
        "loop over single clips, a store, probes. Needs neither a corpus nor a network; about four minutes on two "
        "cores.",
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
    add("--quick", action="store_true", help="the smallest models and sizes: whether it runs, in seconds")
    add("--out", type=Path, metavar="FILE", help="write the figures there too, as JSON")
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    verb.set_defaults(run=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    from emobox_hf.bench.measure import choose_device, default_request, run_bench
    from emobox_hf.bench.rate_tables import bench_tables, describe_run
    from emobox_hf.files import write_text

    lists = {"shapes": "shapes", "encoders": "encoder", "precisions": "precisions", "parts": "parts"}
    chosen = {name: getattr(arguments, option) for name, option in lists.items()}
    request = default_request(
        choose_device(arguments.device),
        is_quick=arguments.quick,
        audio_s=arguments.audio_s,
        rounds=arguments.rounds,
        scratch=arguments.scratch,
        **{name: None if values is None else tuple(dict.fromkeys(values)) for name, values in chosen.items()},
    )
    figures = run_bench(request, _say)
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    if arguments.out:
        write_text(arguments.out, text + "\n")
    if arguments.json:
        print(text)
        return 0
    tables = bench_tables(figures)
    print(describe_run(figures), end="\n\n")
    if arguments.markdown:
        print("\n".join(table.to_markdown() for table in tables), end="")
    else:
        print("\n\n".join(table.to_text() for table in tables))
    return 0


def _say(what: str) -> None:
    """What is being measured, where somebody sees it."""
    if sys.stderr.isatty():
        print(f"measuring {what}", file=sys.stderr)
