"""Manifests: every utterance of a corpus on disk, with what is missing, unexpected or double."""

import dataclasses
import os
import shlex
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from emobox_hf.corpora.copies import describe_other_release, explain_duplicates, explain_unexpected
from emobox_hf.corpora.discovery import STRATEGIES
from emobox_hf.corpora.discovery.tree import FileTree, is_text
from emobox_hf.corpora.lists import known_keys
from emobox_hf.corpora.placeholders import find_placeholders
from emobox_hf.corpora.spec import ACCESS, CorpusSpec, load_spec
from emobox_hf.corpora.utterance import Findings, Utterance
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import cache_dir, sha256_of_keys
from emobox_hf.progress import progress
from emobox_hf.text import count_of

NOT_LISTED = "in none of EmoBox's lists"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The utterances of a corpus under `root`, sorted by key, each key once, and what a search found amiss.

    `missing` maps a key that is known to belong to the corpus to where it was looked for, `left_out` maps keys that
    EmoBox does not use to the reason, `duplicates` maps a key to all files that claim it (none of them is in
    `utterances`), `unexpected` lists audio files that belong to no utterance. `placeholders` maps files that cannot be
    sound to the cause; their utterances are among the missing. `are_keys_known` says whether the keys are those that
    EmoBox published; None where neither the spec nor lists at hand tell, and utterances can only be counted.
    """

    spec: CorpusSpec
    root: Path
    utterances: tuple[Utterance, ...]
    missing: dict[str, str]
    left_out: dict[str, str]
    duplicates: dict[str, list[str]]
    unexpected: tuple[str, ...]
    placeholders: dict[str, str] = dataclasses.field(default_factory=dict)
    are_keys_known: bool | None = None

    @property
    def n_absent(self) -> int:
        """How many utterances fewer there are than a complete copy holds."""
        return self.spec.expected.utterances - len(self.utterances)

    @property
    def is_complete(self) -> bool:
        """Whether exactly the utterances that EmoBox published are there, none double: the one rule of every door.

        `missing` may name more: rows of the corpus's own tables whose audio EmoBox did not have either.
        """
        return self.n_absent == 0 and not self.duplicates and self.are_keys_known is not False

    @property
    def verdict(self) -> str:
        """`complete`, or what a copy lacks, in a few words."""
        if self.is_complete:
            known = "" if self.are_keys_known else " by count; neither the specification nor a list at hand tells names"
            return f"complete{known}"
        if self.duplicates:
            return f"not complete: {count_of(len(self.duplicates), 'key')} with two files or more"
        if self.n_absent > 0:
            return f"not complete: {count_of(self.n_absent, 'utterance')} fewer than expected"
        if self.n_absent < 0:
            return f"not complete: {count_of(-self.n_absent, 'utterance')} more than expected"
        return "not complete: as many utterances as expected, but not under the published names"

    @property
    def unlisted(self) -> list[str]:
        """The keys found that are in none of EmoBox's lists, where those are at hand."""
        return [key for key, reason in self.left_out.items() if reason == NOT_LISTED]

    @property
    def explanation(self) -> str:
        """What is wrong with this copy and what to do about it, in a sentence; empty where the cause is unknown."""
        causes = Counter(self.placeholders.values())
        said = [f"{count_of(n, 'file')}: {cause} ({self._example(cause)})" for cause, n in causes.items()]
        said.append(explain_duplicates(self.root, self.duplicates, [u.path for u in self.utterances]))
        if not self.is_complete:
            said.append(explain_unexpected(self.spec, self.unexpected, self.missing, n_found=len(self.utterances)))
            if self.missing and self.unlisted:
                said.append(f"in no list, and perhaps missing ones under another name: {first_five(self.unlisted)}")
        return "; ".join(filter(None, said))

    def why_missing(self, key: str) -> str:
        """Why a missing utterance has no audio."""
        return self.placeholders.get(self.missing[key], "missing from the corpus folder")

    def _example(self, cause: str) -> str:
        return first_five([path for path, found in self.placeholders.items() if found == cause][:1])

    def count(self, field: str) -> dict[str, int]:
        """How many utterances have each value of a field such as `emotion` or `speaker`."""
        return dict(sorted(Counter(str(getattr(utterance, field)) for utterance in self.utterances).items()))


def find_corpus(spec: CorpusSpec, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The corpus's folder: `data_dir`, else `$EMOBOX_DATA_DIR/<corpus>`, else what `emobox fetch` put in the cache.

    Raises:
        InputError: None of them is a folder, then the message lists the places and says how the corpus is had; or the
            folder's name is not in UTF-8.
    """
    looked: list[str] = []
    if data_dir is not None:
        places = [Path(data_dir).expanduser()]
    else:
        home = os.environ.get("EMOBOX_DATA_DIR")
        places = [Path(home).expanduser() / spec.name] if home else []
        looked = [] if home else [f"$EMOBOX_DATA_DIR/{spec.name} (the variable is not set)"]
        places.append(fetched_dir(spec))
    for place in places:
        if place.is_dir():
            if not is_text(str(place.resolve())):
                raise InputError(f"{place}: its name is not in UTF-8; rename the folder, or link to it")
            return place.resolve()
        looked.append(str(place))
    raise InputError(
        f"{spec.title} was not found; looked in {', '.join(looked)}\n{_how_to_get(spec)}"
        f"Give its folder as data_dir (--data-dir), or put it at $EMOBOX_DATA_DIR/{spec.name}"
        + (f". Expected tree:\n{spec.tree.rstrip()}" if spec.tree else "")
    )


def _how_to_get(spec: CorpusSpec) -> str:
    """Where to get a corpus and on which terms; empty where its specification does not say, as one's own may."""
    if not spec.homepage:
        return ""
    fetch = f"\n  or let `emobox fetch {spec.name_or_file}` get it" if spec.fetch else ""
    terms = f"access: {ACCESS[spec.access]}; licence: {spec.licence}"
    return f"Get it from {spec.homepage}\n  {terms}\n  {spec.obtain}{fetch}\n"


def fetched_dir(spec: CorpusSpec) -> Path:
    """Where `emobox fetch` puts a corpus."""
    return cache_dir() / "corpora" / spec.name


def search_corpus(spec: CorpusSpec, root: Path, *, folds_dir: str | os.PathLike[str] | None = None) -> Manifest:
    """What is in a corpus folder, complete or not.

    Args:
        spec: The corpus.
        root: Its folder.
        folds_dir: Where EmoBox's lists are, which name what is missing where the spec has no key patterns.

    Raises:
        InputError: A table is absent or malformed, or a raw label is unknown to the spec.
    """
    with progress(f"search {root}", only="lines"):
        findings = _discover(spec, FileTree(root))
        placeholders = find_placeholders(root, sorted({utterance.path for utterance in findings.utterances}))
    missing, left_out = dict(findings.missing), dict(findings.left_out)
    by_key: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in findings.utterances:
        if utterance.path in placeholders:
            missing[utterance.key] = utterance.path
        else:
            by_key[utterance.key].append(utterance)
    are_known, known = _compare_keys(spec, set(by_key), folds_dir)
    missing |= dict.fromkeys(known - set(by_key) - set(missing), "")
    strays = set(by_key) - known if known else set()
    left_out |= dict.fromkeys(strays, NOT_LISTED)
    by_key = defaultdict(list, {key: found for key, found in by_key.items() if key not in strays})
    return Manifest(
        spec=spec,
        root=root,
        utterances=tuple(found[0] for _, found in sorted(by_key.items()) if len(found) == 1),
        missing=dict(sorted(missing.items())),
        left_out=dict(sorted(left_out.items())),
        duplicates={key: [u.path for u in found] for key, found in sorted(by_key.items()) if len(found) > 1},
        unexpected=tuple(findings.unexpected),
        placeholders=placeholders,
        are_keys_known=are_known,
    )


def _discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """The utterances in a corpus's folder; where there are none, another release is named if it holds one."""
    other = describe_other_release(spec, tree)
    try:
        findings = STRATEGIES[spec.discovery.strategy](spec, tree)
    except InputError as error:
        raise InputError(f"{other} ({error})" if other else str(error)) from error
    if other and not findings.utterances:
        raise InputError(other)
    return findings


def _compare_keys(
    spec: CorpusSpec, found: set[str], folds_dir: str | os.PathLike[str] | None
) -> tuple[bool | None, set[str]]:
    """Whether the keys found are the published ones (None: unknown), and the published ones where they had to be read.

    Where the spec has a digest of the keys and it fits, no list is read.
    """
    digest = spec.expected.keys_sha256
    if digest and sha256_of_keys(found) == digest:
        return True, set()
    if known := known_keys(spec, folds_dir):
        return known <= found, known
    return (False if digest else None), set()


def build_manifest(
    corpus: CorpusSpec | str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    folds_dir: str | os.PathLike[str] | None = None,
    allow_missing: bool = False,
) -> Manifest:
    """What is in the corpus's folder, refused unless it is complete.

    Args:
        corpus: The corpus, its name, or the path of a specification of one's own.
        data_dir: Its folder; see `find_corpus` for where it is looked for otherwise.
        folds_dir: Where EmoBox's lists are; see `search_corpus`.
        allow_missing: Accept a copy that lacks utterances; what is absent stays listed in the manifest.

    Raises:
        InputError: The corpus is not found, has two files for one key, more utterances than expected or others than
            published, or lacks some.
    """
    spec = load_spec(corpus) if isinstance(corpus, str) else corpus
    manifest = search_corpus(spec, find_corpus(spec, data_dir), folds_dir=folds_dir)
    command = shlex.join(["emobox", "check", spec.name_or_file, "--data-dir", str(manifest.root), "--all"])
    check = f"`{command}` lists all"
    why = f". {manifest.explanation[:1].upper()}{manifest.explanation[1:]}" if manifest.explanation else ""
    expected, n_found = spec.expected.utterances, len(manifest.utterances)
    if manifest.duplicates:
        key, paths = next(iter(manifest.duplicates.items()))
        raise InputError(
            f"{spec.name}: {count_of(len(manifest.duplicates), 'key')} with two files or more under {manifest.root}; "
            f"the first is {key}: {first_five(paths)}"
            f"{why or '. Keep one copy of each, or point data_dir at one copy'}; {check}"
        )
    if not n_found:
        tree = f"; expected tree:\n{spec.tree.rstrip()}" if spec.tree else ""
        raise InputError(f"{spec.name}: no utterance found under {manifest.root}, expected {expected}{why}{tree}")
    if manifest.n_absent < 0:
        raise InputError(
            f"{spec.name}: {n_found} utterances under {manifest.root}, expected {expected}: another version of the "
            f"corpus, or files of another one among them; {check}. {_NAME_LISTS}, and the others are left out"
        )
    if manifest.is_complete or (allow_missing and manifest.n_absent):
        return manifest
    if manifest.n_absent == 0:
        raise InputError(
            f"{spec.name}: {n_found} utterances under {manifest.root}, as many as expected, but not those published: "
            f"a file was renamed or replaced; {check}. {_NAME_LISTS}, and `emobox check` names what differs"
        )
    named = f": {first_five(manifest.missing)}" if manifest.missing else ""
    raise InputError(
        f"{spec.name}: {n_found} of {expected} utterances found under {manifest.root}, {manifest.n_absent} missing"
        f"{named}{why}; {check}. To go on without them, allow missing files (--on-error skip, or "
        "allow_missing=True in load_dataset); they are then named in the record"
    )


_NAME_LISTS = "EmoBox's lists tell which belong: name them with folds_dir (--folds-dir) or $EMOBOX_FOLDS"
