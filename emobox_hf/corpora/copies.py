"""What is unusual about a copy of a corpus, in words: doubled trees, other releases, other folders or file types."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from emobox_hf.corpora.discovery.tree import FileTree, comparable
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.errors import InputError, first_five

MOST = 0.9  # of the files have to fit an explanation before it is given


def refuse_other_release(spec: CorpusSpec, tree: FileTree) -> None:
    """Raise an InputError where a folder holds a release of the corpus that EmoBox's lists are not of."""
    for release in spec.other_releases:
        found = next((path for path in tree.paths if comparable(f"/{path}").endswith(f"/{release.sign}")), None)
        if found is not None:
            raise InputError(f"{spec.name}: {tree.root / found} is of {release.is_of}; {release.needed}")


def explain_duplicates(root: Path, duplicates: Mapping[str, Sequence[str]]) -> str:
    """The two folders that a corpus is in twice, and the one to give; empty where duplicates have no such pattern."""
    pairs = Counter(_part_ways(*paths) for paths in duplicates.values() if len(paths) == 2)
    if not pairs:
        return ""
    (first, second), n = pairs.most_common(1)[0]
    if n < MOST * len(duplicates) or n < 2:
        return ""
    chosen = second or first
    return (
        f"{n} utterances are there twice, in {root / first} and in {root / second}; give one of the two, such as "
        f"--data-dir '{root / chosen}'"
    )


def explain_unexpected(spec: CorpusSpec, unexpected: Sequence[str], missing: Mapping[str, str]) -> str:
    """Whether files that are no utterance are the corpus's under another folder or type; empty where they are not."""
    if not unexpected:
        return ""
    if spec.discovery.strategy == "paths":
        return _compare_with_pattern(spec, unexpected)
    wanted = {comparable(path) for path in missing.values() if path}
    stems = {PurePosixPath(path).stem: path for path in wanted}
    same = [path for path in unexpected if PurePosixPath(comparable(path)).stem in stems]
    if not same or len(same) < MOST * min(len(stems), len(unexpected)):
        return ""
    one = same[0]
    other = stems[PurePosixPath(comparable(one)).stem]
    return f"{len(same)} files have the names of utterances elsewhere or of another type: {one}, where {other} belongs"


def _part_ways(one: str, other: str) -> tuple[str, str]:
    """The folder of the one copy, and that of the other, which does not hold the first.

    >>> _part_ways("a/b/x/1.wav", "x/1.wav"), _part_ways("set/1.wav", "set/set/1.wav")
    (('', 'a/b'), ('set', 'set/set'))
    """
    shallow, deep = sorted((one.split("/"), other.split("/")), key=lambda path: (len(path), path))
    depth = next(n for n in range(1, len(deep) + 1) if deep[:n] != shallow[:n])
    while depth < len(deep) and shallow[len(shallow) - (len(deep) - depth) :] != deep[depth:]:
        depth += 1
    return "/".join(shallow[: len(shallow) - (len(deep) - depth)]), "/".join(deep[:depth])


def _compare_with_pattern(spec: CorpusSpec, unexpected: Sequence[str]) -> str:
    pattern = re.compile(rf"(?:.*?/)??(?:{spec.discovery.pattern})")
    examples = [PurePosixPath(example.path) for example in spec.examples]
    kinds = sorted({example.suffix.lower() for example in examples})

    def fits(path: str) -> bool:
        return pattern.fullmatch(comparable(path)) is not None

    names = [PurePosixPath(path) for path in unexpected]
    of_type = [path for path in names if any(fits(str(path.with_suffix(kind))) for kind in kinds)]
    if len(of_type) >= MOST * len(names):
        found = first_five(sorted({path.suffix for path in of_type}))
        return (
            f"{len(of_type)} files have the names of utterances but are {found}, where EmoBox's lists have "
            f"{', '.join(kinds)}: a converted copy; get the corpus as its owners ship it"
        )
    of_folder = [path for path in names if any(fits(str(example.parent / path.name)) for example in examples)]
    if len(of_folder) >= MOST * len(names):
        return (
            f"{len(of_folder)} files have the names of utterances but lie in other folders, such as {of_folder[0]}, "
            f"where {examples[0]} is expected: restore the corpus's own folders"
        )
    return ""
