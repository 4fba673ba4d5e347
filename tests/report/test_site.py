"""The site: what its pages hold, that they lead to each other, and that nothing in a run becomes markup."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_site import HOSTILE, QUOTED, TESTED, add_interval, make_all, site_folders

from emobox_hf.cli.main import main
from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run
from emobox_hf.report.reference import paper_scores
from emobox_hf.report.site import build_site
from emobox_hf.report.site.curves import HEIGHT, draw_layers
from emobox_hf.report.site.entries import list_entries
from emobox_hf.report.site.evidence import gather
from emobox_hf.report.site.folder import MARKER
from emobox_hf.report.site.slugs import assign_slugs
from emobox_hf.report.site.values import interval_of, value_of
from emobox_hf.results import read_predictions, read_record
from emobox_hf.scores import SCORES, score_intervals

GUESSES = [
    [("Angry", "Angry"), ("Happy", "Happy"), ("Neutral", "Happy")],
    [("Angry", "Happy"), ("Happy", "Happy"), ("Neutral", "Neutral")],
    [("Angry", "Angry"), ("Happy", "Neutral"), ("Neutral", "Neutral")],
]
VOID = {"meta", "link", "input", "br", "img", "hr"}
REFERENCES = {"href", "src", "srcset", "action", "formaction", "poster", "data", "xlink:href"}


class Page(HTMLParser):
    """A page's elements with their attributes, and the text of each."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[int] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == [], f"{path}: not closed"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append("")
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self.open.pop()][0] == tag, f"{self.path}: </{tag}>"

    def handle_data(self, data: str) -> None:
        for number in self.open:
            self.texts[number] += data

    def all(self, tag: str) -> list[tuple[dict[str, str], str]]:
        pairs = zip(self.elements, self.texts, strict=True)
        return [(attributes, text) for (name, attributes), text in pairs if name == tag]

    @property
    def text(self) -> str:
        return self.all("main")[0][1]

    @property
    def data(self) -> Any:
        (text,) = (text for attributes, text in self.all("script") if attributes.get("type") == "application/json")
        return json.loads(text)

    def rows(self, caption: str) -> list[list[str]]:
        """The cells of the body of the one table with such a caption."""
        inside, rows, tables = False, [], 0
        for (tag, _), text in zip(self.elements, self.texts, strict=True):
            if tag == "table":
                inside = False
            elif tag == "caption":
                inside = caption in text
                tables += inside
            elif tag == "tr" and inside:
                rows.append([])
            elif tag in ("td", "th") and inside:
                rows[-1].append(" ".join(text.split()))
        assert tables == 1, caption
        return rows[1:]


@pytest.fixture
def runs(make_run: Any) -> Mapping[str, Run]:
    return make_all(make_run)


@pytest.fixture
def site(runs: Mapping[str, Run], tmp_path: Path) -> Path:
    build_site(site_folders(runs), tmp_path / "site")
    return tmp_path / "site"


def pages(site: Path) -> Iterator[Page]:
    for path in sorted(site.rglob("*.html")):
        yield Page(path)


def run_page(site: Path, run: Run) -> Page:
    slug = assign_slugs([run.settings.folder])[run.settings.folder]
    return Page(site / "runs" / f"{slug}.html")


def test_there_is_a_page_for_each_corpus_encoder_and_run(site: Path, runs: Mapping[str, Run]) -> None:
    assert len(list((site / "runs").iterdir())) == len(runs)
    assert len(list((site / "corpora").iterdir())) == 1 + len({"polish", "meld", "savee", HOSTILE, QUOTED})
    assert {"wavlm-base.html", "wavlm-large.html", "x.html"} < {path.name for path in (site / "encoders").iterdir()}


def test_every_link_leads_to_a_page_and_every_anchor_is_there(site: Path) -> None:
    read = {page.path: page for page in pages(site)}
    n_links = 0
    for path, page in read.items():
        for tag, attributes in page.elements:
            target = attributes.get("href") or attributes.get("src")
            if target is None or target.startswith("data:"):
                continue
            address, _, anchor = target.partition("#")
            place = (path.parent / address).resolve() if address else path
            assert place.is_file(), f"{path}: {target}"
            if anchor and tag == "a" and place.name != "compare.html":
                assert any(one.get("id") == anchor for _, one in read[place].elements), f"{path}: {target}"
            n_links += 1
    assert n_links > 100
    slugs = {path.stem for path in (site / "runs").iterdir()}
    assert {row[0] for row in Page(site / "index.html").data["rows"]} == slugs
    assert {run[0] for run in Page(site / "compare.html").data["runs"]} == slugs


def test_nothing_asks_another_address(site: Path) -> None:
    for page in pages(site):
        for _, attributes in page.elements:
            for name in REFERENCES & set(attributes):
                assert not re.match(r"\s*(\w+:)?//|\s*(https?|javascript):", attributes[name]), attributes
            assert not [name for name in attributes if name.startswith("on") or name == "style"], attributes
        policy = next(one["content"] for one, _ in page.all("meta") if "content" in one and "http-equiv" in one)
        assert policy.startswith("default-src 'none'; ")
        assert "http" not in policy
    assert "url(" not in (site / "style.css").read_text(encoding="utf-8")
    script = (site / "site.js").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"]*", script)) == {"http://www.w3.org/2000/svg"}
    for word in ("fetch(", "XMLHttpRequest", "import(", "innerHTML", "insertAdjacent", "outerHTML", "eval("):
        assert word not in script


def test_what_a_run_is_called_is_never_markup(site: Path) -> None:
    seen = 0
    for page in pages(site):
        text = page.path.read_text(encoding="utf-8")
        scripts = [attributes for attributes, _ in page.all("script")]
        assert all(set(one) & {"src", "type"} for one in scripts), page.path
        assert not page.all("img")
        assert "alert(1)</script>" not in text
        assert "<img" not in text
        data = "".join(inside for attributes, inside in page.all("script") if "type" in attributes)
        assert not set(data) & set("<>&\u2028\u2029"), page.path
        seen += HOSTILE in "".join(page.texts)
    assert seen >= 8
    assert any(row[1] == HOSTILE for row in Page(site / "index.html").data["rows"])
    assert any(row[1] == QUOTED for row in Page(site / "index.html").data["rows"])
    names = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()]
    assert [name for name in names if not re.fullmatch(r"[a-z0-9._/-]+", name)] == []


def test_hostile_speakers_and_utterances_are_told_in_full(site: Path, runs: Mapping[str, Run]) -> None:
    page = Page(site / "corpora" / "script-alert-1-script.html")
    assert page.rows("by speaker and label")[0][0] == HOSTILE
    hardest = page.rows("that most probes miss")
    assert hardest[0][:5] == [" ".join(QUOTED.split()), "Angry", HOSTILE, "1", "1"]
    assert run_page(site, runs["hostile"]).rows("Scores by speaker")[0][0] == HOSTILE


@pytest.mark.parametrize(
    ("names", "slugs"),
    [
        (["a b", "a/b", "A-B"], {"A-B": "a-b", "a b": "a-b-2", "a/b": "a-b-3"}),
        (["index", "…", "..", "Ünï"], {"index": "index-2", "…": "unnamed-2", "..": "unnamed", "Ünï": "uni"}),
        (["x" * 300, "x" * 301], {"x" * 300: "x" * 100, "x" * 301: "x" * 100 + "-2"}),
    ],
)
def test_names_that_would_be_one_file_have_a_file_each(names: list[str], slugs: dict[str, str]) -> None:
    assert assign_slugs(names) == slugs
    assert assign_slugs(names[::-1]) == slugs


def test_corpora_of_like_names_have_a_page_each(make_run: Any, tmp_path: Path) -> None:
    runs = [make_run(corpus="mine?"), make_run(corpus="mine!"), make_run(corpus="Mine")]
    build_site(site_folders({"plain": runs[0]}), tmp_path / "site")
    titles = [Page(path).all("h1")[0][1] for path in sorted((tmp_path / "site" / "corpora").glob("mine*"))]
    assert sorted(titles) == ["Mine", "mine!", "mine?"]


def test_the_leaderboard_has_what_records_have(site: Path, runs: Mapping[str, Run]) -> None:
    data = Page(site / "index.html").data
    assert [score["name"] for score in data["scores"]] == ["ua", "wa", "macro_f1"]
    rows = {row[0]: row for row in data["rows"]}
    pages_of = assign_slugs(run.settings.folder for run in runs.values())
    plain = rows[pages_of[runs["plain"].settings.folder]]
    assert plain[1:5] == ["polish", "polish", ["pl"], "wavlm-base"]
    assert plain[6:] == [
        "linear", "published", 2, 3, "¶", "2026-01-01",
        [50.0, 40.0, 60.0, None, 1.0], [25.0, None, None, None, None], [50.0, None, None, None, None],
    ]  # fmt: skip
    paper = rows[pages_of[runs["paper"].settings.folder]]
    assert (paper[4], paper[12]) == ("wavlm-large", [70.0, None, None, None, None])
    assert rows[pages_of[runs["contaminated"].settings.folder]][10] == "†¶"
    cross = rows[pages_of[runs["cross"].settings.folder]]
    assert (cross[1], cross[2], cross[7]) == ("polish-to-savee", "savee", "cross-corpus")


def test_an_interval_is_shown_where_the_record_has_both_bounds(make_run: Any) -> None:
    run = make_run()
    assert interval_of(run, "ua") is None
    add_interval(run, 0.25, 0.75, std_seeds=0.05)
    read = Run(run.folder, read_record(run.folder))
    assert interval_of(read, "ua") == (25.0, 75.0)
    assert interval_of(read, "wa") is None
    assert value_of(read, "ua").std_seeds == pytest.approx(5.0)
    add_interval(run, None, 0.75)
    assert interval_of(Run(run.folder, read_record(run.folder)), "ua") is None


def test_calibration_and_speakers_by_hand(make_run: Any) -> None:
    run = make_run(tested=TESTED)  # two of four right, each with 0.8 for the likeliest label
    evidence, (judged,) = gather([run])
    assert judged is not None
    assert judged.calibration.ece == pytest.approx(0.3, abs=1e-6)
    assert [(bin.n, round(bin.confidence, 3), bin.accuracy) for bin in judged.calibration.bins] == [(4, 0.8, 0.5)]
    assert [(one.speaker, one.n, one.ua, one.wa) for one in judged.speakers] == [("s1", 2, 50, 50), ("s2", 2, 50, 50)]
    assert evidence is not None
    assert evidence.counts == (("s1", (1, 1, 0)), ("s2", (0, 1, 1)))
    assert [one.key for one in evidence.hardest] == ["b", "d", "a", "c"]
    assert np.allclose([one.margin for one in evidence.hardest], [-0.7, -0.7, 0.7, 0.7])


def test_each_fold_has_an_interval_over_its_speakers(make_run: Any, tmp_path: Path) -> None:
    tested = [(f"{s}-{i}", f"s{s}", label, said) for s in range(6) for i, (label, said) in enumerate(GUESSES[s % 3])]
    run = make_run(encoder="wavlm-base", labels=("Angry", "Happy", "Neutral"), ua=0.5, tested=tested)
    _, (judged,) = gather([run])
    assert judged is not None
    parts = read_predictions(run.folder, run.record)
    assert list(judged.folds) == list(dict.fromkeys(part.fold for part in parts))
    for part in parts:
        rows = part.rows
        expected = score_intervals(rows.references, rows.predictions, rows.n_classes, speakers=rows.speakers)["ua"]
        value = judged.folds[part.fold]
        assert value.mean == pytest.approx(100 * SCORES["ua"].compute(rows))
        assert value.interval == pytest.approx((100 * expected.low, 100 * expected.high))
    build_site([run.folder], tmp_path / "one")
    told = "{:.1f} to {:.1f}".format(*judged.folds[parts[0].fold].interval)
    (first, *_) = Page(next((tmp_path / "one" / "runs").glob("*.html"))).rows("UA of each fold")
    assert told in first[2]
    assert told in Page(next((tmp_path / "one" / "corpora").glob("polish.html"))).rows("their audit")[0][-1]


def test_probes_of_several_runs_count_and_encoders_that_met_the_corpus_do_not(make_run: Any) -> None:
    right = [(key, speaker, label, label) for key, speaker, label, _ in TESTED]
    runs = [
        make_run(encoder="x", tested=TESTED),
        make_run(encoder="y", tested=right),
        make_run(encoder="emotion2vec-plus-large", tested=TESTED),
    ]
    evidence, _ = gather(runs)
    assert evidence is not None
    assert evidence.n_runs == 2
    assert [(one.key, one.n_wrong, one.n_probes) for one in evidence.hardest[:2]] == [("b", 1, 2), ("d", 1, 2)]
    assert evidence.doubted_by == "all runs inside the corpus"
    random, _ = gather([*runs, make_run(encoder="z", folds=["random_fold1"], tested=right)])
    assert random is not None
    assert random.doubted_by == "runs on random folds"
    assert {one.margin > 0 for one in random.doubted} == {True}


def test_a_corpus_page_tells_licence_folds_audit_and_what_is_hard(site: Path) -> None:
    page = Page(site / "corpora" / "polish.html")
    facts = dict(zip((text for _, text in page.all("dt")), (text for _, text in page.all("dd")), strict=True))
    assert facts["Utterances"] == "450"
    assert facts["Licence"].startswith("open research data")
    folds = page.rows("their audit")
    assert [row[:4] for row in folds] == [
        ["fold1", "published", "independent", "0 of 1"],
        ["fold2", "published", "independent", "0 of 1"],
        ["random_fold1", "random", "independent", "0 of 1"],
    ]
    assert folds[0][7:11] == ["3", "50.0", "50.0", "70.0"]
    assert page.rows("Confusion of the run")[0][0] == "Angry"
    assert page.rows("Runs tested on polish")[0][0].startswith("wavlm-base")
    assert page.rows("by speaker and label") == [
        ["s1", "2", "1", "1", "0"],
        ["s2", "2", "0", "1", "1"],
        ["all", "4", "1", "2", "1"],
    ]


def test_an_encoder_page_tells_languages_contamination_and_layers(site: Path) -> None:
    page = Page(site / "encoders" / "wavlm-large.html")
    assert page.rows("heard their languages") == [["polish", "pl", "unseen", "none known of", "2"]]
    (numbers,) = (page.rows(caption) for caption in ("head linear, published folds, numbers",))
    assert numbers == [["0", "30.0"], ["1", "50.0"], ["2", "40.0"]]
    assert "layer 1 in 2 folds" in page.text
    assert Page(site / "encoders" / "emotion2vec.html").rows("heard")[0][3] == "met the corpus"


@pytest.mark.parametrize("ua", [0.0, 0.5, 1.0])
def test_layers_that_are_all_alike_are_a_level_line_inside_the_figure(make_run: Any, ua: float) -> None:
    run = make_run(ua=ua, layer="all", by_layer=[{0: ua, 1: ua, 2: ua}], chosen=[0], folds=["fold1"])
    (entry,) = list_entries([run]).entries
    curve = draw_layers(entry)
    assert len({y for _, y in curve.points}) == 1
    assert all(0 <= y <= HEIGHT for _, y in curve.points)
    assert max(int(text) for _, text in curve.ticks) <= 100


def test_a_number_that_json_lacks_is_no_number(make_run: Any, tmp_path: Path) -> None:
    run = make_run()
    add_interval(run, float("nan"), float("inf"))
    build_site([run.folder], tmp_path / "site")
    assert Page(tmp_path / "site" / "index.html").data["rows"][0][12] == [50.0, None, None, None, None]


def test_a_run_page_tells_the_record(site: Path, runs: Mapping[str, Run]) -> None:
    page = run_page(site, runs["plain"])
    assert page.rows("Scores, mean over 2 folds")[0] == ["UA, %", "50.0", "40.0 to 60.0", "–", "1.0"]
    settings = dict(page.rows("Settings"))
    assert settings["digest"] == runs["plain"].settings.digest
    assert settings["encoder: identity"] == "microsoft/wavlm-base@1234567890"
    assert "the expected calibration error" not in page.text
    assert "Speakers are not known" not in page.text
    without = run_page(site, runs["without predictions"])
    assert "predictions were not beside its record" in without.text


def test_damaged_predictions_are_refused_and_no_site_is_left(runs: Mapping[str, Run], tmp_path: Path) -> None:
    (runs["plain"].folder / "predictions.parquet").write_bytes(b"no Parquet")
    with pytest.raises(InputError, match=r"predictions\.parquet: changed since"):
        build_site(site_folders(runs), tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_the_papers_numbers_stand_beside_ours(site: Path) -> None:
    rows = Page(site / "paper.html").rows("Ours and the paper")
    paper = paper_scores("polish")["wavlm-large"]["ua"]
    (row,) = (row for row in rows if row[1] == "wavlm-large ¶" and row[2].startswith("head emobox"))
    assert row[3:6] == ["70.0", f"{paper:.1f}", f"{70 - paper:+.1f}"]
    assert {row[0] for row in rows} == {"polish"}


def test_cross_corpus_scores_are_a_heat_map_that_leads_to_runs(site: Path, runs: Mapping[str, Run]) -> None:
    page = Page(site / "cross.html")
    assert page.rows("wavlm-base: UA in percent") == [["polish", "35.0", "–"], ["savee", "–", "25.0"]]
    assert page.rows("wavlm-base: WA in percent") == [["polish", "30.0", "–"], ["savee", "–", "60.0"]]
    shades = [one["class"] for one, text in page.all("td") if "35.0" in text or "25.0" in text]
    assert shades[:2] == ["num shade8", "num shade0"]
    slug = assign_slugs([runs["cross"].settings.folder])[runs["cross"].settings.folder]
    assert f"runs/{slug}.html" in [one.get("href") for one, _ in page.all("a")]


def test_two_runs_are_compared_from_embedded_data(site: Path, runs: Mapping[str, Run]) -> None:
    data = Page(site / "compare.html").data
    by_page = {run[0]: run for run in data["runs"]}
    pages_of = assign_slugs(run.settings.folder for run in runs.values())
    plain, paper = (by_page[pages_of[runs[name].settings.folder]] for name in ("plain", "paper"))
    told = [dict(zip(data["options"], (data["texts"][i] for i in run[4]), strict=True)) for run in (plain, paper)]
    assert (told[0]["encoder"], told[1]["encoder"]) == ("wavlm-base", "wavlm-large")
    assert (told[0]["head"], told[1]["head"]) == ("head linear", "head emobox")
    assert plain[5][0] == [50.0, 40.0, 60.0]
    assert [(data["texts"][name], ua) for name, ua in plain[6]] == [("fold1", 50.0), ("fold2", 50.0)]
    assert [(data["texts"][name], share) for name, share in plain[7]] == [
        ("Angry", 100.0), ("Happy", 100.0), ("Neutral", 100.0),
    ]  # fmt: skip


def test_tables_figures_and_headings_can_be_read_aloud(site: Path) -> None:
    for page in pages(site):
        assert len(page.all("h1")) == 1, page.path
        assert page.all("html")[0][0]["lang"] == "en"
        assert page.all("a")[0][0]["href"] == "#main"
        assert len(page.all("caption")) == len(page.all("table")), page.path
        assert all(text.strip() for _, text in page.all("caption")), page.path
        assert all(one.get("scope") in ("col", "row") for one, _ in page.all("th")), page.path
        for drawing, _ in page.all("svg"):
            assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label"), page.path
        levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
        assert all(after - before <= 1 for before, after in pairwise(levels)), page.path
        ids = [one["id"] for _, one in page.elements if "id" in one]
        assert len(ids) == len(set(ids)), page.path


def test_the_same_runs_make_the_same_bytes_wherever_they_lie(runs: Mapping[str, Run], tmp_path: Path) -> None:
    (folder,) = site_folders(runs)
    shutil.copytree(folder, tmp_path / "elsewhere" / "copies")
    build_site([folder], tmp_path / "a")
    build_site([tmp_path / "elsewhere" / "copies"], tmp_path / "b")
    read = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "a", tmp_path / "b")
    ]
    assert read[0] == read[1]
    assert not [path for path, text in read[0].items() if str(tmp_path).encode() in text]


def test_a_run_under_two_folders_counts_once_and_a_copy_has_its_own_page(make_run: Any, tmp_path: Path) -> None:
    run = make_run()
    (folder,) = site_folders({"plain": run})
    assert build_site([folder, run.folder.parent], tmp_path / "site") == build_site([folder], tmp_path / "site")
    shutil.copytree(folder, tmp_path / "copies")
    build_site([folder, tmp_path / "copies"], tmp_path / "site")
    assert len(list((tmp_path / "site" / "runs").iterdir())) == 2


def test_pages_of_an_earlier_site_vanish(runs: Mapping[str, Run], site: Path, tmp_path: Path) -> None:
    stale = {path.name for path in (site / "runs").iterdir()}
    build_site([runs["plain"].folder], site)
    left = {path.name for path in (site / "runs").iterdir()}
    assert len(left) == 1
    assert left < stale
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_is_no_site_is_left_as_it_is(runs: Mapping[str, Run], site: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("ten years", encoding="utf-8")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        build_site(site_folders(runs), mine)
    assert (mine / "thesis.tex").read_text(encoding="utf-8") == "ten years"
    with pytest.raises(InputError, match="found a file"):
        build_site(site_folders(runs), mine / "thesis.tex")
    with pytest.raises(InputError, match="that no site put there"):
        build_site(site_folders(runs), site_folders(runs)[0])
    (site / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"1 files that no site put there: notes\.txt"):
        build_site(site_folders(runs), site)
    assert (site / "index.html").is_file()
    (site / "notes.txt").unlink()
    (site / MARKER).unlink()
    with pytest.raises(InputError, match="that no site put there"):
        build_site(site_folders(runs), site)


def test_an_empty_folder_is_taken(runs: Mapping[str, Run], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    build_site([runs["plain"].folder], tmp_path / "empty")
    assert (tmp_path / "empty" / "index.html").is_file()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A folder with sound of polish, a file outside it, and one that no browser plays."""
    folder = tmp_path / "audio"
    (folder / "polish").mkdir(parents=True)
    for name in ("a.wav", "b.wav", "d.wav.zip"):
        (folder / "polish" / name).write_bytes(name.encode())
    (folder / "secret.wav").write_bytes(b"secret")
    return folder


def test_sound_is_copied_only_where_its_owner_asks(runs: Mapping[str, Run], sound: Path, tmp_path: Path) -> None:
    build_site(site_folders(runs), tmp_path / "silent")
    assert not any(page.all("audio") for page in pages(tmp_path / "silent"))
    build_site(site_folders(runs), tmp_path / "loud", audio_dir=sound)
    players = Page(tmp_path / "loud" / "corpora" / "polish.html").all("audio")
    files = {one["aria-label"]: (tmp_path / "loud" / "corpora" / one["src"]).read_bytes() for one, _ in players}
    assert files == {"a": b"a.wav", "b": b"b.wav"}
    assert all(one["preload"] == "none" for one, _ in players)
    build_site(site_folders(runs), tmp_path / "loud")
    assert not (tmp_path / "loud" / "audio").exists()


def test_a_path_out_of_the_corpus_brings_no_file_into_the_site(make_run: Any, sound: Path, tmp_path: Path) -> None:
    run = make_run(tested=[("../secret", "s1", "Angry", "Happy"), ("a", "s1", "Angry", "Happy")])
    (sound / "polish" / "link.wav").symlink_to(sound / "secret.wav")
    build_site([run.folder], tmp_path / "site", audio_dir=sound)
    assert [path.read_bytes() for path in (tmp_path / "site" / "audio").rglob("*.wav")] == [b"a.wav"]


def test_a_folder_without_a_corpus_of_the_runs_is_refused(runs: Mapping[str, Run], tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="expected a folder of one of the corpora"):
        build_site(site_folders(runs), tmp_path / "site", audio_dir=tmp_path / "nothing")


def test_the_command_writes_a_site_and_says_where(
    runs: Mapping[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", "site", "runs", "--out", "pages"]) == 0
    assert (
        capsys.readouterr().out == f"{len(list(Path('pages').rglob('*.html')))} pages; open pages{os.sep}index.html\n"
    )
    assert main(["report", "site"]) == 0
    assert Path("site/index.html").is_file()
    assert main(["report", "benchmark", "runs/polish", "runs/meld"]) == 0
    assert {"polish", "meld"} <= set(capsys.readouterr().out.split())
    assert main(["report", "list"]) == 0
    assert "\nsite " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["site", "runs", "--figure", "x.png"], "--figure: not for the kind site"),
        (["benchmark", "runs", "--out", "x"], "--out and --audio-dir go with the kind site"),
        (["site", "runs", "--score", "wa"], "--score: not for the kind site"),
        (["sites", "runs"], "did you mean 'site'?"),
        (["site", "nowhere"], "expected finished runs"),
    ],
)
def test_the_command_refuses_what_it_has_no_use_for(
    options: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *options]) == 2
    assert message in capsys.readouterr().err
