"""A disk without room, or a limit on the size of files: one line that says so, and the same command ends well later."""

import errno
import filecmp
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fault_table import Fault
from speech import make_polish

from emobox_hf.cli.main import main
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import tell_system_error

Inject = Callable[[str], Fault]
VERBS = {
    "manifest": "manifest polish --data-dir {data} --out {out}/polish.csv",
    "build": "build polish --data-dir {data} --out {out}/polish",
    "extract": "extract --corpus polish --data-dir {data} --encoder {encoder} --features {out}/features",
    "probe": "probe --corpus polish --data-dir {data} --encoder {encoder} --features {out}/features --head linear "
    "--output {out}/runs --folds fold1 fold2",
}


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """Within, no file can grow beyond so many bytes, of this process or of those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def polish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "polish"
    make_polish(root, load_spec("polish"))
    return root


def list_files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


SHORT = (("manifest", 0), ("build", 3000), ("probe", 3000))
CASES = [
    pytest.param(verb, limit, marks=() if (verb, limit) in SHORT else pytest.mark.faults)
    for verb in VERBS
    for limit in (0, 3000, 30_000)
]


@pytest.mark.parametrize(("verb", "limit"), CASES)
def test_a_disk_without_room_is_one_line_and_the_same_command_ends_well_later(
    verb: str,
    limit: int,
    polish: Path,
    encoder: Path,
    tmp_path: Path,
    inject: Inject,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOBOX_CACHE", str(tmp_path / "cache"))
    fault = inject(f"disk: no file of {verb} can grow")
    folders = [tmp_path / name for name in ("disturbed", "undisturbed")]
    for folder in folders:
        folder.mkdir()
    commands = [VERBS[verb].format(data=polish, encoder=encoder, out=folder).split() for folder in folders]
    with fault.attempt():
        with files_of_at_most(limit):
            code = main(commands[0])
        said = capsys.readouterr().err
        if code != 0:
            assert code == 2
            # Sound is encoded in a file in memory, which the limit holds for, too; its library does not say why.
            assert "a file would be larger than it may be" in said or "could not be written" in said
            assert "Traceback" not in said
            fault.saw(said.strip().splitlines()[-1])
        assert [main(command) for command in commands] == [0, 0]
        written = [list_files(folder) for folder in folders]
        if verb != "probe":  # whose record tells the time
            assert written[0] == written[1]
            for name in written[0]:
                assert filecmp.cmp(folders[0] / name, folders[1] / name, shallow=False), name
    assert limit > 0 or code == 2


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the quota is")])
def test_what_the_system_says_names_the_folders_that_are_written_to(number: int, words: str, tmp_path: Path) -> None:
    told = tell_system_error(OSError(number, "…"), [tmp_path])
    assert told is not None
    assert told.startswith(words)
    assert f"{tmp_path} (" in told
    assert "GB free" in told
    assert "x.bin" in str(tell_system_error(OSError(number, "…", "x.bin"), [tmp_path]))


def test_an_error_that_names_nothing_and_is_not_the_disk_s_is_a_fault_of_ours() -> None:
    assert tell_system_error(OSError(errno.EBADF, "bad descriptor"), []) is None
    assert tell_system_error(PermissionError(errno.EACCES, "denied", "x"), []) == "[Errno 13] denied: 'x'"
