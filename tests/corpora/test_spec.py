"""What a spec file may hold, and what is said when it does not."""

import pytest

from emobox_hf.corpora.spec import SPECS_DIR, load_spec, read_spec
from emobox_hf.errors import InputError

GOOD = (SPECS_DIR / "polish.toml").read_text(encoding="utf-8")


def write_spec(folder, text, name="polish"):
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_copy_of_a_good_spec_is_read(tmp_path):
    assert read_spec(write_spec(tmp_path, GOOD)) == load_spec("polish")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Polish"', 'titel = "Polish"', r"unknown field 'titel'; did you mean 'title'\?"),
        ('title = "Polish"\n', "", r"missing title"),
        ('title = "Polish"', "title = 3", r"title: expected str, found 3"),
        ("speakers = 5", "speakers = true", r"speakers: expected int, found True"),
        ("speakers = 5", 'speakers = "five"', r"speakers: expected int, found 'five'"),
        ('languages = ["pl"]', 'languages = "pl"', r"languages: expected list, found 'pl'"),
        ('languages = ["pl"]', "languages = [1]", r"languages\[0\]: expected str, found 1"),
        ('a = "Angry"', "a = 1", r"labels\.a: expected str, found 1"),
        (
            'a = "Angry"',
            'a = "Furious"',
            r"labels\.a is 'Furious', which is no emotion of EmoBox's; known: Amused",
        ),
        ('a = "Angry"', 'a = "Angri"', r"labels\.a is 'Angri', .*did you mean 'Angry'\? Known: Angry, Happy"),
        ('a = "Angry"', 'a = "rage"\nb = "anger"', r"labels\.a is 'rage', .*\(2 such labels\); known: "),
        ('a = "Angry"', 'a = "anger"', r"labels\.a is 'anger', .*did you mean 'Angry'\?"),
        ("[labels]", "[labels_left_out]\nn = 'no'\n\n[labels]", r"raw codes both mapped and left out: n"),
        ('name = "polish"', 'name = "polnisch"', r"name is 'polnisch', expected the file's name, 'polish'"),
        ('access = "open"', 'access = "free"', r"access is 'free', expected one of open, form, paid"),
        ('strategy = "paths"', 'strategy = "path"', r"strategy is 'path', expected one of paths, tables"),
        ('strategy = "paths"', 'strategy = "tables"', r"strategy is 'tables', but there are no discovery\.tables"),
        ("(?P<emotion>[a-z])", "(?P<emotion>[a-z]", r"pattern is not a regular expression"),
        ("(?P<emotion>[a-z])", "(?P<label>[a-z])", r"pattern has no group named 'emotion'"),
        ("[labels]", 'key = "polish-{take}"\n\n[labels]', r"discovery\.key uses take, which discovery\.pattern has no"),
        ("[labels]", 'speaker = "{who}"\n\n[labels]', r"discovery\.speaker uses who"),
        ('source = "speakers"', 'source = "luck"', r"folds\.source is 'luck', expected one of speakers, split, list"),
        ('    ["m1"],\n', "", r"test_speakers and folds\.published differ in length"),
        ("[labels]", 'text = "{stem"\n\n[labels]', r"discovery\.text is no template: '\{stem': expected '\}'"),
        ("[labels]", 'key = "{"\n\n[labels]', r"discovery\.key is no template: '\{': Single '\{'"),
        (
            "[labels]",
            'key = "{stem.__class__}"\n\n[labels]',
            r"discovery\.key is no template: .*only \.name and \.stem",
        ),
        ("[labels]", 'key = "{stem!r}"\n\n[labels]', r"discovery\.key is no template: .*a name was expected between"),
        ("[labels]", 'key = "{stem:>999999999}"\n\n[labels]', r"discovery\.key is no template: .*a name was expected"),
        ("[labels]", 'key = "{}"\n\n[labels]', r"discovery\.key is no template: .*a name was expected between"),
        ("[labels]", 'encoding = "latin-9000"\n\n[labels]', r"encoding is 'latin-9000', expected one of text"),
        ("[labels]", 'encoding = "hex"\n\n[labels]', r"encoding is 'hex', expected one of text"),
        ("[labels]", 'separator = ""\n\n[labels]', r"separator is '', expected one character"),
        ("[labels]", 'separator = "||"\n\n[labels]', r"separator is '\|\|', expected one character"),
        ("utterances = 450", "utterances = -450", r"expected\.utterances is negative"),
        ("speakers = 5", "speakers = -5", r"expected\.speakers is negative"),
        ("m{1..5}.", "m{a..e}.", r"expected\.keys: \{a\.\.e\}: a range of numbers was expected"),
        ("m{1..5}.", "m{1..}.", r"expected\.keys: \{1\.\.\}: a range of numbers was expected"),
        ("m{1..5}.", "m{5..1}.", r"expected\.keys: \{5\.\.1\}: a range of 1 to 1000000 numbers"),
        ("m{1..5}.", "m{1..999999999}.", r"expected\.keys: .*a range of 1 to 1000000 numbers"),
        ("m{1..5}.", "m{1..1000}{1..1000}.", r"expected\.keys: .*stands for 90000000 strings; 1000000 are the most"),
        ("m{1..5}.", "m{1..9999999999999999}.", r"expected\.keys: .*a range of numbers was expected"),
        ("(?P<emotion>[a-z])", "(" * 5000, r"pattern is not a regular expression"),
        ("speakers = 5", "speakers = " + "[" * 5000, r"not a TOML file"),
        ("speakers = 5", "speakers = " + "9" * 5000, r"not a TOML file"),
        ("[labels]", "[[labels]]", r"labels: expected dict"),
        ('name = "polish"', "name = polish", r"not a TOML file"),
    ],
)
def test_a_mistake_in_a_spec_is_named(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(InputError, match=message) as raised:
        read_spec(write_spec(tmp_path, GOOD.replace(old, new, 1)))
    assert "polish.toml" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("meld", 'emotion = "Emotion", ', "", r"discovery\.columns has no 'emotion'"),
        ("m3ed", 'records = "{movie}/{dialogue}/Dialog/{utterance}"\n', "", r"every one of discovery\.tables needs"),
        ("meld", 'key = "meld-', 'kee = "meld-', r"tables\[0\]: unknown field 'kee'"),
    ],
)
def test_a_mistake_in_a_spec_of_tables_is_named(tmp_path, name, old, new, message):
    text = (SPECS_DIR / f"{name}.toml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(InputError, match=message):
        read_spec(write_spec(tmp_path, text.replace(old, new, 1), name))


def test_an_unknown_corpus_gets_a_suggestion():
    with pytest.raises(InputError, match=r"no corpus named 'IEMOCUP'; did you mean 'iemocap'\?"):
        load_spec("IEMOCUP")


def test_a_spec_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "polish.toml"
    path.write_text(GOOD, encoding="utf-16")
    with pytest.raises(InputError, match=r"polish\.toml: not a TOML file in UTF-8"):
        read_spec(path)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ('s = "Fear"', 's = "Sad"', True),
        ("(?P<speaker>m\\d)", "(?P<speaker>m\\d+)", True),
        ('male = ["m1", ', "male = [", True),
        ("[expected]", "[speaker_languages]\nde = ['m1']\n\n[expected]", True),
        ('homepage = "https://', 'homepage = "http://', False),
        ('title = "Polish"', 'title = "Polski"', False),
    ],
)
def test_the_digest_changes_with_what_shapes_a_row(tmp_path, old, new, changes):
    assert old in GOOD
    changed = read_spec(write_spec(tmp_path, GOOD.replace(old, new, 1)))
    assert (changed.digest != load_spec("polish").digest) == changes


def test_genders_and_languages_are_read_from_brace_patterns():
    assert load_spec("ravdess").gender_of["01"] == "male"
    assert load_spec("mead").gender_of["W040"] == "female"
    assert load_spec("esd").language_of == {f"{n:04d}": "zh" if n <= 10 else "en" for n in range(1, 21)}
    cremad = load_spec("cremad").gender_of
    assert len(cremad) == 91
    assert (cremad["1001"], cremad["1091"]) == ("male", "female")


def test_channels_are_numbers():
    assert load_spec("meld").channels == {6: 3}
    assert load_spec("ravdess").channels == {}


def test_a_byte_order_mark_is_no_part_of_a_spec(tmp_path):
    assert read_spec(write_spec(tmp_path, "\ufeff" + GOOD)) == load_spec("polish")
