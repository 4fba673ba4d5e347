"""EmoBox's lists over the network, which here is a small server on this machine."""

import dataclasses
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emobox_hf.corpora import lists
from emobox_hf.corpora.lists import EMOBOX_COMMIT, download_lists, known_keys, read_lists
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_keys

TRAIN, TEST = ["aesdd-a01-1", "aesdd-ä02-1"], ["aesdd-a03-1"]


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and counts what is asked for."""

    def log_message(self, *arguments):
        """Count instead of printing."""
        self.server.requested.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of `tmp_path/served` that stands in for the EmoBox repository."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = lambda *arguments: Handler(*arguments, directory=str(folder))  # noqa: E731
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.requested = []
        server.folder = folder
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        monkeypatch.setattr(lists, "LISTS_URL", f"http://127.0.0.1:{server.server_port}/data")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def spec():
    """AESDD with a fold of three utterances."""
    spec = load_spec("aesdd")
    published = dataclasses.replace(
        spec.folds.published[0], train_sha256=sha256_of_keys(TRAIN), test_sha256=sha256_of_keys(TEST), train=2, test=1
    )
    expected = dataclasses.replace(spec.expected, utterances=3)
    return dataclasses.replace(spec, folds=dataclasses.replace(spec.folds, published=(published,)), expected=expected)


def serve(server, **served):
    folder = server.folder / "data/aesdd/fold_1"
    folder.mkdir(parents=True, exist_ok=True)
    for word, keys in served.items():
        lines = [json.dumps({"key": key}, ensure_ascii=False) for key in keys]
        (folder / f"aesdd_{word}_fold_1.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_lists_are_fetched_once_verified_and_kept(server, spec, cache):
    serve(server, train=TRAIN, test=TEST)
    assert known_keys(spec) == set()
    folder = download_lists(spec, 1)
    assert folder == cache / "folds" / EMOBOX_COMMIT / "aesdd/fold_1"
    assert read_lists(spec, 1, folder) == {"train": set(TRAIN), "test": set(TEST)}
    assert len(server.requested) == 2
    assert download_lists(spec, 1) == folder
    assert len(server.requested) == 2
    assert known_keys(spec) == {*TRAIN, *TEST}


def test_a_list_with_another_digest_is_not_kept(server, spec, cache):
    serve(server, train=[*TRAIN, *TEST], test=TEST)
    with pytest.raises(InputError, match=r"expected a list with digest [0-9a-f]{64}, found [0-9a-f]{64}; it was not k"):
        download_lists(spec, 1)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_half_an_answer_is_not_kept_and_the_rest_is_fetched_later(server, spec):
    serve(server, train=TRAIN)
    with pytest.raises(InputError, match=r"could not be read: .*aesdd_test_fold_1\.jsonl: HTTP 404, it is not there"):
        download_lists(spec, 1)
    serve(server, test=TEST)
    assert set(read_lists(spec, 1, download_lists(spec, 1))) == {"train", "test"}


def test_without_a_connection_the_error_names_the_variable(spec, cache, monkeypatch):
    monkeypatch.setattr(lists, "LISTS_URL", "http://127.0.0.1:9/data")  # the discard port: nothing listens there
    with pytest.raises(InputError, match=r"fold 1 of aesdd is one of EmoBox's random lists.*point \$EMOBOX_FOLDS"):
        download_lists(spec, 1)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_the_repository_is_pinned_to_one_commit():
    assert EMOBOX_COMMIT in lists.LISTS_URL
    assert lists.LISTS_URL.startswith("https://")


def test_known_keys_come_from_the_patterns_where_there_are_some():
    assert len(known_keys(load_spec("emovo"))) == 588
