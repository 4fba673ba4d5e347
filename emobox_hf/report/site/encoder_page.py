"""The page of an encoder: what it is, which languages and corpora it met, its layers, its runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from emobox_hf.encoders.known.table import KNOWN_ENCODERS, KnownEncoder
from emobox_hf.report.languages import tell_language
from emobox_hf.report.site.curves import Curve, draw_layers
from emobox_hf.report.site.entries import Entry


@dataclass(frozen=True)
class Met:
    """A tested corpus, and whether an encoder heard its language in pretraining and the corpus itself."""

    corpus: str
    languages: tuple[str, ...]
    language: str
    is_contaminated: bool
    n_runs: int


@dataclass(frozen=True)
class EncoderPage:
    """An encoder's page.

    Attributes:
        name: The encoder.
        page: The stem of its file.
        known: Its line in the table of known encoders; None for another.
        identities: Commits or digests of the weights that runs used.
        met: The corpora it was tested on.
        curves: UA by layer of each run that probed all.
        entries: Its runs, by corpus.
    """

    name: str
    page: str
    known: KnownEncoder | None
    identities: tuple[str, ...]
    met: tuple[Met, ...]
    curves: tuple[Curve, ...]
    entries: tuple[Entry, ...]

    @property
    def n_corpora(self) -> int:
        """Corpora it was tested on."""
        return len(self.met)


def make_encoder_page(name: str, page: str, entries: Sequence[Entry]) -> EncoderPage:
    """The page of one encoder from its runs."""
    known = KNOWN_ENCODERS.get(name)
    by_corpus: dict[str, list[Entry]] = {}
    for entry in entries:
        by_corpus.setdefault(entry.tested, []).append(entry)
    return EncoderPage(
        name=name,
        page=page,
        known=known,
        identities=tuple(sorted({entry.run.settings.encoder.identity for entry in entries} - {""})),
        met=tuple(
            Met(
                corpus,
                group[0].languages,
                tell_language(known, corpus),
                any(entry.is_contaminated for entry in group),
                len(group),
            )
            for corpus, group in sorted(by_corpus.items())
        ),
        curves=tuple(draw_layers(entry) for entry in entries if entry.run.record.layers),
        entries=tuple(sorted(entries, key=lambda entry: (entry.corpus, entry.page))),
    )
