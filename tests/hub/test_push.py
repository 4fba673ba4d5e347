"""`emobox push` with the real client of the Hub, against a stand-in on this machine."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import datasets
import huggingface_hub.constants
import pytest
from hub.stand_in import READ_ONLY_TOKEN, TOKEN, Hub, Repo, running_hub
from huggingface_hub import HfApi
from huggingface_hub.utils import disable_progress_bars, enable_progress_bars
from speech import make_polish

from emobox_hf.cli.main import main
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.errors import InputError
from emobox_hf.hub import push
from emobox_hf.hub.push import bar_to_publishing, push_folder
from emobox_hf.hub.repo import build_metric, build_repository

REPO = "me/polish"
KEPT = f"datasets/{REPO}"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("polish")
    make_polish(root, load_spec("polish"))
    return root


@pytest.fixture(scope="module")
def built(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "emobox" / "polish"
    build_repository(build_manifest(load_spec("polish"), corpus), out)
    return out


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "emobox" / "polish"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)  # the stand-in speaks LFS
    disable_progress_bars()
    with running_hub() as hub:
        yield hub
    enable_progress_bars()


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=TOKEN)


@pytest.fixture
def free_polish(monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus under a licence that lets anyone pass it on."""
    free = dataclasses.replace(load_spec("polish"), licence="CC BY 4.0", access="open")
    monkeypatch.setattr(push, "load_spec", lambda name: free)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_pushed(folder: Path) -> dict[str, bytes]:
    """The contents of a folder, its card as it names the repository."""
    files = contents(folder)
    card = files["README.md"].replace(
        b'load_dataset("emobox/polish", "fold1")  # or the path of this folder', b"EXAMPLE"
    )
    return files | {"README.md": card.replace(b"EXAMPLE", f'load_dataset("{REPO}", "fold1")'.encode())}


def test_a_card_names_the_repository_that_it_is_pushed_to(folder: Path, hub: Hub, api: HfApi) -> None:
    push_folder(folder, REPO, api=api)
    card = hub.repos[KEPT].files["README.md"].decode()
    assert f'load_dataset("{REPO}", "fold1")\n' in card
    assert "emobox/polish" not in card


def test_every_file_arrives_byte_for_byte_in_a_private_repository(folder: Path, hub: Hub, api: HfApi) -> None:
    pushed = push_folder(folder, REPO, api=api)
    assert pushed.url == f"{hub.endpoint}/{KEPT}"
    assert pushed.is_changed
    there = hub.repos[KEPT]
    assert there.private
    assert {name: data for name, data in there.files.items() if name != ".gitattributes"} == as_pushed(folder)


def test_the_card_comes_after_the_data(folder: Path, hub: Hub, api: HfApi) -> None:
    push_folder(folder, REPO, api=api)
    first, last = hub.repos[KEPT].commits
    assert "README.md" not in first
    assert set(last) == {"summary", "README.md"}


def test_a_second_push_uploads_nothing(folder: Path, hub: Hub, api: HfApi) -> None:
    push_folder(folder, REPO, api=api)
    uploads, commits = hub.uploads, len(hub.repos[KEPT].commits)
    assert uploads == len(list((folder / "data").iterdir()))
    assert not push_folder(folder, REPO, api=api).is_changed
    assert (hub.uploads, len(hub.repos[KEPT].commits)) == (uploads, commits)


def test_an_interrupted_push_goes_on_where_it_stopped(folder: Path, hub: Hub, api: HfApi) -> None:
    hub.fails_at = 3
    with pytest.raises(InputError, match=r"(?s)507.*Insufficient Storage.*the same command goes on"):
        push_folder(folder, REPO, api=api)
    there, n_files = hub.repos[KEPT], len(list((folder / "data").iterdir()))
    assert there.commits == []
    arrived, tried = len(hub.stored), hub.uploads
    assert 2 <= arrived < n_files
    hub.fails_at = None
    push_folder(folder, REPO, api=api)
    assert hub.uploads - tried == n_files - arrived
    assert {name: data for name, data in there.files.items() if name != ".gitattributes"} == as_pushed(folder)


def test_what_arrived_is_what_load_dataset_reads(folder: Path, hub: Hub, api: HfApi, tmp_path: Path) -> None:
    push_folder(folder, REPO, api=api)
    downloaded = hub.write_to(tmp_path / "downloaded", KEPT)
    fold = datasets.load_dataset(str(downloaded), "fold1")
    assert {name: len(split) for name, split in fold.items()} == {"train": 288, "validation": 72, "test": 90}
    row = fold["test"].cast_column("audio", datasets.Audio(decode=False))[0]
    assert row["audio"]["bytes"][:4] == b"fLaC"


def test_a_new_build_takes_the_place_of_the_old_one(
    folder: Path, corpus: Path, hub: Hub, api: HfApi, tmp_path: Path
) -> None:
    push_folder(folder, REPO, api=api)
    again = tmp_path / "again"
    build_repository(build_manifest(load_spec("polish"), corpus), again, max_file_bytes=300_000)
    push_folder(again, REPO, api=api)
    assert set(hub.repos[KEPT].files) - {".gitattributes"} == set(contents(again))
    assert len(contents(again)) > len(contents(folder))


def test_public_is_refused_where_the_licence_is_not_known_to_allow_it(folder: Path, hub: Hub, api: HfApi) -> None:
    with pytest.raises(InputError, match=r"(?s)polish may not be pushed with --public: .*--i-have-the-right"):
        push_folder(folder, REPO, api=api, public=True)
    assert hub.repos == {}


def test_public_is_allowed_to_whoever_has_the_right(folder: Path, hub: Hub, api: HfApi) -> None:
    push_folder(folder, REPO, api=api, public=True, has_right=True)
    assert not hub.repos[KEPT].private


@pytest.mark.usefixtures("free_polish")
def test_public_is_allowed_where_the_licence_allows_it(folder: Path, hub: Hub, api: HfApi) -> None:
    push_folder(folder, REPO, api=api, public=True)
    assert not hub.repos[KEPT].private


@pytest.mark.usefixtures("free_polish")
def test_private_is_what_a_free_corpus_is_too_unless_asked(folder: Path, hub: Hub, api: HfApi) -> None:
    push_folder(folder, REPO, api=api)
    assert hub.repos[KEPT].private


@pytest.mark.parametrize("name", list_corpora())
def test_only_plain_free_licences_of_open_corpora_may_be_public(name: str) -> None:
    spec = load_spec(name)
    free = {"CC BY 4.0", "CC BY-NC-SA 4.0", "CC BY-NC-SA 3.0", "MIT", "Open Database License (ODbL) 1.0"}
    assert (not bar_to_publishing(spec)) == (spec.access == "open" and spec.licence in free)


def test_a_licence_without_derivatives_bars_the_public(
    folder: Path, hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = dataclasses.replace(load_spec("polish"), licence="CC BY-NC-ND 4.0", access="open")
    monkeypatch.setattr(push, "load_spec", lambda name: strict)
    with pytest.raises(InputError, match=r"CC BY-NC-ND 4\.0\) allows no derivatives.*at 16 kHz.*--i-have-the-right"):
        push_folder(folder, REPO, api=api, public=True)
    assert hub.repos == {}
    push_folder(folder, REPO, api=api, public=True, has_right=True)
    assert not hub.repos[KEPT].private


@pytest.mark.parametrize("access", ["form", "paid"])
def test_a_corpus_that_is_given_on_request_is_not_free(access: str) -> None:
    assert bar_to_publishing(dataclasses.replace(load_spec("ravdess"), access=access))


def test_a_repository_that_is_public_is_left_alone(folder: Path, hub: Hub, api: HfApi) -> None:
    hub.repos[KEPT] = Repo(private=False)
    for has_right in (False, True):
        with pytest.raises(InputError, match=r"me/polish is public.*nothing was uploaded.*--public"):
            push_folder(folder, REPO, api=api, has_right=has_right)
    assert (hub.uploads, hub.repos[KEPT].commits) == (0, [])
    push_folder(folder, REPO, api=api, public=True, has_right=True)
    assert set(contents(folder)) <= set(hub.repos[KEPT].files)


def test_a_repository_that_is_private_is_not_opened(folder: Path, hub: Hub, api: HfApi) -> None:
    hub.repos[KEPT] = Repo(private=True)
    with pytest.raises(InputError, match=r"me/polish is private.*nothing was uploaded"):
        push_folder(folder, REPO, api=api, public=True, has_right=True)
    assert hub.repos[KEPT].private
    assert hub.uploads == 0


def test_other_work_is_not_overwritten(folder: Path, hub: Hub, api: HfApi) -> None:
    hub.repos[KEPT] = Repo(private=True, files={"train.csv": b"a"})
    with pytest.raises(InputError, match=r"holds 1 files that `emobox push` did not put there: train\.csv"):
        push_folder(folder, REPO, api=api)
    hub.repos[KEPT] = Repo(private=True, files={"README.md": b"---\nemobox:\n  corpus: savee\n---\n"})
    with pytest.raises(InputError, match="me/polish holds savee, and this folder is polish"):
        push_folder(folder, REPO, api=api)
    assert hub.uploads == 0


def test_a_token_that_is_not_accepted_is_said_to_be(folder: Path, hub: Hub) -> None:
    with pytest.raises(InputError, match="does not accept the token"):
        push_folder(folder, REPO, api=HfApi(endpoint=hub.endpoint, token="hf_wrong"))
    with pytest.raises(InputError, match="may not write to me/polish"):
        push_folder(folder, REPO, api=HfApi(endpoint=hub.endpoint, token=READ_ONLY_TOKEN))
    hub.repos[KEPT] = Repo(private=True)  # found with such a token, so it is the upload that is stopped
    with pytest.raises(InputError, match="may not write to me/polish"):
        push_folder(folder, REPO, api=HfApi(endpoint=hub.endpoint, token=READ_ONLY_TOKEN))


def test_nobody_logged_in_is_told_how(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(InputError, match=r"not logged in.*hf auth login"):
        push_folder(folder, REPO, api=HfApi(endpoint=hub.endpoint))


def test_another_s_name_is_refused(folder: Path, api: HfApi) -> None:
    with pytest.raises(InputError, match="may not write to you/polish"):
        push_folder(folder, "you/polish", api=api)


@pytest.mark.parametrize("repo", ["polish", "me/too/polish", "me/", "/polish", "me/pol ish", "me/pol--ish"])
def test_a_repository_is_owner_and_name(repo: str, folder: Path, api: HfApi) -> None:
    with pytest.raises(InputError, match="--repo is"):
        push_folder(folder, repo, api=api)


def test_a_hub_out_of_reach_is_named(folder: Path, hub: Hub) -> None:
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9 could not be reached"):
        push_folder(folder, REPO, api=HfApi(endpoint="http://127.0.0.1:9", token=TOKEN))


def test_offline_mode_is_named(folder: Path, api: HfApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="offline mode is enabled"):
        push_folder(folder, REPO, api=api)


def test_a_folder_with_links_stays_here(corpus: Path, hub: Hub, api: HfApi, tmp_path: Path) -> None:
    out = tmp_path / "linked"
    build_repository(build_manifest(load_spec("polish"), corpus), out, link=True)
    with pytest.raises(InputError, match=r"built with --link: data/.* paths of this machine"):
        push_folder(out, REPO, api=api)
    assert hub.repos == {}


def test_a_folder_that_is_not_whole_is_refused(folder: Path, hub: Hub, api: HfApi) -> None:
    first, *_ = sorted((folder / "data").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{first.name} is not what was built"):
        push_folder(folder, REPO, api=api)
    first.unlink()
    with pytest.raises(InputError, match=rf"not complete: its card names data/{first.name}.*--overwrite"):
        push_folder(folder, REPO, api=api)
    assert hub.repos == {}


def test_a_corpus_that_lacks_utterances_is_pushed_on_request_alone(
    corpus: Path, hub: Hub, api: HfApi, tmp_path: Path
) -> None:
    part = Path(shutil.copytree(corpus, tmp_path / "part"))
    (part / "m3.a_nie_1.wav").unlink()
    out = tmp_path / "built"
    build_repository(build_manifest(load_spec("polish"), part, allow_missing=True), out)
    with pytest.raises(InputError, match=r"lacks 1 of 450 utterances of polish.*--allow-missing"):
        push_folder(out, REPO, api=api)
    push_folder(out, REPO, api=api, allow_missing=True)
    assert b"> This copy lacks 1 of 450 utterances." in hub.repos[KEPT].files["README.md"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "there is no such folder"),
        ("empty", "it has no README.md"),
        ("other", "its README.md is another one"),
        ("broken", "its README.md is another one"),
    ],
)
def test_a_folder_of_another_kind_is_refused(name: str, message: str, hub: Hub, api: HfApi, tmp_path: Path) -> None:
    for made, text in (("other", "---\nlicense: mit\n---\n"), ("broken", "---\na: [\n---\n")):
        (tmp_path / made).mkdir()
        (tmp_path / made / "README.md").write_text(text, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"not a folder that `emobox build` wrote: {message}"):
        push_folder(tmp_path / name, REPO, api=api)
    assert hub.repos == {}


def test_the_name_of_a_corpus_is_not_a_folder(api: HfApi) -> None:
    with pytest.raises(InputError, match="`emobox build iemocap --out built/iemocap` writes one"):
        push_folder(Path("iemocap"), REPO, api=api)


def test_the_metric_becomes_a_space(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    out = tmp_path / "ser_metrics"
    build_metric(out)
    assert push_folder(out, "me/ser_metrics", api=api, public=True).is_changed
    there = hub.repos["spaces/me/ser_metrics"]
    assert (there.sdk, there.private) == ("gradio", False)
    assert {name: data for name, data in there.files.items() if name != ".gitattributes"} == contents(out)
    assert not push_folder(out, "me/ser_metrics", api=api, public=True).is_changed
    (out / "app.py").unlink()
    with pytest.raises(InputError, match=r"not complete: app\.py missing"):
        push_folder(out, "me/ser_metrics", api=api)


def test_the_command_takes_the_hub_and_the_token_from_the_environment(folder: Path, hub: Hub) -> None:
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    code = "import sys; from emobox_hf.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "push", str(folder), "--repo", REPO]
    outcomes = [
        subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [(o.returncode, o.stdout, o.stderr) for o in outcomes] == [
        (0, f"{hub.endpoint}/{KEPT}\n", ""),
        (0, f"{hub.endpoint}/{KEPT} is up to date\n", ""),
    ]
    assert set(contents(folder)) <= set(hub.repos[KEPT].files)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["FOLDER", "--repo", REPO, "--public"], "--i-have-the-right"),
        (["iemocap", "--repo", REPO], "`emobox build iemocap --out built/iemocap`"),
        (["FOLDER", "--repo", "polish"], "expected OWNER/NAME"),
    ],
    ids=["public", "name", "repo"],
)
def test_wrong_input_ends_with_2(
    argv: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", *(str(folder) if word == "FOLDER" else word for word in argv)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
