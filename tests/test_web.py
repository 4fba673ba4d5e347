"""Reading from the web: a whole answer, or what was wrong with it."""

from pathlib import Path

import pytest
from download_server import running_site

from emobox_hf.corpora import lists
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.web import Dropped, read_url

BODY = b'{"key": "aesdd-a01-1"}\n' * 9000


def test_a_body_comes_whole() -> None:
    with running_site() as site:
        assert read_url(site.serve("/list", BODY)) == BODY


def test_half_a_body_is_no_body() -> None:
    with running_site() as site, pytest.raises(Dropped):
        read_url(site.serve("/list", BODY, drops=[50_000]))


def test_a_list_whose_connection_breaks_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    with running_site() as site:
        monkeypatch.setattr(lists, "LISTS_URL", site.url)
        site.serve("/aesdd/fold_1/aesdd_train_fold_1.jsonl", BODY, drops=[50_000])
        with pytest.raises(InputError, match=r"fold 1 of aesdd .* could not be read.*point \$EMOBOX_FOLDS"):
            lists.download_lists(load_spec("aesdd"), 1)
    assert not [path for path in cache.rglob("*") if path.is_file()]
