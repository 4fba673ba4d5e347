"""Runs to a folder of pages."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from emobox_hf import __version__
from emobox_hf.report.collect import gather_runs
from emobox_hf.report.site.comparisons import make_comparison, make_cross_page, make_paper_page
from emobox_hf.report.site.corpus_page import CorpusPage, make_corpus_page
from emobox_hf.report.site.encoder_page import EncoderPage, make_encoder_page
from emobox_hf.report.site.entries import Contents, Entry, list_entries
from emobox_hf.report.site.evidence import RunEvidence, gather
from emobox_hf.report.site.folder import check_replaceable, replaced_folder
from emobox_hf.report.site.leaderboard import make_leaderboard
from emobox_hf.report.site.render import render
from emobox_hf.report.site.run_page import make_run_page
from emobox_hf.report.site.sound import copy_audio, find_audio
from emobox_hf.scores import SCORES, shown_scores

STATIC = ("style.css", "site.js")


def build_site(folders: Sequence[Path], out: Path, *, audio_dir: Path | None = None) -> int:
    """Write the site of all runs under some folders; how many pages it has.

    Args:
        folders: Where the runs are; a run that lies under two of them counts once.
        out: The site's folder; an earlier site there is replaced.
        audio_dir: Where `<corpus>` folders of sound are, whose files are copied into the site as far as its pages list
            them; None: the site has no sound.

    Raises:
        InputError: There are no runs, one cannot be read, `out` holds something else, or `audio_dir` holds no corpus.
    """
    check_replaceable(out.resolve())
    contents = list_entries(gather_runs(folders))
    sounds = find_audio(audio_dir, contents.corpus_pages) if audio_dir else {}
    with replaced_folder(out) as folder:
        site = _Site(folder, contents)
        site.write_static()
        corpora = [_write_corpus(site, name, sounds.get(name)) for name in contents.corpus_pages]
        encoders = [_write_encoder(site, name) for name in contents.encoder_pages]
        site.write("index.html", "leaderboard", page=make_leaderboard(contents))
        site.write("corpora/index.html", "corpora", pages=corpora)
        site.write("encoders/index.html", "encoders", pages=encoders)
        site.write("cross.html", "cross", page=make_cross_page(contents))
        site.write("paper.html", "paper", page=make_paper_page(contents))
        site.write("compare.html", "compare", data=make_comparison(contents))
        return site.n_pages


def _write_corpus(site: "_Site", name: str, sound: Path | None) -> CorpusPage:
    """Write the pages of a corpus and of the runs that are tested on it; predictions are read here and let go."""
    entries = [entry for entry in site.contents.entries if entry.tested == name]
    evidence, judged = gather([entry.run for entry in entries])
    for entry, one in zip(entries, judged, strict=True):
        _write_run(site, entry, one)
    page = site.contents.corpus_pages[name]
    audio: dict[str, str] = {}
    if sound and evidence:
        copies = copy_audio(sound, evidence, site.folder / "audio" / page)
        audio = {key: f"../audio/{page}/{file}" for key, file in copies.items()}
    by_page = {entry.page: one for entry, one in zip(entries, judged, strict=True) if one is not None}
    made = make_corpus_page(name, page, entries, evidence, audio, by_page)
    site.write(f"corpora/{page}.html", "corpus", page=made)
    return made


def _write_run(site: "_Site", entry: Entry, evidence: RunEvidence | None) -> None:
    site.write(f"runs/{entry.page}.html", "run", page=make_run_page(entry, evidence))


def _write_encoder(site: "_Site", name: str) -> EncoderPage:
    entries = [entry for entry in site.contents.entries if entry.encoder == name]
    made = make_encoder_page(name, site.contents.encoder_pages[name], entries)
    site.write(f"encoders/{made.page}.html", "encoder", page=made)
    return made


class _Site:
    """A folder of pages that is being written."""

    def __init__(self, folder: Path, contents: Contents) -> None:
        self.folder = folder
        self.contents = contents
        self.n_pages = 0

    def write(self, address: str, template: str, **values: Any) -> None:
        """Write one page from its template."""
        root = "../" * address.count("/")
        text = render(
            template,
            root=root,
            contents=self.contents,
            version=__version__,
            scores=[SCORES[name] for name in shown_scores()],
            **values,
        )
        path = self.folder / address
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        self.n_pages += 1

    def write_static(self) -> None:
        """Copy what all pages share."""
        for name in STATIC:
            (self.folder / name).write_bytes(files(__package__).joinpath("static", name).read_bytes())
