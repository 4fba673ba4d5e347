"""Unpacking zip and tar archives: nothing outside the folder, every checksum inside compared."""

import gzip
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PureWindowsPath

from emobox_hf.errors import InputError
from emobox_hf.sources.download import check_space

ENDINGS = (".tar.gz", ".tar.xz", ".tar.bz2", ".tgz", ".tar", ".zip")
_UNREAD = {b"Rar!\x1a\x07": "RAR", b"7z\xbc\xaf\x27\x1c": "7-Zip"}
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, IndexError, struct.error),  # zipfile and tarfile on hostile tables of contents
)


def unpack_all(
    archives: Sequence[Path], into: Path, *, members: Sequence[str] = (), nested: Sequence[str] = ()
) -> None:
    """Unpack archives into a new folder; where there are several, each into a folder of its own name.

    Args:
        archives: Zip and tar archives, by their content; any other file is put into the folder as it is.
        into: The folder.
        members: Patterns of the names that are unpacked of each; all by default.
        nested: Patterns of names of archives inside them that are unpacked as well, in the same way, and then removed.

    Raises:
        InputError: An archive is damaged, of a kind that is not read here, holds a name that leaves the folder, or
            does not fit on the disk.
    """
    into.mkdir(parents=True)
    _unpack_each(archives, into, members)
    inner = [path for path in sorted(into.rglob("*")) if any(fnmatchcase(path.name, pattern) for pattern in nested)]
    if inner:
        _unpack_each(inner, into, ())
        for path in inner:
            path.unlink()
            _remove_empty(path.parent, into)


def _unpack_each(archives: Sequence[Path], into: Path, members: Sequence[str]) -> None:
    for archive in archives:
        folder = into / _stem(archive.name) if len(archives) > 1 else into
        try:
            _unpack(archive, folder, into, members)
        except tarfile.FilterError as error:
            raise InputError(f"{archive.name}: {error}; refused") from error
        except _DAMAGE as error:
            raise InputError(
                f"{archive}: damaged, or not all of it: {error}; remove it, and the next call downloads it again"
            ) from error
        except OSError as error:
            raise InputError(f"{archive.name}: cannot be unpacked: {error.strerror or error}") from error


def _unpack(archive: Path, folder: Path, into: Path, members: Sequence[str]) -> None:
    with open(archive, "rb") as file:
        beginning = file.read(8)
    for magic, kind in _UNREAD.items():
        if beginning.startswith(magic):
            raise InputError(
                f"{archive}: a {kind} archive, which is not read here; unpack it with a program that does, and give "
                "the folder with --data-dir"
            )
    if beginning.startswith(b"PK") and zipfile.is_zipfile(archive):
        _unpack_zip(archive, folder, members)
    elif tarfile.is_tarfile(archive):
        _unpack_tar(archive, folder, members)
    elif archive.name.endswith(ENDINGS):
        raise InputError(f"{archive.name}: neither a zip nor a tar archive; it begins with {beginning!r}")
    else:
        _put(archive, into / archive.name)


def _unpack_zip(archive: Path, folder: Path, members: Sequence[str]) -> None:
    with zipfile.ZipFile(archive) as zipped:
        chosen = [info for info in zipped.infolist() if not info.is_dir() and _is_wanted(info.filename, members)]
        for info in chosen:
            _check_name(archive, info.filename)
            if info.flag_bits & 1:
                raise InputError(f"{archive.name}: {info.filename} is encrypted, and there is no password")
        check_space(folder.parent, sum(info.file_size for info in chosen), f"{archive.name}, unpacked, needs")
        for info in chosen:
            zipped.extract(info, folder)


def _unpack_tar(archive: Path, folder: Path, members: Sequence[str]) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            if _is_wanted(member.name, members):
                _check_name(archive, member.name)
                check_space(folder.parent, member.size, f"{archive.name}: {member.name}, unpacked, needs")
                tar.extract(member, folder, filter="data")
        while tar.fileobj is not None and tar.fileobj.read(1 << 20):
            pass  # a checksum of the whole comes at its very end, where tarfile has no reason to look


def _put(file: Path, target: Path) -> None:
    """Link a file under a second name where the disk can do that, else copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def _check_name(archive: Path, name: str) -> None:
    path = PureWindowsPath(name)  # which splits at either slash and knows drives
    if path.anchor or ".." in path.parts:
        raise InputError(f"{archive.name}: holds {name!r}, which points outside its folder; refused")


def _is_wanted(name: str, members: Sequence[str]) -> bool:
    return not members or any(fnmatchcase(name, pattern) for pattern in members)


def _stem(name: str) -> str:
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
