"""`emobox list`, `show`, `check`, `manifest`, `fetch`: what corpora there are and what is on disk."""

import argparse
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emobox_hf.cli import fetch
from emobox_hf.cli.options import add_places
from emobox_hf.corpora.configurations import list_configs, list_folds
from emobox_hf.corpora.manifest import (
    Manifest,
    build_manifest,
    find_corpus,
    format_manifest,
    search_corpus,
    write_manifest,
)
from emobox_hf.corpora.spec import ACCESS, CorpusSpec, list_corpora, load_spec
from emobox_hf.errors import first_five

if TYPE_CHECKING:
    from emobox_hf.inspection.sound_check import SoundCheck


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser("list", help="the corpora")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(run=_list)

    verb = verbs.add_parser("show", help="what is known of a corpus: labels, folds, licence, expected files")
    verb.add_argument("corpus")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(run=_show)

    verb = verbs.add_parser(
        "check", help="compare a corpus on disk with what a complete copy holds; exit 1 if it is not"
    )
    verb.add_argument("corpus")
    add_places(verb)
    verb.add_argument("--all", action="store_true", dest="every", help="name everything, not the first five of a kind")
    verb.add_argument("--audio", action="store_true", help="decode every file too; exit 1 if one cannot be decoded")
    verb.add_argument("--json", action="store_true", help="as JSON, with every key")
    verb.set_defaults(run=_check)

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


def _check(arguments: argparse.Namespace) -> int:
    spec = load_spec(arguments.corpus)
    manifest = search_corpus(spec, find_corpus(spec, arguments.data_dir), folds_dir=arguments.folds_dir)
    sound = _listen(manifest) if arguments.audio else None
    if arguments.json:
        report = _report(manifest) | ({"audio": sound.to_dict()} if sound else {})
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_describe(manifest, every=arguments.every)))
        if sound:
            print("\n".join(_describe_sound(sound, every=arguments.every)))
    return 0 if manifest.is_complete and (sound is None or sound.is_sound) else 1


def _listen(manifest: Manifest) -> "SoundCheck":
    from emobox_hf.cli.progress import watch_utterances
    from emobox_hf.inspection.sound_check import check_sound

    return check_sound(manifest, watch=watch_utterances(manifest, "decode"))


def _report(manifest: Manifest) -> dict[str, Any]:
    return {
        "corpus": manifest.spec.name,
        "root": str(manifest.root),
        "complete": manifest.is_complete,
        "expected": manifest.spec.expected.utterances,
        "found": len(manifest.utterances),
        "verdict": manifest.verdict,
        "explanation": manifest.explanation,
        "placeholders": manifest.placeholders,
        "missing": list(manifest.missing),
        "duplicates": manifest.duplicates,
        "left_out": manifest.left_out,
        "unexpected": list(manifest.unexpected),
        "emotions": manifest.count("emotion"),
        "speakers": manifest.count("speaker"),
    }


def _describe(manifest: Manifest, *, every: bool) -> list[str]:
    """What was found in a copy, a line a kind; the first five of a kind are named, or every one."""
    spec, speakers = manifest.spec, manifest.count("speaker")
    named = partial(_named, every=every)
    return [
        f"{spec.title} in {manifest.root}: {manifest.verdict}",
        *([f"  {manifest.explanation}"] if manifest.explanation else []),
        f"  found       {len(manifest.utterances)} of {spec.expected.utterances} utterances",
        f"  speakers    {len(speakers)} of {spec.expected.speakers}: {_counts(speakers)}",
        f"  emotions    {_counts(manifest.count('emotion'))}",
        f"  missing     {len(manifest.missing)} by name{named(manifest.missing)}",
        f"  unsound     {len(manifest.placeholders)} files that cannot be sound{named(manifest.placeholders)}",
        f"  duplicate   {len(manifest.duplicates)}{named(manifest.duplicates)}",
        f"  left out    {len(manifest.left_out)}, not used by EmoBox{named(manifest.left_out) if every else ''}",
        f"  unexpected  {len(manifest.unexpected)} audio files that are no utterance{named(manifest.unexpected)}",
    ]


def _describe_sound(sound: "SoundCheck", *, every: bool) -> list[str]:
    rates = {f"{rate_hz} Hz:": count for rate_hz, count in sound.sample_rates_hz.items()}
    channels = {f"{n_channels}:": count for n_channels, count in sound.channels.items()}
    named = partial(_named, every=every)
    return [
        f"  sound       {sound.duration_s / 3600:.2f} h in {sound.n_files} files",
        f"  rates       {_counts(rates)}",
        f"  channels    {_counts(channels)}",
        f"  broken      {len(sound.broken)} do not decode{named(sound.broken.values())}",
        f"  short       {len(sound.short)} under one frame (25 ms){named(sound.short)}",
        f"  long        {len(sound.long)} over 30 s{named(f'{key} ({s:g} s)' for key, s in sound.long.items())}",
        f"  silent      {len(sound.silent)}{named(sound.silent)}",
    ]


def _counts(counts: dict[str, int]) -> str:
    shown = [f"{name} {count}" for name, count in list(counts.items())[:24]]
    return ", ".join(shown) + (f" … {len(counts) - 24} more" if len(counts) > 24 else "")


def _named(items: Iterable[object], *, every: bool) -> str:
    listed = list(items)
    if not listed:
        return ""
    return "\n    " + "\n    ".join(map(str, listed)) if every else f": {first_five(listed)}"


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
