"""`emobox list`, `show`, `manifest`: what corpora there are; `check` and `fetch` have files of their own."""

import argparse
import json
from pathlib import Path
from typing import Any

from emobox_hf.cli import check, fetch
from emobox_hf.cli.places import add_places
from emobox_hf.corpora.configurations import list_configs, list_folds
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.manifest_csv import format_manifest, write_manifest
from emobox_hf.corpora.spec import ACCESS, CorpusSpec, list_corpora, load_spec


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser("list", help="the corpora")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(run=_list)

    verb = verbs.add_parser("show", help="what is known of a corpus: labels, folds, licence, expected files")
    verb.add_argument("corpus")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(run=_show)

    check.add_verb(verbs)

    verb = verbs.add_parser("manifest", help="every utterance of a corpus on disk, as a CSV table")
    verb.add_argument("corpus")
    add_places(verb)
    verb.add_argument("--out", type=Path, help="a file; else the table is printed")
    verb.add_argument("--allow-missing", action="store_true", help="accept an incomplete copy")
    verb.set_defaults(run=_manifest)

    fetch.add_verb(verbs)


def _list(arguments: argparse.Namespace) -> int:
    from emobox_hf.report.table import align

    specs = [load_spec(name) for name in list_corpora()]
    if arguments.json:
        print(json.dumps([_summarize(spec) for spec in specs], ensure_ascii=False, indent=1))
        return 0
    header = ("corpus", "utterances", "speakers", "emotions", "folds", "language", "access", "title")
    rows = [
        (
            spec.name,
            str(spec.expected.utterances),
            str(spec.expected.speakers or "?"),
            str(len(spec.emotions)),
            str(len(spec.folds.published)),
            " ".join(spec.languages),
            spec.access,
            spec.title,
        )
        for spec in specs
    ]
    print(align([header, *rows]))
    return 0


def _summarize(spec: CorpusSpec) -> dict[str, Any]:
    return {
        "corpus": spec.name,
        "title": spec.title,
        "version": spec.version,
        "homepage": spec.homepage,
        "licence": spec.licence,
        "access": spec.access,
        "obtain": spec.obtain,
        "languages": list(spec.languages),
        "source": spec.source,
        "utterances": spec.expected.utterances,
        "speakers": spec.expected.speakers,
        "emotions": list(spec.emotions),
        "labels": dict(spec.labels),
        "left_out": dict(spec.labels_left_out),
        "configurations": list_configs(spec),
        "fold_sizes": [{"train": f.train, "validation": f.validation, "test": f.test} for f in spec.folds.published],
        "notes": list(spec.notes),
    }


def _show(arguments: argparse.Namespace) -> int:
    spec = load_spec(arguments.corpus)
    if arguments.json:
        print(json.dumps(_summarize(spec), ensure_ascii=False, indent=1))
        return 0
    codes = {emotion: [code for code, label in spec.labels.items() if label == emotion] for emotion in spec.emotions}
    sizes = ", ".join(str(fold.test) for fold in spec.folds.published)
    folds = f"{len(list_folds(spec))} by {spec.folds.source}" + (f"; test sizes {sizes}" if sizes else "")
    lines = [
        f"{spec.title} ({spec.name} {spec.version})",
        f"  {spec.expected.utterances} utterances, {spec.expected.speakers} speakers; "
        f"{', '.join(spec.languages)}; {spec.source}",
        f"  home page  {spec.homepage}",
        f"  licence    {spec.licence}",
        f"  access     {ACCESS[spec.access]}. {spec.obtain}",
        f"  emotions   {', '.join(f'{emotion} ({chr(32).join(names)})' for emotion, names in codes.items())}",
        f"  folds      {folds}",
        *(f"  note       {note}" for note in spec.notes),
        "  expected files:",
        *(f"    {line}" for line in spec.tree.strip("\n").splitlines()),
    ]
    print("\n".join(lines))
    return 0


def _manifest(arguments: argparse.Namespace) -> int:
    spec = load_spec(arguments.corpus)
    manifest = build_manifest(
        spec, arguments.data_dir, folds_dir=arguments.folds_dir, allow_missing=arguments.allow_missing
    )
    if arguments.out is None:
        print(format_manifest(manifest.utterances), end="")
    else:
        write_manifest(manifest.utterances, arguments.out)
        print(f"{len(manifest.utterances)} utterances written to {arguments.out}")
    return 0
