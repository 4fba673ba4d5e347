"""PAVOQUE's long recordings and their lists of segments."""

import pytest
from layout import touch

from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError

STYLES = ("neutral", "angry", "happy", "sad", "poker", "outtakes")


def write_pavoque(root, **lists):
    for style in STYLES:
        touch(root, [f"pavoque-{style}.flac"])
        touch(root, [f"pavoque-{style}.yaml"], lists.get(style, "[]").encode())


def search(root):
    return search_corpus(load_spec("pavoque"), root)


def test_a_segment_is_an_utterance_with_times_in_seconds(tmp_path):
    write_pavoque(
        tmp_path / "p",
        outtakes="- {prompt: m0368c, style: sad, text: 'Nein, ja.', start: 12855.29, end: 12864.5}\n",
        neutral="- {prompt: 1e3, style: neutral, text: No, start: 0, end: 4.46}\n",
    )
    first, second = search(tmp_path / "p").utterances
    assert (first.key, first.text, first.start_s, first.end_s) == ("pavoque-1e3-neutral", "No", 0.0, 4.46)
    assert (second.key, second.path) == ("pavoque-m0368c-sad", "pavoque-outtakes.flac")
    assert (second.start_s, second.end_s, second.gender) == (12855.29, 12864.5, "male")


def test_segments_of_an_absent_recording_are_missing(tmp_path):
    write_pavoque(tmp_path / "p", sad="- {prompt: a, style: sad, text: x, start: 1, end: 2}\n")
    (tmp_path / "p/pavoque-sad.flac").unlink()
    assert search(tmp_path / "p").missing == {"pavoque-a-sad": "pavoque-sad.flac"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {", r"pavoque-sad\.yaml: not YAML in UTF-8"),
        ("a: 1", r"pavoque-sad\.yaml, line 1: expected a list of segments, each a mapping of names to texts"),
        ("", r"pavoque-sad\.yaml: expected a list of segments, found an empty file"),
        ("No", r"pavoque-sad\.yaml, line 1: expected a list of segments, found the text 'No'"),
        ("- No", r"pavoque-sad\.yaml, line 1: expected a list of segments, found the text 'No'"),
        ("- " * 50_000 + "x", r"pavoque-sad\.yaml, line 1: expected a list of segments, each a mapping"),
        ("- {prompt: [[a]], style: sad}", r"line 1: expected a list of segments, each a mapping of names to texts"),
        ("- &a {prompt: a}\n- *a", r"line 2: expected segments that are written out, found an alias"),
        *(
            (f"- {{prompt: a, style: sad, start: {start}, end: {end}}}", rf"segment 1: .*{message}")
            for start, end, message in [
                ("1", ".nan", "seconds"),
                ("1", "nan", "found 1 to nan"),
                ("1", "inf", "found 1 to inf"),
                ("-1", "2", "found -1 to 2"),
                ("2", "2", "found 2 to 2"),
                ("x", "2", "seconds"),
            ]
        ),
        ("- {prompt: a, style: sad, start: 1}", r"pavoque-sad\.yaml, segment 1: no end"),
        ("- {prompt: a, style: glad, start: 1, end: 2}", r"segment 1, has the emotion code 'glad'"),
    ],
)
def test_a_list_of_another_shape_is_named(text, message, tmp_path):
    write_pavoque(tmp_path / "p", sad=text)
    with pytest.raises(InputError, match=message):
        search(tmp_path / "p")


def test_an_absent_list_is_an_error(tmp_path):
    write_pavoque(tmp_path / "p")
    (tmp_path / "p/pavoque-poker.yaml").unlink()
    with pytest.raises(InputError, match=r"no file pavoque-poker\.yaml, which lists the corpus's segments"):
        search(tmp_path / "p")
