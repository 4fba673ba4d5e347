"""Archives unpacked: what goes where, and what is refused."""

import io
import os
import tarfile
import zipfile

import pytest

from emobox_hf.errors import InputError
from emobox_hf.sources.unpack import unpack_all


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path


def make_tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def listed(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "make",
    [
        lambda folder, files: make_zip(folder / "corpus.zip", files),
        lambda folder, files: make_tar(folder / "corpus.tar.gz", files),
        lambda folder, files: make_tar(folder / "corpus.tgz", files),
        lambda folder, files: make_tar(folder / "corpus.tar.xz", files, "w:xz"),
        lambda folder, files: make_tar(folder / "corpus.tar.bz2", files, "w:bz2"),
        lambda folder, files: make_tar(folder / "corpus.tar", files, "w:"),
        lambda folder, files: make_zip(folder / "5", files),  # what it is, not what it is called
    ],
    ids=["zip", "tar.gz", "tgz", "tar.xz", "tar.bz2", "tar", "no ending"],
)
def test_one_archive_is_unpacked_as_it_is(tmp_path, make):
    files = {"Actor_01/a.wav": b"a", "Über/ñ.wav": b"n", "read me.txt": b""}
    archive = make(tmp_path, files)
    unpack_all([archive], tmp_path / "out")
    assert listed(tmp_path / "out") == files
    assert archive.is_file()


def test_several_archives_go_into_folders_of_their_names_and_other_files_beside_them(tmp_path):
    tar = make_tar(tmp_path / "bea_Angry.tar.gz", {"anger_0001.wav": b"b"})
    zipped = make_zip(tmp_path / "sam.v1.zip", {"anger_0001.wav": b"s"})
    table = tmp_path / "metadata.csv"
    table.write_bytes(b"id|emotion\n")
    unpack_all([tar, zipped, table], tmp_path / "out")
    assert listed(tmp_path / "out") == {
        "bea_Angry/anger_0001.wav": b"b",
        "sam.v1/anger_0001.wav": b"s",
        "metadata.csv": b"id|emotion\n",
    }


def test_only_the_members_that_are_wanted_are_unpacked(tmp_path):
    files = {"DB-1f/Sound Source/Sad/a.wav": b"a", "DB-1f/Model/a.jpg": b"j"}
    unpack_all([make_zip(tmp_path / "a.zip", files)], tmp_path / "zip", members=["*/Sound Source/*"])
    unpack_all([make_tar(tmp_path / "a.tgz", files)], tmp_path / "tar", members=["*/Sound Source/*", "*.mp3"])
    for out in ("zip", "tar"):
        assert listed(tmp_path / out) == {"DB-1f/Sound Source/Sad/a.wav": b"a"}


def test_archives_inside_an_archive_are_unpacked_at_the_top_and_removed(tmp_path):
    inner = {
        part: make_tar(tmp_path / f"{part}.tar.gz", {f"{part}_splits/a.mp4": part.encode()}).read_bytes()
        for part in ("train", "dev")
    }
    files = {f"Raw/{part}.tar.gz": content for part, content in inner.items()} | {"Raw/test.csv": b"t", "x.zip": b"x"}
    unpack_all([make_tar(tmp_path / "Raw.tar.gz", files)], tmp_path / "out", nested=["*.tar.gz"])
    assert listed(tmp_path / "out") == {
        "train/train_splits/a.mp4": b"train",
        "dev/dev_splits/a.mp4": b"dev",
        "Raw/test.csv": b"t",
        "x.zip": b"x",
    }


def test_the_only_archive_inside_an_archive_leaves_no_trace_of_where_it_lay(tmp_path):
    inner = make_zip(tmp_path / "inner.zip", {"POLISH/a.wav": b"a"}).read_bytes()
    outer = make_tar(tmp_path / "package.tar.gz", {"package/data/inner.zip": inner, "package/setup.py": b""})
    unpack_all([outer], tmp_path / "out", members=["*/inner.zip"], nested=["inner.zip"])
    assert listed(tmp_path / "out") == {"POLISH/a.wav": b"a"}
    assert os.listdir(tmp_path / "out") == ["POLISH"]


@pytest.mark.parametrize("name", ["../a.wav", "x/../../a.wav", "/tmp/a.wav", "..\\a.wav", "C:\\a.wav", "C:a.wav"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, make, name):
    archive = make(tmp_path / "evil.zip", {"good.wav": b"", name: b"evil"})
    with pytest.raises(InputError, match=r"evil\.zip: holds '.*a\.wav', which points outside its folder; refused"):
        unpack_all([archive], tmp_path / "deep/out")
    assert not list(tmp_path.rglob("*a.wav"))


def test_a_link_that_leaves_the_folder_is_refused(tmp_path):
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "../../secret"
        tar.addfile(info)
    with pytest.raises(InputError, match=r"evil\.tar: .*outside the destination; refused"):
        unpack_all([tmp_path / "evil.tar"], tmp_path / "deep/out")


def test_no_member_becomes_executable_by_others_or_owned_by_someone_else(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("run.sh")
        info.mode, info.uid = 0o4777, 12345
        tar.addfile(info)
    unpack_all([tmp_path / "a.tar"], tmp_path / "out")
    status = (tmp_path / "out/run.sh").stat()
    assert status.st_mode & 0o7022 == 0
    assert status.st_uid == os.getuid()


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])
    return path


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("harm", [cut, flip])
@pytest.mark.parametrize("make", ["zip", "tar.gz", "tar.xz"])
def test_a_damaged_archive_is_named(tmp_path, make, harm):
    files = {f"{i}.wav": os.urandom(3000) for i in range(3)}
    if make == "zip":
        archive = make_zip(tmp_path / "corpus.zip", files)
    else:
        archive = make_tar(tmp_path / f"corpus.{make}", files, f"w:{make[4:]}")
    with pytest.raises(InputError, match=r"corpus\.[\w.]+: (damaged, or not all of it|neither a zip nor a tar)"):
        unpack_all([harm(archive)], tmp_path / "out")


@pytest.mark.parametrize(
    ("magic", "kind"), [(b"Rar!\x1a\x07\x01\x00", "RAR"), (b"7z\xbc\xaf\x27\x1c\x00\x04", "7-Zip")]
)
def test_an_archive_that_is_not_read_here_is_left_to_a_program_that_does(tmp_path, magic, kind):
    (tmp_path / "corpus.zip").write_bytes(magic + bytes(100))
    with pytest.raises(InputError, match=rf"a {kind} archive, which is not read here; unpack it .* --data-dir"):
        unpack_all([tmp_path / "corpus.zip"], tmp_path / "out")


def test_a_name_of_an_archive_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "female.zip").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match=r"female\.zip: neither a zip nor a tar archive; it begins with b'version "):
        unpack_all([tmp_path / "female.zip"], tmp_path / "out")


def test_an_encrypted_archive_is_refused(tmp_path):
    archive = make_zip(tmp_path / "corpus.zip", {"a.wav": b"a"})
    content = bytearray(archive.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    archive.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.wav is encrypted"):
        unpack_all([archive], tmp_path / "out")


def test_what_cannot_fit_is_refused_before_it_is_unpacked(tmp_path):
    archive = make_zip(tmp_path / "many.zip", {f"{i}.wav": b"" for i in range(2000)})
    content, at = bytearray(archive.read_bytes()), 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 24 : at + 28] = (0xFFFFFFF0).to_bytes(4, "little")  # the size as the directory tells it
        at += 4
    archive.write_bytes(content)
    with pytest.raises(InputError, match=r"many\.zip, unpacked, needs 8\.59 TB, and .* are free"):
        unpack_all([archive], tmp_path / "out")
    assert listed(tmp_path / "out") == {}


def test_a_member_that_no_disk_holds_is_refused_before_it_is_written(tmp_path):
    info = tarfile.TarInfo("bomb.wav")
    info.size = 10**17
    (tmp_path / "a.tar").write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(InputError, match=r"a\.tar: bomb\.wav, unpacked, needs 1e\+05 TB"):
        unpack_all([tmp_path / "a.tar"], tmp_path / "out")
    assert not listed(tmp_path / "out")


def test_a_zip_with_a_member_without_a_name_is_damaged(tmp_path):
    data = make_zip(tmp_path / "a.zip", {"a": b"x"}).read_bytes()
    place = data.index(b"PK\x01\x02")
    table = data[place : place + 28] + b"\0\0" + data[place + 30 : place + 46] + data[place + 47 :]  # a name of 0 bytes
    end = table.index(b"PK\x05\x06")
    table = table[: end + 12] + end.to_bytes(4, "little") + table[end + 16 :]
    (tmp_path / "a.zip").write_bytes(data[:place] + table)
    with pytest.raises(InputError, match=r"a\.zip: damaged"):
        unpack_all([tmp_path / "a.zip"], tmp_path / "out")
