"""What is wrong with a copy of a corpus, in words: doubled folders, another release, moved or converted files."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from emobox_hf.corpora.discovery.matching import check_pattern_ends, compile_path_pattern
from emobox_hf.corpora.discovery.tree import FileTree, comparable
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.errors import first_five
from emobox_hf.text import count_of

MOST = 0.9  # of the files have to fit an explanation before it is given


def describe_other_release(spec: CorpusSpec, tree: FileTree) -> str:
    """Which other release of the corpus a folder holds, and which is needed; empty where nothing shows one."""
    for release in spec.other_releases:
        found = next((path for path in tree.paths if comparable(f"/{path}").endswith(f"/{release.sign}")), None)
        if found is not None:
            return f"{spec.name}: {tree.root / found} is of {release.is_of}; {release.needed}"
    return ""


def explain_duplicates(root: Path, duplicates: Mapping[str, Sequence[str]], single: Sequence[str]) -> str:
    """The folders that most of a corpus is in twice, and one that holds it once; empty where duplicates are few.

    Args:
        root: The corpus's folder.
        duplicates: Key to the files that claim it.
        single: The files of the other utterances.
    """
    pairs = Counter(_split_off_folders(*paths) for paths in duplicates.values() if len(paths) == 2)
    n = pairs.total()
    if n < 2 or n < MOST * (len(duplicates) + len(single)):
        return ""
    common = [pair for pair, count in pairs.items() if count > n / 100]
    one, other = (first_five(sorted({str(root / pair[side]) for pair in common})) for side in (0, 1))
    every = "every utterance is" if n == len(duplicates) + len(single) else f"{n} utterances are"
    whole = _find_whole(duplicates, single)
    advice = f"--data-dir {shlex.quote(str(root / whole))} takes one" if whole else "keep one of the two"
    return f"{every} there twice, in {one} and in {other}; {advice}"


def _find_whole(duplicates: Mapping[str, Sequence[str]], single: Sequence[str]) -> str:
    """The uppermost folder under the root that holds each utterance exactly once; empty where none does."""
    n_files: Counter[str] = Counter()
    n_keys: Counter[str] = Counter()
    for paths in [*duplicates.values(), *([path] for path in single)]:
        folders = [str(folder) for path in paths for folder in PurePosixPath(path).parents]
        n_files.update(folders)
        n_keys.update(set(folders))
    n = len(duplicates) + len(single)
    whole = [folder for folder, count in n_files.items() if count == n_keys[folder] == n]
    return min(whole, key=lambda folder: (folder.count("/"), folder), default="")


def explain_unexpected(spec: CorpusSpec, unexpected: Sequence[str], missing: Mapping[str, str], *, n_found: int) -> str:
    """Whether files that are no utterance are the corpus's under another folder or type; empty where they are not.

    Args:
        spec: The corpus.
        unexpected: Audio files that are no utterance.
        missing: Key to where its audio was looked for.
        n_found: How many utterances were found.
    """
    if not unexpected:
        return ""
    if spec.discovery.strategy == "paths":
        return _compare_with_examples(spec, unexpected) or ("" if n_found else _describe_misfit(spec, unexpected))
    wanted = {comparable(path) for path in missing.values() if path}
    stems = {PurePosixPath(path).stem: path for path in wanted}
    same = [path for path in unexpected if PurePosixPath(comparable(path)).stem in stems]
    if not same or len(same) < MOST * min(len(stems), len(unexpected)):
        return ""
    one = same[0]
    other = stems[PurePosixPath(comparable(one)).stem]
    return f"{len(same)} files have the names of utterances elsewhere or of another type: {one}, where {other} belongs"


def _split_off_folders(one: str, other: str) -> tuple[str, str]:
    """The folders above two copies of one file, the one that is nearer to the root first.

    >>> _split_off_folders("a/b/x/1.wav", "x/1.wav"), _split_off_folders("set/1.wav", "set/set/1.wav")
    (('', 'a/b'), ('set', 'set/set'))
    """
    shallow, deep = sorted((one.split("/"), other.split("/")), key=lambda path: (len(path), path))
    depth = next(n for n in range(1, len(deep) + 1) if deep[:n] != shallow[:n])
    while depth < len(deep) and shallow[len(shallow) - (len(deep) - depth) :] != deep[depth:]:
        depth += 1
    return "/".join(shallow[: len(shallow) - (len(deep) - depth)]), "/".join(deep[:depth])


def _compare_with_examples(spec: CorpusSpec, unexpected: Sequence[str]) -> str:
    """Whether files would be utterances if they had the type, or lay in the folder, of one of the spec's examples."""
    examples = [PurePosixPath(example.path) for example in spec.examples]
    types = sorted({example.suffix.lower() for example in examples})
    files = [PurePosixPath(path) for path in unexpected]
    of_type = _choose_matching(spec, files, lambda file: [str(file.with_suffix(suffix)) for suffix in types])
    if of_type and len(of_type) >= MOST * len(files):
        found = first_five(sorted({file.suffix for file in of_type}))
        return (
            f"{len(of_type)} files have the names of utterances but are {found}, where EmoBox's lists have "
            f"{', '.join(types)}: a converted copy; get the corpus as its owners ship it"
        )
    in_folder = _choose_matching(spec, files, lambda file: [str(one.parent / file.name) for one in examples])
    if in_folder and len(in_folder) >= MOST * len(files):
        return (
            f"{len(in_folder)} files have the names of utterances but lie in other folders, such as {in_folder[0]}, "
            f"where {examples[0]} is expected: restore the corpus's own folders"
        )
    return ""


def _choose_matching(
    spec: CorpusSpec, files: Sequence[PurePosixPath], move: Callable[[PurePosixPath], list[str]]
) -> list[PurePosixPath]:
    """The files that the pattern of the spec would match under one of the paths that `move` gives for them."""
    pattern = compile_path_pattern(spec)
    others = {file: [comparable(path) for path in move(file)] for file in files}
    check_pattern_ends(spec, "discovery.pattern", pattern, [path for paths in others.values() for path in paths])
    return [file for file, paths in others.items() if any(map(pattern.fullmatch, paths))]


def _describe_misfit(spec: CorpusSpec, unexpected: Sequence[str]) -> str:
    wanted = f"expected were paths such as {spec.examples[0].path}" if spec.examples else spec.discovery.pattern
    files = count_of(len(unexpected), "audio file")
    return f"the spec's pattern fits none of {files}, such as {unexpected[0]}; {wanted}"
