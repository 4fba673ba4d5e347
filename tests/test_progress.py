"""Lines of progress where there is no terminal: when they are written, what they say, who writes none."""

import io
import logging
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from emobox_hf.progress import BYTES, LOGGER, Pace, progress, watched


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of all stages of this test, which stands still until it is set."""
    clock = Clock()
    monkeypatch.setattr("emobox_hf.progress.PACE", Pace(clock=clock, tick_s=0))
    return clock


Lines = Callable[[], list[str]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """What was logged so far, where somebody asks for it."""
    with caplog.at_level(logging.INFO, logger=LOGGER.name):
        yield lambda: caplog.messages


def test_a_slow_stage_has_a_line_at_its_start_every_half_minute_and_at_its_end(clock: Clock, lines: Lines) -> None:
    with progress("extract", total=1600, unit=" s of audio") as advance:
        for _ in range(100):
            clock.now += 1
            advance(16)
    assert lines() == [
        "extract: 48 of 1600 s of audio, 16 s of audio a second, 1 min 37 s left",
        "extract: 528 of 1600 s of audio, 16 s of audio a second, 1 min 7 s left",
        "extract: 1008 of 1600 s of audio, 16 s of audio a second, 37 s left",
        "extract: 1488 of 1600 s of audio, 16 s of audio a second, 7 s left",
        "extract: done, 1600 of 1600 s of audio in 1 min 40 s, 16 s of audio a second",
    ]


def test_a_short_stage_says_nothing(clock: Clock, lines: Lines) -> None:
    with progress("extract", total=10, unit=" s of audio") as advance:
        clock.now += 2.9
        advance(10)
    assert list(watched("abc", "decode", total=3, unit=" utterances")) == ["a", "b", "c"]
    assert lines() == []


def test_the_first_steps_may_take_long(clock: Clock, lines: Lines) -> None:
    with progress("probe", total=10, unit=" steps") as advance:
        clock.now += 5
        advance(0)
    assert lines() == ["probe: 0 of 10 steps", "probe: done, 0 of 10 steps in 5 s"]


def test_what_was_here_before_does_not_count_for_the_rate(clock: Clock, lines: Lines) -> None:
    with progress("fetch polish", total=40_000_000, done=20_000_000, unit=BYTES) as advance:
        clock.now += 10
        advance(10_000_000)
    assert lines()[0] == "fetch polish: 30 MB of 40 MB, 1 MB a second, 10 s left"


def test_where_nobody_knows_how_much_there_is_no_time_left(clock: Clock, lines: Lines) -> None:
    with progress("fetch mine", unit=BYTES) as advance:
        clock.now += 10
        advance(10_000_000)
    assert lines()[0] == "fetch mine: 10 MB, 1 MB a second"


def test_an_error_or_ctrl_c_ends_a_stage_with_how_far_it_came(clock: Clock, lines: Lines) -> None:
    def stop() -> None:
        with progress("label", total=10, unit=" utterances") as advance:
            clock.now += 4
            advance(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert lines()[-1] == "label: stopped, 5 of 10 utterances in 4 s, 1.25 utterances a second"


def test_a_stage_that_tells_nothing_is_not_silent(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    clock, heard = Clock(), threading.Event()
    monkeypatch.setattr("emobox_hf.progress.PACE", Pace(clock=clock, tick_s=0.001))
    monkeypatch.setattr(LOGGER, "filters", [lambda record: heard.set() or True])
    with progress("load wavlm-large"):
        clock.now += 33
        assert heard.wait(10)
    assert lines() == ["load wavlm-large: 33 s so far", "load wavlm-large: done, in 33 s"]


def test_nothing_is_printed_where_the_package_is_imported(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("extract", total=1600, unit=" s of audio") as advance:
        clock.now += 100
        advance(16)
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("options", "shown"),
    [({}, True), ({"only": "lines"}, False), ({"only": "bar"}, True), ({"is_shown": False}, False)],
)
def test_a_terminal_has_bars_in_place_of_lines(
    options: dict, shown: bool, clock: Clock, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("extract", total=2, unit=" s of audio", **options) as advance:
        clock.now += 50
        advance(2)
    assert ("2/2" in sys.stderr.getvalue()) == shown
    assert lines() == []


def test_what_only_a_bar_shows_has_no_lines(clock: Clock, lines: Lines) -> None:
    with progress("1/2 a.zip", total=2, unit=BYTES, only="bar") as advance:
        clock.now += 50
        advance(2)
    assert lines() == []


def test_in_a_notebook_there_is_a_bar_and_no_line(
    clock: Clock, lines: Lines, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    kernel = types.SimpleNamespace(get_ipython=lambda: shell)
    for found, name in ((kernel, "IPython"), (types.SimpleNamespace(get_ipython=lambda: None), "IPython")):
        monkeypatch.setitem(sys.modules, name, found)
        with progress("extract", total=10, unit=" s of audio") as advance:
            clock.now += 10
            advance(10)
        assert ("extract: 100%" in capsys.readouterr().err) == (found is kernel)
    assert len(lines()) == 2  # of the one outside of a notebook
