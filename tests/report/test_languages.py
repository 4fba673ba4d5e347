"""Corpora whose language is in an encoder's pretraining data, and others."""

from typing import Any

import pytest

from emobox_hf.encoders.known.table import KNOWN_ENCODERS, find_known
from emobox_hf.report.languages import languages_tables, tell_language
from emobox_hf.sources.fetch_encoder import FETCHABLE


@pytest.mark.parametrize(
    ("encoder", "corpus", "kind"),
    [
        ("wavlm-base", "savee", "seen"),
        ("wavlm-base", "polish", "unseen"),
        ("whisper-tiny.en", "polish", "unseen"),
        ("whisper-tiny.en", "savee", "seen"),
        ("whisper-base", "polish", "seen"),
        ("wavlm-base", "esd", "partly"),  # English and Mandarin
        ("xls-r-300m", "polish", "seen"),
        ("wavlm-base", "asvpesd", "unknown"),  # no row says which language
        ("xls-r-300m", "asvpesd", "unknown"),
        ("emotion2vec-plus-base", "savee", "unknown"),
        ("wavlm-base", "a corpus of one's own", "unknown"),
    ],
)
def test_a_language_is_told(encoder: str, corpus: str, kind: str) -> None:
    assert tell_language(KNOWN_ENCODERS[encoder], corpus) == kind
    assert tell_language(None, corpus) == "unknown"


def test_scores_are_split_by_what_the_encoder_heard(make_run: Any) -> None:
    runs = [
        make_run(corpus=corpus, encoder=encoder, ua=ua)
        for encoder, corpus, ua in [
            ("wavlm-base", "savee", 0.75),
            ("wavlm-base", "ravdess", 0.25),
            ("wavlm-base", "polish", 0.125),
            ("microsoft/wavlm-large", "polish", 0.5),
            ("x", "polish", 0.625),
        ]
    ]
    means, detail = languages_tables(runs)
    rows = {row["encoder"]: row for row in means.to_dict()["rows"]}
    assert (rows["wavlm-base"]["seen: corpora"], rows["wavlm-base"]["seen"]) == (2, 50.0)
    assert (rows["wavlm-base"]["unseen: corpora"], rows["wavlm-base"]["unseen"]) == (1, 12.5)
    assert (rows["wavlm-base"]["partly: corpora"], rows["wavlm-base"]["partly"]) == (0, None)
    assert rows["microsoft/wavlm-large"]["unseen"] == 50.0
    assert rows["x"]["unknown"] == 62.5
    corpora = {row["corpus"]: row for row in detail.to_dict()["rows"]}
    assert corpora["polish"]["languages"] == "pl"
    assert (corpora["polish"]["wavlm-base: language"], corpora["polish"]["wavlm-base"]) == ("unseen", 12.5)
    assert (corpora["savee"]["x: language"], corpora["savee"]["x"]) == (None, None)


def test_contaminated_corpora_are_left_out_unless_asked_for(make_run: Any) -> None:
    runs = [make_run(corpus=corpus, encoder="emotion2vec", ua=ua) for corpus, ua in (("meld", 0.75), ("savee", 0.25))]
    means, detail = languages_tables(runs)
    assert means.to_dict()["rows"][0]["seen"] == 25.0
    assert detail.to_dict()["marks"] == [{"row": "meld", "column": "emotion2vec", "marks": "†"}]
    means, _ = languages_tables(runs, with_contaminated=True)
    assert means.to_dict()["rows"][0]["seen"] == 50.0


@pytest.mark.parametrize("name", FETCHABLE)
def test_every_encoder_that_can_be_fetched_is_known_with_its_languages(name: str) -> None:
    encoder = find_known(name)
    assert encoder is not None
    assert encoder.languages
    assert tell_language(encoder, "savee") == "seen"
