import os
from pathlib import Path

import pytest

from emobox_hf.errors import InputError
from emobox_hf.files import cache_dir
from emobox_hf.memo import look_up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


def count_reads(read: list[str]):
    def reader(path: Path) -> str:
        read.append(path.name)
        return path.read_text(encoding="utf-8")

    return reader


def test_a_file_is_read_once(folder: Path) -> None:
    read: list[str] = []
    for _ in range(2):
        assert look_up("text", folder, ["b.txt", "a.txt"], count_reads(read)) == {"b.txt": "b.txt", "a.txt": "a.txt"}
    assert sorted(read) == ["a.txt", "b.txt"]


def test_a_changed_file_is_read_again(folder: Path) -> None:
    read: list[str] = []
    look_up("text", folder, ["a.txt", "b.txt"], count_reads(read))
    (folder / "a.txt").write_text("c.txt", encoding="utf-8")
    os.utime(folder / "a.txt", ns=(1, 1))
    assert look_up("text", folder, ["a.txt", "b.txt"], count_reads(read))["a.txt"] == "c.txt"
    assert sorted(read) == ["a.txt", "a.txt", "b.txt"]


def test_kinds_and_folders_do_not_mix(folder: Path, tmp_path: Path) -> None:
    read: list[str] = []
    inner = tmp_path / "a.txt-other"
    inner.mkdir()
    (inner / "a.txt").write_text("inner", encoding="utf-8")
    assert look_up("text", folder, ["a.txt"], count_reads(read)) == {"a.txt": "a.txt"}
    assert look_up("text", inner, ["a.txt"], count_reads(read)) == {"a.txt": "inner"}
    assert look_up("length", folder, ["a.txt"], lambda path: str(path.stat().st_size)) == {"a.txt": "5"}


def test_an_error_is_given_back_and_not_remembered(folder: Path) -> None:
    def refuse(path: Path) -> str:
        raise InputError(f"{path.name} is broken")

    assert isinstance(look_up("text", folder, ["a.txt"], refuse)["a.txt"], InputError)
    assert isinstance(look_up("text", folder, ["none.txt"], count_reads([]))["none.txt"], OSError)
    assert look_up("text", folder, ["a.txt"], count_reads([])) == {"a.txt": "a.txt"}


@pytest.mark.parametrize("obstacle", ["damaged", "a folder"])
def test_without_a_memo_everything_is_read(folder: Path, obstacle: str) -> None:
    memo = cache_dir() / "memo.sqlite"
    if obstacle == "damaged":
        memo.write_bytes(b"not a database" * 100)
    else:
        memo.mkdir()
    read: list[str] = []
    for _ in range(2):
        assert look_up("text", folder, ["a.txt"], count_reads(read)) == {"a.txt": "a.txt"}
    assert read == ["a.txt", "a.txt"]
