"""The one exception that a user's mistake raises; the command line turns it into exit code 2."""

import difflib
import errno
import importlib
import shutil
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from types import ModuleType

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "a file would be larger than it may be (`ulimit -f`)",
}


class InputError(ValueError):
    """Something the user gave is wrong: a name, a folder, a file, an option.

    The message says what was expected, what was found and what to do next.
    """


class MissingPackageError(InputError):
    """A package is not installed, which says nothing of the file that it was to read: no clip is left out for it."""


def need(package: str, what: str) -> ModuleType:
    """A package that only some uses need, imported.

    Raises:
        MissingPackageError: It does not import; the message says what it is needed for.
    """
    try:
        return importlib.import_module(package)
    except (ImportError, OSError) as error:  # OSError: a library that the package wraps is not there
        raise MissingPackageError(
            f"{what}, which needs the package {package}, and it does not import ({first_line(error)}); "
            f"pip install {package}"
        ) from error


def suggest(name: str, known: Collection[str]) -> str:
    """`; did you mean 'iemocap'?` when a known name is close, else the sorted list of known names.

    >>> suggest("faer", ["Fear", "Happy"])
    "; did you mean 'Fear'?"
    """
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else f"; known: {', '.join(sorted(known))}"


def first_line(error: object) -> str:
    """What an error says, without the lines that libraries add below."""
    return str(error).strip().partition("\n")[0]


def tell_system_error(error: OSError, folders: Iterable[Path]) -> str | None:
    """What an error of the operating system says to a user; None of one that names nothing, which is a fault of ours.

    Args:
        error: It.
        folders: Where this package writes; of a full disk often nothing else is known.
    """
    if error.errno not in _FULL:
        return None if error.filename is None else str(error)
    places = ", ".join(
        f"{folder} ({shutil.disk_usage(folder).free / 1e9:.1f} GB free)"
        for folder in dict.fromkeys([*folders, Path(tempfile.gettempdir())])
        if folder.is_dir()
    )
    named = f", writing {error.filename}" if error.filename is not None else ""
    return (
        f"{_FULL[error.errno]}{named}; what was finished is kept, and the same command goes on once there is "
        f"room. Written to are {places}"
    )


def first_five(items: Iterable[object]) -> str:
    """The first five items, comma-separated, and how many more there are."""
    listed = list(items)
    more = f" … and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(str(item) for item in listed[:5]) + more
