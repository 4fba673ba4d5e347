"""The site in a browser, without a network: it works, asks for nothing, fits a phone, and needs no eyes or mouse."""

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_site import HOSTILE, TESTED, make_all, site_folders

from emobox_hf.report.site import build_site
from emobox_hf.report.site.leaderboard import Leaderboard, describe_scores
from emobox_hf.report.site.render import render

PHONE_PX, TALL_PX = 390, 844


def skip_or_fail(reason: str) -> None:
    """Skip, or fail where every test must run."""
    if os.environ.get("EMOBOX_TEST_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    """Chromium without a window and without names of other machines."""
    binary, service = (
        next(filter(None, map(shutil.which, names)), None)
        for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
    )
    if not binary or not service:
        skip_or_fail("there is no browser: `apt-get install chromium chromium-driver`")
    if importlib.util.find_spec("selenium") is None or importlib.util.find_spec("axe_core_python") is None:
        skip_or_fail("selenium and axe-core-python, of the extra dev, are not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(binary)
    with tempfile.TemporaryDirectory(prefix="emobox-chromium-") as profile:
        for argument in (
            "--headless=new",
            "--no-sandbox",  # it needs rights that a container's root lacks; only our own pages are opened
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=service))
        chrome.set_page_load_timeout(60)
        chrome.set_script_timeout(60)
        yield chrome
        chrome.quit()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, write_toy_run: Any) -> Path:
    """A site with a page of every kind, with sound."""
    root = tmp_path_factory.mktemp("site")
    made = iter(range(100))

    def make_run(**options: Any) -> Any:
        return write_toy_run(root / "runs", **{"created": f"2026-01-01T00:{next(made):02}:00+00:00"} | options)

    runs = make_all(make_run)
    make_run(corpus="polish", encoder="an/encoder-of-a-name-that-is-long-" * 3, ua=0.1, tested=TESTED)
    (root / "audio" / "polish").mkdir(parents=True)
    (root / "audio" / "polish" / "a.wav").write_bytes(b"RIFF")
    build_site(site_folders(runs), root / "pages", audio_dir=root / "audio")
    return root / "pages"


def kinds_of_pages(site: Path) -> dict[str, Path]:
    """A page of each kind, those with most on them."""
    pages = {path.stem: path for path in site.glob("*.html")} | {
        "corpora": site / "corpora" / "index.html",
        "encoders": site / "encoders" / "index.html",
        "corpus": site / "corpora" / "polish.html",
        "hostile corpus": site / "corpora" / "script-alert-1-script.html",
        "encoder": site / "encoders" / "wavlm-large.html",
    }
    runs = sorted((site / "runs").glob("*.html"))
    return pages | {f"run {path.stem}": path for path in runs}


def open_page(driver: Any, path: Path, *, width_px: int = 1280, scheme: str = "light", anchor: str = "") -> None:
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    size = {"width": width_px, "height": TALL_PX, "deviceScaleFactor": 1, "mobile": width_px == PHONE_PX}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for kind in ("browser", "performance"):
        driver.get_log(kind)  # what earlier pages said
    driver.get("about:blank")
    driver.get(path.as_uri() + anchor)


def cells(driver: Any, name: str) -> list[str]:
    """The texts of a column of the leaderboard, by its heading."""
    script = """
        const table = document.getElementById("leaderboard");
        const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === arguments[0]);
        return [...table.tBodies[0].rows].map((row) => row.cells[at].textContent);
    """
    found: list[str] = driver.execute_script(script, name)
    return found


def click_heading(driver: Any, name: str) -> str:
    """Click a heading of the leaderboard; how it is sorted then."""
    script = """
        const heads = [...document.querySelectorAll("#leaderboard th")];
        const head = heads.find((cell) => cell.textContent === arguments[0]);
        head.querySelector("button").click();
        return head.getAttribute("aria-sort");
    """
    order: str = driver.execute_script(script, name)
    return order


def choose(driver: Any, name: str, value: str) -> None:
    script = """
        const field = document.getElementById("filters").elements[arguments[0]];
        field.value = arguments[1];
        field.dispatchEvent(new Event("input", { bubbles: true }));
    """
    driver.execute_script(script, name, value)


def test_no_page_errs_or_asks_for_anything_but_its_own_folder(driver: Any, site: Path) -> None:
    for kind, path in kinds_of_pages(site).items():
        open_page(driver, path)
        assert driver.get_log("browser") == [], kind
        messages = [json.loads(line["message"])["message"] for line in driver.get_log("performance")]
        asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        assert path.as_uri() in asked, kind
        root = site.as_uri()
        assert [url for url in asked if not url.startswith((root, "data:", "about:"))] == [], kind
        assert driver.execute_script("return document.querySelectorAll('main img').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(driver: Any, site: Path, scheme: str) -> None:
    for kind, path in kinds_of_pages(site).items():
        open_page(driver, path, width_px=PHONE_PX, scheme=scheme)
        script = (
            "document.querySelectorAll('details').forEach((one) => { one.open = true; });"
            "return [document.documentElement.scrollWidth, innerWidth];"
        )
        assert driver.execute_script(script) == [PHONE_PX, PHONE_PX], kind


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(driver: Any, site: Path, scheme: str) -> None:
    spec = importlib.util.find_spec("axe_core_python")
    assert spec is not None
    axe = (Path(str(spec.origin)).parent / "axe.min.js").read_text(encoding="utf-8")
    faults = {}
    for kind, path in kinds_of_pages(site).items():
        open_page(driver, path, scheme=scheme)
        driver.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; });")
        driver.execute_script(axe)
        found = driver.execute_async_script("axe.run().then(arguments[0])")
        assert found["passes"], kind
        serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical", "moderate")]
        if serious:
            faults[kind] = [(one["id"], one["nodes"][0]["html"][:200]) for one in serious]
    assert faults == {}


def test_the_leaderboard_sorts_by_any_column(driver: Any, site: Path) -> None:
    open_page(driver, site / "index.html")
    ua = [float(text) for text in cells(driver, "UA, %")]
    assert ua == sorted(ua, reverse=True)
    assert click_heading(driver, "UA, %") == "ascending"
    assert [float(text) for text in cells(driver, "UA, %")] == sorted(ua)
    assert click_heading(driver, "corpus") == "ascending"
    assert cells(driver, "corpus")[-1] == "savee-to-polish"
    assert HOSTILE in cells(driver, "corpus")
    assert click_heading(driver, "UA, 95 % interval, %") == "descending"
    intervals = cells(driver, "UA, 95 % interval, %")
    assert intervals[0] == "40.0 to 60.0"
    assert set(intervals[1:]) == {""}  # those without one are last, in either order
    assert click_heading(driver, "UA, 95 % interval, %") == "ascending"
    assert cells(driver, "UA, 95 % interval, %")[0] == "40.0 to 60.0"
    assert driver.execute_script("return document.querySelectorAll('#leaderboard [aria-sort]').length") == 1
    assert driver.execute_script("return document.querySelectorAll('#leaderboard .range').length") == 1


def test_the_leaderboard_filters_and_its_address_keeps_the_choice(driver: Any, site: Path) -> None:
    open_page(driver, site / "index.html")
    n_all = len(cells(driver, "corpus"))
    choose(driver, "language", "pl")
    assert set(cells(driver, "corpus")) == {"polish", "savee-to-polish"}
    choose(driver, "protocol", "random")
    assert cells(driver, "UA, %") == ["90.0"]
    choose(driver, "protocol", "published")
    choose(driver, "head", "emobox")
    assert cells(driver, "UA, %") == ["70.0"]
    click_heading(driver, "corpus")
    address = driver.current_url
    assert address.endswith("#language=pl&protocol=published&head=emobox&sort=corpus")
    assert driver.execute_script("return document.getElementById('status').textContent") == f"1 of {n_all} runs"
    open_page(driver, site / "index.html", anchor=address[address.index("#") :])
    assert cells(driver, "UA, %") == ["70.0"]
    driver.execute_script("document.querySelector('#filters button').click()")
    driver.execute_async_script("setTimeout(arguments[0], 50)")
    assert len(cells(driver, "corpus")) == n_all
    choose(driver, "words", "ALERT script")
    assert cells(driver, "corpus") == [HOSTILE]
    open_page(driver, site / "index.html", anchor="#encoder=none-such&sort=none-such")
    assert len(cells(driver, "corpus")) == n_all


def test_five_thousand_rows_are_sorted_and_turned_over(driver: Any, site: Path, tmp_path: Path) -> None:
    row = ["run", "polish", "polish", ["pl"], "wavlm-base", "layer 3", "linear", "published", 5, 3, "", "2026-01-01"]
    rows = []
    for i in range(5000):
        values = [(i * 7919 + k) % 5000 / 50 for k in range(3)]
        rows.append([*row[:4], f"encoder-{i % 40}", *row[5:], *([v, v - 2, v + 2, 1.0, None] for v in values)])
    choices: dict[str, list[str]] = {name: [] for name in ("corpus", "language", "encoder", "protocol", "head")}
    page = Leaderboard({"scores": describe_scores(), "marks": {}, "rows": rows}, choices, len(rows), len(rows))

    class Contents:
        entries, corpus_pages, encoder_pages, date = rows, {"polish": ""}, {"wavlm-base": ""}, "2026-01-01T00:00"

    text = render("leaderboard", page=page, contents=Contents, root="", version="0", scores=[])
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    for name in ("site.js", "style.css"):
        shutil.copyfile(site / name, tmp_path / name)
    open_page(driver, tmp_path / "index.html")
    click_heading(driver, "encoder")
    assert cells(driver, "encoder")[0].startswith("encoder-0")
    status = "return document.getElementById('status').textContent"
    assert driver.execute_script(status) == "5000 of 5000 runs, shown are 1 to 100"
    driver.execute_script("document.getElementById('next').click()")
    assert driver.execute_script(status) == "5000 of 5000 runs, shown are 101 to 200"


def test_tables_of_other_pages_sort_with_the_keyboard(driver: Any, site: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(driver, site / "corpora" / "polish.html")
    table = driver.find_element("css selector", "table.sortable")
    (button,) = (one for one in table.find_elements("css selector", "th button") if one.text == "UA, %")
    button.send_keys(Keys.ENTER)
    order = "return [...arguments[0].tBodies[0].rows].map((row) => Number(row.cells[4].textContent))"
    values = driver.execute_script(order, table)
    assert values == sorted(values, reverse=True)
    button.send_keys(Keys.SPACE)
    assert driver.execute_script(order, table) == sorted(values)
    heading = driver.execute_script("return arguments[0].closest('th').getAttribute('aria-sort')", button)
    assert heading == "ascending"


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(driver: Any, site: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(driver, site / "index.html")
    driver.find_element("css selector", "body").send_keys(Keys.TAB)
    active = driver.switch_to.active_element
    assert active.text == "Skip to content"
    assert driver.execute_script("return getComputedStyle(arguments[0]).outlineStyle", active) == "solid"
    active.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element.get_attribute("id") == "main"


def test_two_runs_are_compared(driver: Any, site: Path) -> None:
    open_page(driver, site / "compare.html")
    options = driver.execute_script("return [...document.querySelector('[name=a]').options].map((one) => one.value)")
    assert sorted(options) == sorted(path.stem for path in (site / "runs").iterdir())
    first, second = (
        next(one for one in options if stem in one) for stem in ("polish-wavlm-base-linear", "wavlm-large-emobox")
    )
    open_page(driver, site / "compare.html", anchor=f"#a={first}&b={second}")
    script = """
        return [...document.querySelectorAll("#comparison table")].map((table) =>
            [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)));
    """
    scores, settings, folds, recall = driver.execute_script(script)
    assert len(scores) == 3
    assert scores[0][0] == "UA, %"
    assert recall[0] == ["Angry", "100.0", "100.0", "0.0"]
    assert ["head", "head linear", "head emobox"] in settings
    assert [row[0] for row in folds][-2:] == ["fold1", "fold2"] or len(folds) == 3
    driver.execute_script(
        "const field = document.querySelector('[name=b]'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('input', { bubbles: true }));",
        first,
    )
    assert driver.execute_script("return document.getElementById('status').textContent") == "The two are one run."
    assert driver.current_url.endswith(f"#a={first}&b={first}")


def test_a_player_is_there_where_sound_was_given(driver: Any, site: Path) -> None:
    open_page(driver, site / "corpora" / "polish.html")
    assert (
        driver.execute_script("return [...document.querySelectorAll('audio')].map((one) => one.paused)") == [True] * 2
    )
