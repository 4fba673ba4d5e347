"""Download sources in the specs: which corpora have one, and what is said of a table that does not fit."""

import pytest

from emobox_hf.corpora.download_source import KINDS
from emobox_hf.corpora.spec import SPECS_DIR, list_corpora, load_spec, read_spec
from emobox_hf.errors import InputError

every_corpus = pytest.mark.parametrize("name", list_corpora())
GOOD = (SPECS_DIR / "ravdess.toml").read_text(encoding="utf-8")
TABLE = GOOD[GOOD.index("[fetch]") : GOOD.index("[folds]")]


@every_corpus
def test_an_open_corpus_is_fetched_or_the_spec_says_why_not_and_no_other_is(name):
    spec = load_spec(name)
    assert (spec.access == "open") == (spec.fetch is not None or bool(spec.by_hand))
    assert spec.fetch is None or not spec.by_hand


@pytest.mark.parametrize("name", [name for name in list_corpora() if load_spec(name).fetch])
def test_a_home_is_pinned_and_speaks_for_itself(name):
    fetch = load_spec(name).fetch
    assert fetch.site
    for file, url in fetch.addresses:
        assert "{" not in url
        assert "#" not in url
        assert "/archive/refs/" not in url, "an archive of a branch is another one tomorrow"
        assert file == file.strip()
    assert "size" in fetch.size or fetch.size[0].isdigit()


def test_the_kinds_of_the_readme_are_those_there_are():
    text = (SPECS_DIR / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## `[fetch]`") : text.index("## `[folds]`")]
    kinds = section[section.index("| kind |") : section.index("| field |")]
    assert {line.split("`")[1] for line in kinds.splitlines() if line.startswith("| `")} == set(KINDS)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('kind = "ftp"', r"fetch\.kind is 'ftp', expected one of package, url, zenodo"),
        ("size_mb = 3", r"fetch: missing kind"),
        ('kind = "zenodo"\nfiles = ["*"]', r"fetch\.kind is 'zenodo', which needs fetch\.source"),
        ('kind = "zenodo"\nsource = "1188976"', r"which needs fetch\.files"),
        (
            'kind = "zenodo"\nsource = "record/1"\nfiles = ["*"]',
            r"fetch\.source is 'record/1', expected something like",
        ),
        ('kind = "dataverse"\nsource = "doi:1"\nfiles = ["*"]', r"fetch\.source is 'doi:1'"),
        ('kind = "github"\nsource = "repo"\nfiles = ["*"]', r"fetch\.source is 'repo'"),
        ('kind = "url"', r"fetch\.kind is 'url', which needs fetch\.urls"),
        (
            'kind = "url"\nurls = ["ftp://a/b.zip"]',
            r"expected addresses of files, http:// or https://, found ftp://a/b",
        ),
        ('kind = "url"\nurls = ["file:///etc/passwd"]', r"found file:///etc/passwd"),
        ('kind = "url"\nurls = ["https://a/b/"]', r"found https://a/b/"),
        ('kind = "url"\nurls = ["https://a/{x,y}/b.zip"]', r"files of different names, found b\.zip, b\.zip"),
        (
            'kind = "url"\nurls = ["https://a/b.zip"]\nchecksums = {"b.zip" = "md5:12"}',
            r"expected md5: or sha256: and so many hexadecimal digits, found md5:12",
        ),
        (
            'kind = "url"\nurls = ["https://a/b.zip"]\nchecksums = {"c.zip" = "md5:' + "0" * 32 + '"}',
            r"fetch\.checksums: expected some of b\.zip, found c\.zip",
        ),
        ('kind = "package"\nsource = "thing"', r"fetch\.source is 'thing'"),
        ('kind = "package"\nsource = "thing==1.0"', r"fetch\.checksums has no sha256 of thing==1\.0"),
    ],
)
def test_a_mistake_in_a_home_is_named(tmp_path, table, message):
    path = tmp_path / "ravdess.toml"
    path.write_text(GOOD.replace(TABLE, f"[fetch]\n{table}\n\n"), encoding="utf-8")
    with pytest.raises(InputError, match=message) as raised:
        read_spec(path)
    assert "ravdess.toml" in str(raised.value)


@pytest.mark.parametrize("access", ["form", "paid"])
def test_nothing_is_fetched_past_a_form_or_a_payment(tmp_path, access):
    path = tmp_path / "ravdess.toml"
    path.write_text(GOOD.replace('access = "open"', f'access = "{access}"'), encoding="utf-8")
    with pytest.raises(InputError, match=rf"access is '{access}', so there must be no \[fetch\]"):
        read_spec(path)


def test_a_home_and_a_reason_against_it_contradict_each_other(tmp_path):
    path = tmp_path / "ravdess.toml"
    path.write_text(GOOD.replace('access = "open"', 'access = "open"\nby_hand = "so"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"expected one of the two"):
        read_spec(path)
