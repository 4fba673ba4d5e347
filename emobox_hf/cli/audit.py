"""`emobox audit`: what the test parts of a corpus share with train and validation."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from emobox_hf.cli.places import add_places
from emobox_hf.corpora.audit import SIMILAR, Audit, Overlap, audit_partition
from emobox_hf.corpora.configurations import list_folds
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import Manifest, build_manifest, find_corpus, search_corpus
from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.corpora.traits import SENTENCE, SPEAKER
from emobox_hf.errors import InputError, first_five

if TYPE_CHECKING:
    from emobox_hf.inspection.sound_check import Recordings

_PLURALS = {SIMILAR: "copies"}
_ABSENT = "not here"


def add_verbs(verbs: Any) -> None:
    """Add this group's verb to `emobox`."""
    verb = verbs.add_parser(
        "audit",
        help="what test shares with train and validation; exit 0 only if no speaker and no recording is shown to be",
        description="Speakers, sentences, sessions or dialogues where the corpus tells, and recordings with --audio. A "
        "speaker or a recording of test in train or validation is a leak. Exit 0: all that was audited is "
        "speaker-independent; 1: there is a leak, or speakers are unknown, so that nobody can tell.",
    )
    verb.add_argument("corpus", nargs="?", help="a corpus")
    verb.add_argument("config", nargs="?", help="one configuration, in full; else all published folds, a line each")
    verb.add_argument("--all", action="store_true", dest="every", help="every corpus that is on disk, a line each")
    add_places(verb)
    verb.add_argument("--allow-missing", action="store_true", help="accept an incomplete copy")
    verb.add_argument("--audio", action="store_true", help="decode everything and find recordings that are there twice")
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.set_defaults(run=_audit)


def _audit(arguments: argparse.Namespace) -> int:
    if arguments.every == bool(arguments.corpus):
        raise InputError("name one corpus, or give --all")
    if arguments.every:
        if arguments.data_dir is not None:
            raise InputError("--data-dir is one corpus's folder; for --all put them all under $EMOBOX_DATA_DIR")
        return _audit_all(arguments)
    manifest = build_manifest(
        load_spec(arguments.corpus),
        arguments.data_dir,
        folds_dir=arguments.folds_dir,
        allow_missing=arguments.allow_missing,
    )
    recordings = _compare_recordings(manifest) if arguments.audio else None
    configs = [arguments.config] if arguments.config else list_folds(manifest.spec)
    audits = _audit_configs(manifest, configs, arguments, recordings)
    if arguments.json:
        print(json.dumps(_report(manifest, audits, recordings), ensure_ascii=False, indent=1))
    else:
        print(_describe(audits[0], manifest) if arguments.config else _tabulate(audits, manifest))
        print(_recordings_line(recordings))
    return 0 if all(audit.verdict == "independent" for audit in audits) else 1


def _audit_configs(
    manifest: Manifest, configs: list[str], arguments: argparse.Namespace, recordings: "Recordings | None"
) -> list[Audit]:
    return [
        audit_partition(
            partition(manifest, config, folds_dir=arguments.folds_dir),
            manifest.spec,
            recordings=None if recordings is None else recordings.identical,
            similar=None if recordings is None else recordings.copies,
        )
        for config in configs
    ]


def _compare_recordings(manifest: Manifest) -> "Recordings":
    from emobox_hf.cli.progress import watch_utterances
    from emobox_hf.inspection.sound_check import compare_recordings

    return compare_recordings(manifest, watch=watch_utterances(manifest, "listen"))


def _report(manifest: Manifest, audits: list[Audit], recordings: "Recordings | None") -> dict[str, Any]:
    report: dict[str, Any] = {
        "corpus": manifest.spec.name,
        "is_complete": manifest.is_complete,
        "audits": [audit.to_dict() for audit in audits],
    }
    if recordings is not None:
        report |= {"copies": recordings.groups, "broken": recordings.broken}
    return report


def _describe(audit: Audit, manifest: Manifest) -> str:
    """One configuration in full: what every two splits share of each kind, then what that means."""
    from emobox_hf.report.table import align

    sizes = ", ".join(f"{name} {size}" for name, size in audit.sizes.items())
    header = ("what", "of", "also in", "shared", "in all", "affected", "utterances", "examples")
    rows = [
        (
            _plural(overlap.kind),
            overlap.split,
            overlap.against,
            str(overlap.n_shared),
            str(overlap.n_values) if overlap.n_values else "unknown",
            str(overlap.n_affected),
            str(overlap.n_utterances),
            ", ".join(example if len(example) <= 24 else f"{example[:23]}…" for example in overlap.examples),
        )
        for overlap in audit.overlaps
        if overlap.n_utterances
    ]
    return "\n".join(
        [
            f"{manifest.spec.title} {audit.config}: {sizes}",
            "",
            align([header, *rows]),
            "",
            _claim("speaker-independent", audit.is_speaker_independent, audit.overlap(SPEAKER)),
            _claim("text-independent", audit.is_text_independent, audit.overlap(SENTENCE)),
        ]
    )


def _claim(name: str, holds: bool | None, overlap: Overlap) -> str:
    things = _plural(overlap.kind)
    if holds is None:
        return f"{name}: cannot tell, {overlap.n_unknown} utterances have no known {overlap.kind}"
    if holds:
        return f"{name}: yes, none of {overlap.n_values} {things} of test is in {overlap.against}"
    return (
        f"{name}: no, {overlap.n_shared} of {overlap.n_values} {things} of test are in {overlap.against}, with "
        f"{overlap.n_affected} of {overlap.n_utterances} test utterances ({overlap.affected_share:.0%})"
    )


def _recordings_line(recordings: "Recordings | None") -> str:
    """Which recordings are there twice in the whole corpus, whatever the folds."""
    if recordings is None:
        return "recordings: not compared; --audio decodes and compares them"
    groups = [" = ".join(keys) for keys in recordings.groups]
    line = f"recordings: {len(groups)} in the corpus more than once{f': {first_five(groups)}' if groups else ''}"
    if recordings.broken:
        line += f"\n{len(recordings.broken)} utterances do not decode: {first_five(recordings.broken.values())}"
    return line


def _tabulate(audits: list[Audit], manifest: Manifest) -> str:
    """A line a fold, on test against train and validation, then who is affected."""
    from emobox_hf.report.table import align

    header = ("fold", "test", *map(_plural, audits[0].kinds), "affected", "verdict")
    rows = [
        (
            audit.config,
            str(audit.sizes["test"]),
            *(_fraction(audit.overlap(kind)) for kind in audit.kinds),
            f"{audit.overlap(SPEAKER).affected_share:.0%}",
            audit.verdict,
        )
        for audit in audits
    ]
    lines = [
        f"{manifest.spec.title}: of test, also in train or validation (shared/all)",
        "",
        align([header, *rows]),
        "",
        "affected: test utterances of a speaker that is also in train or validation",
    ]
    if any(audit.is_speaker_independent is None for audit in audits):
        lines.append(f"cannot tell: {audits[0].overlap(SPEAKER).n_unknown} utterances have no known speaker")
    return "\n".join(lines)


def _audit_all(arguments: argparse.Namespace) -> int:
    from emobox_hf.report.table import align

    table: list[dict[str, Any]] = []
    for name in list_corpora():
        spec = load_spec(name)
        row: dict[str, Any] = {"corpus": name, "folds": len(list_folds(spec)), "verdict": _ABSENT, "audits": []}
        table.append(row)
        try:
            root = find_corpus(spec)
        except InputError:
            continue
        try:
            manifest = search_corpus(spec, root, folds_dir=arguments.folds_dir)
            recordings = _compare_recordings(manifest) if arguments.audio else None
            audits = _audit_configs(manifest, list_folds(spec), arguments, recordings)
        except InputError as error:
            row |= {"verdict": "not audited", "error": str(error)}
            continue
        row |= _report(manifest, audits, recordings)
        verdicts = {audit.verdict for audit in audits}
        row["verdict"] = next(found for found in ("leak", "cannot tell", "independent") if found in verdicts)
        row["cells"] = [_total(audits, SPEAKER), _total(audits, SENTENCE), _total_share(audits)]
    here = [row for row in table if row["verdict"] != _ABSENT]
    if arguments.json:
        shown = [{name: value for name, value in row.items() if name != "cells"} for row in table]
        print(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        header = ("corpus", "folds", "test speakers in train", "sentences", "affected", "verdict")
        rows = [
            (row["corpus"], str(row["folds"]), *row.get("cells", ("", "", "")), _show_verdict(row)) for row in table
        ]
        leaking = [row["corpus"] for row in here if row["verdict"] == "leak"]
        print(align([header, *rows]))
        print(
            f"\nof test, also in train or validation, all folds together (shared/all); {len(here)} of {len(table)} "
            f"corpora are here, {len(leaking)} leak"
        )
    return 0 if here and all(row["verdict"] == "independent" for row in here) else 1


def _show_verdict(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"not audited: {row['error'].splitlines()[0]}"
    return f"{row['verdict']}{'' if row.get('is_complete', True) else ', of an incomplete copy'}"


def _total(audits: list[Audit], kind: str) -> str:
    overlaps = [audit.overlap(kind) for audit in audits]
    n_values = sum(overlap.n_values for overlap in overlaps)
    return f"{sum(overlap.n_shared for overlap in overlaps)}/{n_values}" if n_values else "unknown"


def _total_share(audits: list[Audit]) -> str:
    overlaps = [audit.overlap(SPEAKER) for audit in audits]
    n_utterances = sum(overlap.n_utterances for overlap in overlaps)
    if not any(overlap.n_values for overlap in overlaps):
        return ""
    return f"{sum(overlap.n_affected for overlap in overlaps) / n_utterances:.0%}"


def _fraction(overlap: Overlap) -> str:
    return f"{overlap.n_shared}/{overlap.n_values}" if overlap.n_values else "unknown"


def _plural(kind: str) -> str:
    return _PLURALS.get(kind) or (kind if kind.endswith("s") else f"{kind}s")
