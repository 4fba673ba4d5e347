"""`emobox push`: a built folder goes to the Hub, private unless its licence lets anyone copy it.

Only the client's own calls are used, and it compares contents: what the Hub has is not sent again, so a push that was
interrupted goes on where it stopped. The card goes last; until then readers see the repository as it was.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HFValidationError,
    HTTPError,  # of requests or httpx, whichever this version of the client uses
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import DatasetInfo, SpaceInfo

from emobox_hf.corpora.spec import CorpusSpec, list_corpora, load_spec
from emobox_hf.errors import InputError, first_five
from emobox_hf.hub.licences import find_licence
from emobox_hf.hub.register import METRIC
from emobox_hf.hub.repo import MARK, check_repository, metric_files, read_card

GIVEN = {"form": "on request (form or licence agreement)", "paid": "for a fee"}
DATA_FILE = re.compile(r"data/\d{4}-\d{4}-[0-9a-f]{8}\.parquet")
CARD = "README.md"
TOKENS = "https://huggingface.co/settings/tokens"


@dataclass(frozen=True, slots=True)
class Pushed:
    """Where a folder is on the Hub, and whether this push changed anything there."""

    url: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What goes to the Hub: `files` without the card; `bar` says why it may not be public, empty if it may."""

    folder: Path
    name: str
    kind: Literal["dataset", "space"]
    files: tuple[str, ...]
    bar: str


def push_folder(
    folder: Path,
    repo: str,
    *,
    api: HfApi,
    public: bool = False,
    has_right: bool = False,
    allow_missing: bool = False,
) -> Pushed:
    """Bring a repository on the Hub in line with a folder that `emobox build` wrote; create it if need be.

    A corpus becomes a dataset, the metric a Space. Data files of an earlier build are deleted there, in the commit that
    brings the new card. The visibility of a repository that exists is never changed.

    Args:
        folder: The folder.
        repo: OWNER/NAME.
        api: The client: where the Hub is, and the token.
        public: Whether anyone may see it.
        has_right: The user says that they may publish the corpus, whatever its licence says here.
        allow_missing: Accept a corpus that was built without some of its utterances.

    Raises:
        InputError: The folder is not a whole built repository or holds paths, its licence does not allow what is asked,
            the repository on the Hub is of another visibility or holds something else, or the Hub says no.
    """
    _check_name(repo)
    parcel = _read_parcel(folder, allow_missing=allow_missing)
    if public and parcel.bar and not has_right:
        raise InputError(
            f"{parcel.name} may not be pushed with --public: {parcel.bar}. Push it without --public, for yourself; or, "
            "if its owners have given you the right to publish it, say so with --i-have-the-right"
        )
    try:
        api.whoami()
        there = _find_or_create(parcel, repo, api, public=public)
    except HFValidationError as error:
        raise InputError(f"--repo is {repo!r}: {error}") from error
    except (HTTPError, OSError) as error:
        raise InputError(_explain(error, api, repo)) from error
    _check_visibility(repo, is_private=bool(there.private), public=public, bar=parcel.bar)
    names = [sibling.rfilename for sibling in there.siblings or ()]
    _check_contents(parcel, repo, names, there.card_data.get(MARK) if there.card_data else None)
    try:
        commit = _upload(parcel, repo, api, names)
    except (HTTPError, OSError, RuntimeError) as error:  # the client wraps what fails in a thread in a RuntimeError
        reason = _explain(error.__cause__ or error if isinstance(error, RuntimeError) else error, api, repo)
        raise InputError(f"{reason}\nThe push has stopped; the same command goes on from there") from error
    return Pushed(f"{api.endpoint}/{parcel.kind}s/{repo}", commit != there.sha)


def bar_to_publishing(spec: CorpusSpec) -> str:
    """Why a copy of a corpus may not be published without asking; empty where anyone may.

    >>> from emobox_hf.corpora.spec import load_spec
    >>> bar_to_publishing(load_spec("ravdess"))
    ''
    >>> bar_to_publishing(load_spec("iemocap"))
    'its owners give it on request (form or licence agreement), to each user on their own'
    """
    if spec.access != "open":
        return f"its owners give it {GIVEN[spec.access]}, to each user on their own"
    bar = find_licence(spec.licence).bar
    return bar and f"its licence ({spec.licence}) {bar}"


def _check_name(repo: str) -> None:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise InputError(f"--repo is {repo!r}, expected OWNER/NAME, such as my-name/iemocap")


def _read_parcel(folder: Path, *, allow_missing: bool) -> _Parcel:
    """Recognise a folder by its card, and see that it is whole."""
    header = read_card(folder)
    if MARK in header:
        spec = load_spec(header[MARK]["corpus"])
        if header[MARK]["absent"] and not allow_missing:
            raise InputError(
                f"{folder} lacks {header[MARK]['absent']} of {spec.expected.utterances} utterances of {spec.name}; "
                "build it from a complete copy, or accept that with --allow-missing"
            )
        return _Parcel(folder, spec.name, "dataset", tuple(check_repository(folder)), bar_to_publishing(spec))
    if header.get("sdk") == "gradio" and (folder / f"{METRIC}.py").is_file():
        files = [name for name in metric_files() if name != CARD]
        if missing := [name for name in files if not (folder / name).is_file()]:
            raise InputError(f"{folder} is not complete: {first_five(missing)} missing; build it again")
        return _Parcel(folder, METRIC, "space", tuple(files), "")
    if not folder.exists() and str(folder) in (*list_corpora(), METRIC):
        raise InputError(
            f"{folder} is a name, and push takes a folder: `emobox build {folder} --out built/{folder}` writes one, "
            f"then `emobox push emobox/{folder} --repo OWNER/NAME`"
        )
    found = f"its {CARD} is another one" if (folder / CARD).is_file() else f"it has no {CARD}"
    raise InputError(
        f"{folder} is not a folder that `emobox build` wrote: "
        f"{found if folder.is_dir() else 'there is no such folder'}; `emobox build CORPUS --out {folder}` writes one"
    )


def _find_or_create(parcel: _Parcel, repo: str, api: HfApi, *, public: bool) -> DatasetInfo | SpaceInfo:
    look = api.space_info if parcel.kind == "space" else api.dataset_info
    try:
        return look(repo)
    except RepositoryNotFoundError:
        sdk = "gradio" if parcel.kind == "space" else None
        api.create_repo(repo, repo_type=parcel.kind, private=not public, space_sdk=sdk)
        return look(repo)


def _check_visibility(repo: str, *, is_private: bool, public: bool, bar: str) -> None:
    if public and is_private:
        raise InputError(
            f"{repo} is private on the Hub, and --public was asked for; nothing was uploaded. Push without --public; "
            "whether to open it to all is a decision for its settings page"
        )
    if not public and not is_private:
        right = f" and --i-have-the-right, since otherwise {bar}" if bar else ""
        raise InputError(
            f"{repo} is public on the Hub, and pushes are private unless --public is given; nothing was uploaded. "
            f"Choose another name, or give --public{right}"
        )


def _check_contents(parcel: _Parcel, repo: str, names: list[str], mark: dict[str, str] | None) -> None:
    """See that nobody's other work is overwritten."""
    ours = {*parcel.files, CARD, ".gitattributes"}
    others = [name for name in names if name not in ours and not DATA_FILE.fullmatch(name)]
    if mark is not None and mark.get("corpus") != parcel.name:
        raise InputError(f"{repo} holds {mark.get('corpus')}, and this folder is {parcel.name}; choose another name")
    if others:
        raise InputError(
            f"{repo} holds {len(others)} files that `emobox push` did not put there: {first_five(others)}; choose "
            "another name, or delete them on the Hub"
        )


def _upload(parcel: _Parcel, repo: str, api: HfApi, there: list[str]) -> str:
    """Upload data, then card, and delete what only an earlier build had; the last commit."""
    api.upload_folder(
        repo_id=repo,
        repo_type=parcel.kind,
        folder_path=parcel.folder,
        allow_patterns=list(parcel.files),
        commit_message=f"Upload {parcel.name}: data",
    )
    stale = sorted(name for name in there if DATA_FILE.fullmatch(name) and name not in parcel.files)
    card = CommitOperationAdd(CARD, _card_of(parcel, repo).encode())
    return api.create_commit(
        repo,
        [card, *(CommitOperationDelete(name) for name in stale)],
        repo_type=parcel.kind,
        commit_message=f"Upload {parcel.name}: card",
    ).oid


def _card_of(parcel: _Parcel, repo: str) -> str:
    """The folder's card, with the repository's name where it shows how to load it."""
    text = (parcel.folder / CARD).read_text(encoding="utf-8")
    example = re.compile(rf'load_dataset\("emobox/{re.escape(parcel.name)}", "(\w+)"\)[^\n]*')
    return example.sub(rf'load_dataset("{repo}", "\1")', text)


def _explain(error: BaseException, api: HfApi, repo: str) -> str:
    """What an error of the client means for the user."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, LocalTokenNotFoundError):
        return f"not logged in to the Hub: `hf auth login`, set HF_TOKEN, or give --token; tokens are made at {TOKENS}"
    if status == 401:
        return f"the Hub does not accept the token; make one that may write at {TOKENS}, then `hf auth login`"
    if status == 403:
        return f"the token may not write to {repo}: it needs the right to write, and {repo.split('/')[0]} must be yours"
    # httpx closes its messages with a link to an encyclopedia
    lines = [line for line in str(error).splitlines() if line.strip() and "developer.mozilla.org" not in line]
    lines = lines or [type(error).__name__]
    if status is not None:
        return f"{api.endpoint} answered {status}: {first_five(lines)}"
    if isinstance(error, (HTTPError, OSError)):
        return f"{api.endpoint} could not be reached: {lines[0]}; check the network, HF_ENDPOINT and HF_HUB_OFFLINE"
    return f"the upload failed: {first_five(lines)}"
