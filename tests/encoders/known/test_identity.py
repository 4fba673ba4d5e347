"""An identity is cheap, follows a folder's bytes or the Hub's commit, and a wrong name is answered helpfully."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_encoders import save_encoder, saved

from emobox_hf.encoders import KNOWN_ENCODERS, EncoderIdentity, identify
from emobox_hf.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PINNED = str(KNOWN_ENCODERS["hubert-large"].revision)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the Hub that holds HuBERT's config, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--facebook--hubert-large-ll60k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for commit in (COMMIT, PINNED):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "config.json").write_text('{"model_type": "hubert"}')
    return tmp_path


def test_a_folder_is_known_by_its_bytes_and_not_by_its_place(tmp_path: Path) -> None:
    identity = identify(str(saved("whisper")))
    assert (identity.revision, identity.model_type) == (None, "whisper")
    moved = identify(str(save_encoder(tmp_path / "elsewhere", "whisper")))
    assert moved.weights_digest == identity.weights_digest
    assert moved.key == identity.key == f"sha256:{identity.weights_digest}"
    assert moved.name != identity.name


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_any_changed_byte_changes_the_digest(tmp_path: Path, name: str) -> None:
    save_encoder(tmp_path, "whisper")
    before = identify(str(tmp_path))
    content = bytearray((tmp_path / name).read_bytes())
    if name.endswith(".json"):
        content.extend(b"\n")
    else:
        content[-1] ^= 1
    (tmp_path / name).write_bytes(content)
    assert identify(str(tmp_path)).weights_digest != before.weights_digest


def test_files_that_decide_nothing_leave_the_digest_alone(tmp_path: Path) -> None:
    save_encoder(tmp_path, "whisper")
    before = identify(str(tmp_path))
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / "optimizer.bin").write_bytes(b"x")
    assert identify(str(tmp_path)) == before


def test_every_part_of_sharded_weights_counts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "wavlm"}')
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    parts = [tmp_path / f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    digests = set()
    for contents in ((b"a", b"b"), (b"x", b"b"), (b"a", b"x"), (b"b", b"a")):
        for part, content in zip(parts, contents, strict=True):
            part.write_bytes(content)
        digests.add(identify(str(tmp_path)).weights_digest)
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "without config.json"),
        ({"config.json": '{"model_type": "hubert"}'}, "no weights"),
        ({"config.json": "{", "pytorch_model.bin": "weights"}, "not JSON"),
        ({"config.json": "{}", "pytorch_model.bin": "weights"}, "does not say its model_type"),
    ],
)
def test_a_folder_that_is_no_encoder_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        identify(str(tmp_path))


def test_a_folder_has_no_revision() -> None:
    with pytest.raises(InputError, match=r"revision 'main'.*leave it out"):
        identify(str(saved("whisper")), revision="main")


@pytest.mark.parametrize(
    ("name", "revision", "commit"),
    [
        ("facebook/hubert-large-ll60k", None, COMMIT),
        ("facebook/hubert-large-ll60k", "main", COMMIT),
        ("facebook/hubert-large-ll60k", COMMIT, COMMIT),
        ("hubert-large", None, PINNED),
        ("hubert-large", "main", COMMIT),
    ],
)
def test_a_name_is_resolved_to_a_commit_from_the_cache(hub: Path, name: str, revision: str | None, commit: str) -> None:
    identity = identify(name, revision=revision)
    assert identity == EncoderIdentity("facebook/hubert-large-ll60k", commit, None, "hubert")
    assert identity.key == f"facebook/hubert-large-ll60k@{commit}"


def test_what_is_not_in_the_cache_offline_is_refused_with_what_to_do(hub: Path) -> None:
    with pytest.raises(InputError, match=r"hubert-large-11k.*did you mean 'facebook/hubert-large-ll60k'.*online"):
        identify("facebook/hubert-large-11k")
    with pytest.raises(InputError, match=r"hubert-large-ll60k@v2.*Hub cannot be reached"):
        identify("hubert-large", revision="v2")


def test_a_misspelt_short_id_gets_a_suggestion_without_asking_the_hub() -> None:
    with pytest.raises(InputError, match="did you mean 'wavlm-large'"):
        identify("wavlm-larg")


@pytest.mark.parametrize("name", ["./absent", "/no/such/folder", "a/b/c", ""])
def test_a_folder_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"not a folder|folder without config"):
        identify(name)


def test_a_name_that_means_two_things_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_encoder(tmp_path / "hubert-base", "hubert-group")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"write './hubert-base'"):
        identify("hubert-base")
    assert identify("./hubert-base").model_type == "hubert"


def test_models_that_transformers_lacks_say_what_makes_them() -> None:
    with pytest.raises(InputError, match=r"emobox convert CHECKPOINT --id data2vec2-large.*large_vox\.pt"):
        identify("data2vec2-large")


@pytest.mark.parametrize(("said", "known"), [("data2vec2-base", "data2vec2-base"), ("another", None), (None, None)])
def test_a_folder_says_which_encoder_of_the_table_it_is(tmp_path: Path, said: str | None, known: str | None) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "emobox-data2vec2", "encoder_id": said}))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert identify(str(tmp_path)).known_id == known


def test_identifying_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, json; from emobox_hf.encoders import identify; identity = identify(sys.argv[1]);"
        "print(json.dumps([identity.key, [m for m in ('torch', 'transformers', 'datasets') if m in sys.modules]]))"
    )
    result = subprocess.run([sys.executable, "-c", code, saved("whisper")], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == [identify(str(saved("whisper"))).key, []]


@pytest.mark.parametrize("name", ["facebook/hubert-large-ll60k", "hubert-large"])
def test_a_hub_that_cannot_be_reached_is_tried_once(name: str, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    from emobox_hf.encoders.known import identity as module

    tries = []

    def refuse(*args: object, **options: object) -> None:
        tries.append(args)
        raise ConnectionRefusedError

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(module, "getproxies", dict)
    monkeypatch.setattr(module.socket, "create_connection", refuse)
    module.is_hub_reachable.cache_clear()
    for _ in range(2):
        with pytest.raises(InputError, match="the Hub cannot be reached") as raised:
            identify(name, revision="v2")
    module.is_hub_reachable.cache_clear()
    assert len(tries) == 1
    assert "did you mean" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_encoder_from_the_cache_is_loaded_without_the_hub_that_cannot_be_reached(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    from emobox_hf.encoders.known import loading

    identity, asked = identify("facebook/hubert-large-ll60k"), []

    def load(*_: object, local_files_only: bool, **__: object) -> None:
        asked.append(local_files_only)
        raise OSError("no file")

    for auto_class in (transformers.AutoFeatureExtractor, transformers.AutoModel):
        monkeypatch.setattr(auto_class, "from_pretrained", load)
    for is_reachable in (False, True):
        monkeypatch.setattr(loading, "is_hub_reachable", lambda found=is_reachable: found)
        for part in (loading.load_extractor, loading.load_model):
            with pytest.raises(InputError, match="no file"):
                part(identity)
    assert asked == [True, True, False, False]
