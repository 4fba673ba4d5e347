"""One file from a server with faults: continued, started over, refused; what is left on disk."""

import hashlib
import io
import logging
from contextlib import contextmanager
from pathlib import Path

import pytest
from download_server import running_site

from emobox_hf.errors import InputError
from emobox_hf.sources.download import ATTEMPTS, _write, download
from emobox_hf.sources.services import RemoteFile

BODY = bytes(range(256)) * 4000  # about 1 MB, several chunks
OTHER = BODY[::-1]


@pytest.fixture
def site():
    with running_site() as site:
        yield site


def remote(url, body=BODY, **known):
    return RemoteFile("data.zip", url, **known)


def sha256(body):
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def md5(body):
    return f"md5:{hashlib.md5(body).hexdigest()}"


def ranges(site):
    return [asked for _, asked in site.requests]


def fetch(file, folder, **options):
    return download(file, folder, pause_s=0, **options)


def stop_after(n_bytes):
    """A watch that does what Ctrl-C does, after so many bytes."""

    @contextmanager
    def watch(name, total, done):
        received = 0

        def advance(n):
            nonlocal received
            received += n
            if received >= n_bytes:
                raise KeyboardInterrupt

        yield advance

    return watch


def stop(file, folder, n_bytes=1):
    with pytest.raises(KeyboardInterrupt):
        fetch(file, folder, watch=stop_after(n_bytes))
    return (folder / "data.zip.part").stat().st_size


@pytest.mark.parametrize("known", [{}, {"size": len(BODY)}, {"checksum": sha256(BODY)}, {"checksum": md5(BODY)}])
def test_a_file_comes_whole_and_nothing_else_is_left(site, tmp_path, known):
    file = remote(site.serve("/data.zip", BODY), **known)
    path = fetch(file, tmp_path)
    assert path.read_bytes() == BODY
    assert [p.name for p in tmp_path.iterdir()] == ["data.zip"]
    assert fetch(file, tmp_path) == path
    assert ranges(site) == [None]  # the second call asked for nothing


def test_a_broken_connection_is_continued_where_it_broke(site, tmp_path):
    url = site.serve("/data.zip", BODY, drops=[300_000, 500_000])
    assert fetch(remote(url), tmp_path).read_bytes() == BODY
    assert ranges(site) == [None, "bytes=300000-", "bytes=800000-"]


def test_many_broken_connections_are_one_line_and_the_rest_a_detail(site, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="emobox_hf")
    url = site.serve("/data.zip", BODY, drops=[300_000, 300_000, 300_000])
    fetch(remote(url), tmp_path)
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG", "DEBUG"]
    assert caplog.messages[0] == f"{url}: 300000 of {len(BODY)} bytes came; trying again"


def test_a_later_call_goes_on_with_what_an_interruption_left(site, tmp_path):
    url = site.serve("/data.zip", BODY)
    done = stop(remote(url), tmp_path)
    assert 0 < done < len(BODY)
    seen = []

    @contextmanager
    def watch(name, total, at):
        seen.append((name, total, at))
        yield seen.append

    assert fetch(remote(url), tmp_path, watch=watch).read_bytes() == BODY
    assert ranges(site) == [None, f"bytes={done}-"]
    assert seen[0] == ("data.zip", len(BODY), done)
    assert sum(seen[1:]) == len(BODY) - done


def test_a_whole_part_whose_name_was_not_yet_given_is_not_asked_for_again(site, tmp_path):
    url = site.serve("/data.zip", BODY)
    assert stop(remote(url), tmp_path, len(BODY)) == len(BODY)
    assert fetch(remote(url), tmp_path).read_bytes() == BODY
    assert ranges(site) == [None]


@pytest.mark.parametrize(
    "how",
    [
        {"takes_ranges": False},
        {"etag": '"2"'},
        {"etag": '"2"', "heeds_version": False},
        {"etag": None},
        {"shift": 100},
        {"etag": None, "modified": "Wed, 21 Oct 2015 07:28:00 GMT", "heeds_version": False},
    ],
    ids=str,
)
def test_a_part_of_another_version_is_started_over(site, tmp_path, how):
    stop(remote(site.serve("/data.zip", OTHER if "shift" not in how else BODY)), tmp_path)
    url = site.serve("/data.zip", BODY, **how)
    assert fetch(remote(url), tmp_path).read_bytes() == BODY


def test_a_file_that_became_shorter_than_the_part_is_started_over(site, tmp_path):
    stop(remote(site.serve("/data.zip", BODY)), tmp_path, 500_000)
    url = site.serve("/data.zip", b"PK short", etag='"1"')
    assert fetch(remote(url), tmp_path).read_bytes() == b"PK short"


def test_a_file_that_became_longer_under_the_same_tag_is_started_over(site, tmp_path):
    stop(remote(site.serve("/data.zip", BODY)), tmp_path)
    url = site.serve("/data.zip", OTHER + OTHER)
    assert fetch(remote(url), tmp_path).read_bytes() == OTHER + OTHER


def test_without_a_version_only_a_checksum_allows_to_go_on(site, tmp_path):
    url = site.serve("/data.zip", BODY, etag=None)
    stop(remote(url), tmp_path)
    fetch(remote(url), tmp_path)
    assert ranges(site) == [None, None]
    (tmp_path / "data.zip").unlink()
    site.requests.clear()
    file = remote(url, checksum=sha256(BODY))
    done = stop(file, tmp_path)
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert ranges(site) == [None, f"bytes={done}-"]


def test_a_weak_tag_names_no_version(site, tmp_path):
    url = site.serve("/data.zip", BODY, etag='W/"1"')
    stop(remote(url), tmp_path)
    fetch(remote(url), tmp_path)
    assert ranges(site) == [None, None]


def test_a_part_of_another_address_is_started_over(site, tmp_path):
    stop(remote(site.serve("/old", OTHER)), tmp_path)
    assert fetch(remote(site.serve("/new", BODY)), tmp_path).read_bytes() == BODY
    assert ranges(site) == [None, None]


def test_a_stop_before_the_first_byte_of_another_version_leaves_none_of_the_old_one(site, tmp_path):
    stop(remote(site.serve("/data.zip", OTHER)), tmp_path)
    url = site.serve("/data.zip", BODY, etag='"2"')

    @contextmanager
    def watch(name, total, done):
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        fetch(remote(url), tmp_path, watch=watch)
    assert fetch(remote(url), tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"url": 1}'], ids=repr)
def test_a_part_without_a_sound_description_is_started_over(site, tmp_path, text):
    url = site.serve("/data.zip", BODY)
    stop(remote(url), tmp_path)
    (tmp_path / "data.zip.part.json").write_text(text, encoding="utf-8")
    assert fetch(remote(url), tmp_path).read_bytes() == BODY
    assert ranges(site) == [None, None]


def test_an_answer_of_unknown_length_comes_whole_or_is_started_over(site, tmp_path):
    url = site.serve("/data.zip", BODY, has_length=False, drops=[400_000])
    assert fetch(remote(url), tmp_path).read_bytes() == BODY


def test_a_busy_server_is_asked_again(site, tmp_path):
    url = site.serve("/data.zip", BODY, statuses=[503, 429, 500])
    assert fetch(remote(url), tmp_path).read_bytes() == BODY


def test_a_connection_that_always_breaks_is_given_up_and_the_part_is_kept(site, tmp_path):
    url = site.serve("/data.zip", BODY, drops=[1000] + [0] * 20)
    with pytest.raises(InputError, match=rf"broke {ATTEMPTS} times in a row .*; 1 kB\s+are kept in .*data\.zip\.part"):
        fetch(remote(url), tmp_path)
    assert (tmp_path / "data.zip.part").read_bytes() == BODY[:1000]
    site.files["/data.zip"].drops.clear()
    assert fetch(remote(url), tmp_path).read_bytes() == BODY


def test_a_wrong_checksum_is_named_and_the_file_removed(site, tmp_path):
    url = site.serve("/data.zip", OTHER)
    expected, found = sha256(BODY).removeprefix("sha256:"), sha256(OTHER).removeprefix("sha256:")
    with pytest.raises(InputError, match=rf"expected SHA256 {expected}, found {found} \(1.02 MB\); it was removed"):
        fetch(remote(url, checksum=sha256(BODY)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kept_file_that_is_not_the_one_wanted_any_more_is_fetched_again(site, tmp_path):
    (tmp_path / "data.zip").write_bytes(OTHER)
    url = site.serve("/data.zip", BODY)
    assert fetch(remote(url, checksum=sha256(BODY)), tmp_path).read_bytes() == BODY


def test_another_size_than_listed_is_refused_before_the_first_byte(site, tmp_path):
    url = site.serve("/data.zip", BODY)
    with pytest.raises(InputError, match=rf"expected 7 bytes, the server announces {len(BODY)}"):
        fetch(remote(url, size=7), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"Please log in", "text/html; charset=utf-8"),
        (b"\n <!DOCTYPE html><p>Quota exceeded", "application/octet-stream"),
        (b"\xef\xbb\xbf<HTML>", "application/zip"),
    ],
)
def test_a_web_page_is_not_taken_for_a_file(site, tmp_path, body, content_type):
    url = site.serve("/data.zip", body, content_type=content_type)
    with pytest.raises(InputError, match=r"expected a file, found a web page: a login"):
        fetch(remote(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "HTTP 404, it is not there"),
        (410, "HTTP 410, it is gone"),
        (403, "HTTP 403, it refuses"),
        (401, "HTTP 401, it asks for an account"),
        (418, "HTTP 418, "),
    ],
)
def test_a_refusal_is_not_asked_again(site, tmp_path, status, message):
    url = site.serve("/data.zip", BODY, statuses=[status] * 9)
    with pytest.raises(InputError, match=message):
        fetch(remote(url), tmp_path)
    assert len(site.requests) == 1


def test_no_network_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match=r"no connection: .*; is there a network\?"):
        fetch(remote("http://127.0.0.1:9/data.zip"), tmp_path)  # the discard port: nothing listens there


def test_a_file_larger_than_the_disk_is_refused_before_it_is_written(site, tmp_path):
    url = site.serve("/data.zip", BODY, length=10**18)
    with pytest.raises(InputError, match=r"data\.zip needs 1e\+06 TB, and .* are free on the disk of .*EMOBOX_CACHE"):
        fetch(remote(url), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_is_one_clear_error():
    with io.FileIO("/dev/full", "w") as full, pytest.raises(InputError, match=r"cannot be written: No space left"):
        _write(full, b"x")
