"""`emobox check`: a copy of a corpus on disk compared with what a complete one holds, and what is printed of it."""

import argparse
import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from emobox_hf.cli.places import add_places
from emobox_hf.corpora.manifest import Manifest, find_corpus, search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import first_five

if TYPE_CHECKING:
    from emobox_hf.inspection.sound_check import SoundCheck


def add_verb(verbs: Any) -> None:
    """Add `check` to `emobox`."""
    verb = verbs.add_parser(
        "check", help="compare a corpus on disk with what a complete copy holds; exit 1 if it is not"
    )
    verb.add_argument("corpus")
    add_places(verb)
    verb.add_argument("--all", action="store_true", dest="every", help="name everything, not the first five of a kind")
    verb.add_argument("--audio", action="store_true", help="decode every file too; exit 1 if one cannot be decoded")
    verb.add_argument("--json", action="store_true", help="as JSON, with every key")
    verb.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    spec = load_spec(arguments.corpus)
    manifest = search_corpus(spec, find_corpus(spec, arguments.data_dir), folds_dir=arguments.folds_dir)
    sound = _decode(manifest) if arguments.audio else None
    if arguments.json:
        report = _report(manifest) | ({"audio": sound.to_dict()} if sound else {})
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_describe(manifest, every=arguments.every)))
        if sound:
            print("\n".join(_describe_sound(sound, every=arguments.every)))
    return 0 if manifest.is_complete and (sound is None or sound.is_sound) else 1


def _decode(manifest: Manifest) -> "SoundCheck":
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
        f"  duplicate   {len(manifest.duplicates)} keys{named(manifest.duplicates)}",
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
    """The first five items on the same line, or every one on a line of its own, with what a mapping says of it."""
    listed = list(items)
    if not listed:
        return ""
    if not every:
        return f": {first_five(listed)}"
    said = [_tell(key, items[key]) for key in listed] if isinstance(items, Mapping) else map(str, listed)
    return "\n    " + "\n    ".join(said)


def _tell(key: object, value: object) -> str:
    about = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{key}: {about}" if about else str(key)
