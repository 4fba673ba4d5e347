"""A sweep over all corpora: what a spec says of itself, and a fake copy made from its own examples."""

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from layout import lay_out, normal_label, touch

from emobox_hf.corpora.braces import expand_braces
from emobox_hf.corpora.discovery import STRATEGIES
from emobox_hf.corpora.discovery.tree import AUDIO_EXTENSIONS
from emobox_hf.corpora.labels import EMOTIONS
from emobox_hf.corpora.manifest import Manifest, search_corpus
from emobox_hf.corpora.spec import SPECS_DIR, STRATEGY_NAMES, list_corpora, load_spec
from emobox_hf.files import sha256_of_keys

FACTS = Path(__file__).parents[2].parent / "shared/facts/corpora.json"
every_corpus = pytest.mark.parametrize("name", list_corpora())


def search(name: str, root: Path) -> Manifest:
    return search_corpus(load_spec(name), root)


def check_examples(manifest: Manifest) -> None:
    """The rows found are the spec's examples, field for field as far as an example tells."""
    spec = manifest.spec
    assert not manifest.duplicates
    found = {utterance.key: utterance for utterance in manifest.utterances}
    assert sorted(found) == sorted(example.key for example in spec.examples)
    for example in spec.examples:
        utterance = found[example.key]
        assert utterance.raw_emotion == example.raw_emotion
        assert utterance.emotion == spec.labels[example.raw_emotion]
        assert utterance.speaker == example.speaker
        for field in ("text", "split", "start_s", "end_s", "language", "gender"):
            if getattr(example, field) is not None:
                assert getattr(utterance, field) == getattr(example, field), field
        assert dict(example.extras).items() <= utterance.extras.items()


def test_there_are_the_32_corpora_of_emobox():
    assert len(list_corpora()) == 32


def test_the_strategies_that_specs_may_name_are_the_functions_there_are():
    assert tuple(STRATEGIES) == STRATEGY_NAMES


@every_corpus
def test_a_fake_copy_of_the_examples_is_found(name, tmp_path):
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path / name)
    manifest = search(name, tmp_path / name)
    check_examples(manifest)
    assert {u.path for u in manifest.utterances} == {example.path for example in spec.examples}
    assert not manifest.unexpected


@every_corpus
def test_extra_folders_above_a_corpus_do_no_harm(name, tmp_path):
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path / "data" / "Archive (1)" / spec.title)
    check_examples(search(name, tmp_path / "data"))


@every_corpus
def test_leftovers_of_other_systems_are_not_utterances(name, tmp_path):
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path)
    for example in spec.examples:
        folder, _, file = example.path.rpartition("/")
        touch(tmp_path, [f"{folder}/._{file}".lstrip("/"), f"__MACOSX/{folder}/._{file}", f"__MACOSX/{example.path}"])
    touch(tmp_path, [".DS_Store", "Thumbs.db", "README.txt"])
    manifest = search(name, tmp_path)
    check_examples(manifest)
    assert not manifest.unexpected


@every_corpus
def test_extensions_in_capitals_are_found(name, tmp_path):
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path)
    for path in {example.path for example in spec.examples}:
        stem, _, extension = path.rpartition(".")
        (tmp_path / path).rename(tmp_path / f"{stem}.{extension.upper()}")
    check_examples(search(name, tmp_path))


@every_corpus
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_either_unicode_form_of_file_names_gives_the_same_rows(name, form, tmp_path):
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path)
    for path in {example.path for example in spec.examples}:
        renamed = tmp_path / unicodedata.normalize(form, path)
        if renamed != tmp_path / path:
            renamed.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).rename(renamed)
    check_examples(search(name, tmp_path))


@every_corpus
def test_symbolic_links_are_followed_once(name, tmp_path):
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path / "elsewhere")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "corpus" / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "corpus", target_is_directory=True)
    check_examples(search(name, tmp_path / "corpus"))


@every_corpus
def test_a_spec_is_whole(name):
    spec = load_spec(name)
    words = {"en", "de", "fr", "it", "es", "el", "pl", "ru", "tr", "fa", "ur", "bn", "am", "zh", "mul"}
    assert set(spec.languages) <= words
    assert spec.citation.strip().startswith("@")
    assert spec.citation.strip().endswith("}")
    assert spec.citation.count("{") == spec.citation.count("}")
    assert spec.source in ("acted", "TV", "podcast", "talk show", "media")
    assert spec.homepage.startswith("http")
    assert spec.tree.strip().startswith(f"{name}/")
    assert len(spec.examples) >= 4
    assert {Path(example.path).suffix for example in spec.examples} <= AUDIO_EXTENSIONS
    assert all(example.key.startswith(f"{name}-") for example in spec.examples)
    assert all(example.raw_emotion in spec.labels for example in spec.examples)
    assert set(spec.genders) <= {"female", "male"}
    assert set(spec.speaker_languages) <= set(spec.languages)
    assert all(set(fold) and len(fold) == len(set(fold)) for fold in spec.folds.test_speakers)


@every_corpus
def test_classes_are_in_the_order_of_the_vocabulary(name):
    emotions = load_spec(name).emotions
    assert list(emotions) == sorted(set(emotions), key=EMOTIONS.index)
    assert len(emotions) >= 3


@pytest.mark.parametrize("name", [name for name in list_corpora() if load_spec(name).expected.keys])
def test_key_patterns_give_the_expected_utterances_and_the_published_folds(name):
    spec = load_spec(name)
    keys = [key for pattern in spec.expected.keys for key in expand_braces(pattern)]
    assert len(keys) == len(set(keys)) == spec.expected.utterances
    for fold, speakers in zip(spec.folds.published, spec.folds.test_speakers, strict=True):
        # none of these corpora has a speaker whose name is part of another one's
        marks = {speaker: f"{speaker}" for speaker in speakers}
        test = {key for key in keys if any(_speaks(name, key, mark) for mark in marks.values())}
        assert len(test) == fold.test
        assert sha256_of_keys(test) == fold.test_sha256
        if fold.train_sha256 is not None:
            assert sha256_of_keys(set(keys) - test) == fold.train_sha256


def _speaks(name: str, key: str, speaker: str) -> bool:
    """Whether a key is one of a speaker's, read off the key alone."""
    rest = key.removeprefix(f"{name}-")
    return {
        "cafe": lambda: rest.startswith(f"{speaker}-"),
        "casia": lambda: rest.split("-")[1] == speaker,
        "emovo": lambda: rest.split("-")[1] == speaker,
        "esd": lambda: rest.startswith(f"{speaker}-"),
        "jlcorpus": lambda: rest.startswith(f"{speaker}-"),
        "polish": lambda: rest.startswith(f"{speaker}."),
        "ravdess": lambda: rest.endswith(f"-{speaker}"),
        "savee": lambda: rest.startswith(f"{speaker}-"),
        "subesco": lambda: rest.startswith(f"{speaker}_"),
    }[name]()


@pytest.mark.skipif(not FACTS.is_file(), reason="the page of facts on the corpora is not beside this checkout")
@every_corpus
def test_a_spec_agrees_with_the_facts(name):
    spec, facts = load_spec(name), json.loads(FACTS.read_text(encoding="utf-8"))[name]
    assert spec.expected.utterances == int(facts["paper_table"]["n_utterances"])
    assert len(spec.folds.published) == len(facts["folds"])
    for ours, theirs in zip(spec.folds.published, facts["folds"], strict=True):
        assert (ours.test, ours.test_sha256) == (theirs["test"], theirs["test_sha256"])
        assert (ours.train_sha256, ours.validation_sha256) == (theirs.get("train_sha256"), theirs.get("valid_sha256"))
        assert ours.validation == theirs.get("valid")
        assert ours.train == theirs.get("train") or "train" not in theirs
    assert Counter(map(normal_label, facts["upstream_label_map"].values())).keys() == set(spec.emotions)


def test_spec_files_hold_no_corpus_twice():
    homepages = [load_spec(name).homepage for name in list_corpora()]
    assert len(set(homepages)) == len(homepages)
    assert {path.suffix for path in SPECS_DIR.iterdir()} == {".toml", ".md"}
