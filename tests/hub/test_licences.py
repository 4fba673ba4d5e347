"""Licences: what the Hub calls them, and which let anyone pass on a built corpus."""

import dataclasses
import re

import pytest

from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.hub.cards import card_metadata
from emobox_hf.hub.licences import find_licence
from emobox_hf.hub.push import bar_to_publishing

RAVDESS = load_spec("ravdess")


@pytest.mark.parametrize(
    ("licence", "hub_id"),
    [
        ("CC BY 4.0", "cc-by-4.0"),
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("CC BY-NC 4.0", "cc-by-nc-4.0"),
        ("CC BY-NC-SA 3.0", "cc-by-nc-sa-3.0"),
        ("CC0 1.0", "cc0-1.0"),
        ("MIT", "mit"),
        ("Apache-2.0", "apache-2.0"),
        ("Open Database License (ODbL) 1.0", "odbl"),
    ],
)
def test_a_free_licence_has_an_identifier_and_no_bar(licence: str, hub_id: str) -> None:
    spec = dataclasses.replace(RAVDESS, licence=licence)
    header = card_metadata(spec)
    assert (header["license"], "license_name" in header) == (hub_id, False)
    assert bar_to_publishing(spec) == ""


@pytest.mark.parametrize(
    ("licence", "hub_id"), [("CC BY-NC-ND 4.0", "cc-by-nc-nd-4.0"), ("CC BY-ND 4.0", "cc-by-nd-4.0")]
)
def test_a_licence_without_derivatives_has_an_identifier_and_a_bar(licence: str, hub_id: str) -> None:
    spec = dataclasses.replace(RAVDESS, licence=licence)
    assert card_metadata(spec)["license"] == hub_id
    assert "no derivatives" in bar_to_publishing(spec)


@pytest.mark.parametrize(
    "licence",
    [
        "",
        "not MIT",
        "cc by 4.0",
        "CC BY 4.0 for the labels, not for the clips",
        "annotations GPL-3.0; the clips belong to the owners of the TV series",
        "for research only; the terms are on the home page",
    ],
)
def test_other_words_are_for_a_person_to_read(licence: str) -> None:
    spec = dataclasses.replace(RAVDESS, licence=licence)
    header = card_metadata(spec)
    assert (header["license"], header["license_name"]) == ("other", "see-card")
    assert bar_to_publishing(spec) == f"its licence ({licence}) is not known to let anyone pass on a converted copy"


@pytest.mark.parametrize("licence", ["not stated", "not verified; see the home page"])
def test_a_licence_that_nobody_read_is_unknown_and_bars(licence: str) -> None:
    spec = dataclasses.replace(RAVDESS, licence=licence)
    header = card_metadata(spec)
    assert (header["license"], "license_name" in header) == ("unknown", False)
    assert "not known" in bar_to_publishing(spec)


@pytest.mark.parametrize("name", list_corpora())
def test_a_corpus_names_its_licence_by_its_short_name(name: str) -> None:
    """Another spelling, such as CC-BY-4.0, would be `other`, and its corpus never public."""
    words = load_spec(name).licence
    if re.fullmatch(r"(CC|MIT|Apache|GPL|ODC|ODbL)[-A-Z0-9. ]*", words):
        assert find_licence(words).hub_id != "other"
