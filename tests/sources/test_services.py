"""What Zenodo, a Dataverse server and GitHub list, as a stand-in tells it."""

import pytest
from download_server import running_site

from emobox_hf.corpora.download_source import DownloadSource
from emobox_hf.errors import InputError
from emobox_hf.sources.services import RemoteFile, Services, list_remote

MD5 = "md5:bc696df654c87fed845eb13823edef8a"


@pytest.fixture
def site():
    with running_site() as site:
        yield site


@pytest.fixture
def services(site):
    return Services(zenodo=site.url, github=site.url)


def zenodo_file(name, address="https://there/file"):
    return {"key": name, "size": 7, "checksum": MD5, "links": {"self": address}}


def test_zenodo_tells_address_size_and_checksum(site, services):
    site.serve_json(
        "/api/records/1188976",
        {"files": [zenodo_file("Song.zip"), zenodo_file("Speech_01.zip"), zenodo_file("Speech_02.zip")]},
    )
    fetch = DownloadSource("zenodo", "1188976", files=("Speech_*.zip",))
    assert list_remote(fetch, services) == [
        RemoteFile("Speech_01.zip", "https://there/file", 7, MD5),
        RemoteFile("Speech_02.zip", "https://there/file", 7, MD5),
    ]


def test_names_are_compared_in_one_normal_form(site, services):
    site.serve_json("/api/records/1", {"files": [zenodo_file("Ore\u0301au.zip")]})
    assert len(list_remote(DownloadSource("zenodo", "1", files=("Or\u00e9au.zip",)), services)) == 1


def test_a_dataverse_server_tells_them_too(site):
    files = [
        {"dataFile": {"id": 12, "filename": "OAF_back_angry.wav", "filesize": 9, "md5": MD5[4:]}, "restricted": False},
        {"dataFile": {"id": 13, "filename": "secret.wav", "filesize": 9, "md5": MD5[4:]}, "restricted": True},
        {"dataFile": {"id": 14, "filename": "readme.txt", "filesize": 9, "md5": MD5[4:]}},
    ]
    path = "/api/datasets/:persistentId/?persistentId=doi%3A10.5683/SP2/E8H2MF"
    site.serve_json(path, {"status": "OK", "data": {"latestVersion": {"files": files}}})
    fetch = DownloadSource("dataverse", f"{site.url} doi:10.5683/SP2/E8H2MF", files=("*.wav",))
    assert list_remote(fetch) == [RemoteFile("OAF_back_angry.wav", f"{site.url}/api/access/datafile/12", 9, MD5)]


def test_github_tells_a_digest_of_newer_files(site, services):
    sha256 = f"sha256:{'0' * 64}"
    assets = [
        {"name": "a.flac", "browser_download_url": "https://there/a.flac", "size": 5, "digest": None},
        {"name": "a.yaml", "browser_download_url": "https://there/a.yaml", "size": 6, "digest": sha256},
    ]
    site.serve_json("/repos/marytts/pavoque-data/releases/latest", {"tag_name": "v0.2", "assets": assets})
    fetch = DownloadSource("github", "marytts/pavoque-data", files=("*.flac", "*.yaml"))
    assert list_remote(fetch, services) == [
        RemoteFile("a.flac", "https://there/a.flac", 5, None),
        RemoteFile("a.yaml", "https://there/a.yaml", 6, sha256),
    ]


def test_addresses_are_brace_patterns_with_names_from_path_or_fragment():
    fetch = DownloadSource(
        "url",
        urls=("https://a/r/{bea,sam}%20x.tar.gz?dl=1", "https://b/zip/id/download/5#id-5.zip"),
        checksums={"id-5.zip": MD5},
    )
    assert list_remote(fetch) == [
        RemoteFile("bea x.tar.gz", "https://a/r/bea%20x.tar.gz?dl=1"),
        RemoteFile("sam x.tar.gz", "https://a/r/sam%20x.tar.gz?dl=1"),
        RemoteFile("id-5.zip", "https://b/zip/id/download/5", None, MD5),
    ]


def test_a_file_that_is_not_there_is_named_with_those_that_are(site, services):
    site.serve_json("/api/records/1", {"files": [zenodo_file("new.zip"), zenodo_file("b.zip")]})
    with pytest.raises(InputError, match=r"zenodo 1 has no file old\.zip; its files: b\.zip, new\.zip"):
        list_remote(DownloadSource("zenodo", "1", files=("*.zip", "old.zip")), services)


@pytest.mark.parametrize("name", ["../a.zip", "a/b.zip", "..", "", "a\\b.zip", 7])
def test_a_name_that_is_no_file_s_is_refused(site, services, name):
    site.serve_json("/api/records/1", {"files": [zenodo_file(name)]})
    with pytest.raises(InputError, match="which is no name of a file; refused"):
        list_remote(DownloadSource("zenodo", "1", files=("*",)), services)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"files": [{"key": "a"}]}', "list of files is not of the expected form: KeyError"),
        (b'{"files": 7}', "list of files is not of the expected form: TypeError"),
        (b"[]", "list of files is not of the expected form: TypeError"),
        (b"<html>down", "expected JSON, found b'<html>down'"),
    ],
)
def test_a_service_that_answers_something_else_is_named(site, services, body, message):
    site.serve("/api/records/1", body)
    with pytest.raises(InputError, match=message):
        list_remote(DownloadSource("zenodo", "1", files=("*",)), services)


@pytest.mark.parametrize(
    ("statuses", "message"), [([], "HTTP 404, it is not there"), ([503], "does not answer: HTTP 503.*try again later")]
)
def test_a_service_that_has_it_not_or_is_down_is_named(site, services, statuses, message):
    if statuses:
        site.serve("/api/records/1", b"", statuses=statuses)
    with pytest.raises(InputError, match=message):
        list_remote(DownloadSource("zenodo", "1", files=("*",)), services)
