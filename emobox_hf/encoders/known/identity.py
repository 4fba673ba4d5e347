"""Which encoder exactly: a Hub commit or a digest of a local folder. Cheap: loads neither torch nor transformers."""

import hashlib
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from emobox_hf.corpora.placeholders import find_placeholders
from emobox_hf.encoders.baselines.table import BASELINES, MODEL_TYPE, find_baseline
from emobox_hf.encoders.known.table import KNOWN_ENCODERS, find_known
from emobox_hf.errors import InputError, first_line, suggest
from emobox_hf.files import read_json, sha256_of_file
from emobox_hf.memo import look_up

CONNECT_S = 5.0
_SETTINGS_FILES = ("config.json", "preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class EncoderIdentity:
    """The encoder that a feature file or a record speaks of.

    Attributes:
        name: a Hub id, a local folder as the user wrote it, or a baseline.
        revision: the Hub commit, 40 hexadecimal digits; of a baseline its version; None for a folder.
        weights_digest: SHA-256 over a folder's settings and weights; None for the Hub, where the commit says it all.
        model_type: transformers' name of the architecture, such as `wavlm`; `baseline` of one.
        known_id: the encoder of the table that a folder made by `emobox convert --id` says it is.
    """

    name: str
    revision: str | None
    weights_digest: str | None
    model_type: str
    known_id: str | None = None

    @property
    def key(self) -> str:
        """What two equal encoders share, wherever a folder lies: `owner/name@commit` or `sha256:digest`."""
        return f"sha256:{self.weights_digest}" if self.weights_digest else f"{self.name}@{self.revision}"

    @property
    def display_name(self) -> str:
        """What tables call the encoder: its Hub id, the id that a converted folder says, or the name of its folder."""
        if self.revision:
            return self.name
        return self.known_id or Path(self.name).expanduser().resolve().name


def identify(name: str, *, revision: str | None = None) -> EncoderIdentity:
    """The identity of an encoder named by a short id of the table, a Hub id or a local folder, or of a baseline.

    On the Hub only `config.json` is fetched (or found in the cache), to learn the commit that `revision` points to. A
    short id stands for the commit that the table pins, where it pins one; a Hub id for its main branch.

    Args:
        name: such as `hubert-large`, `facebook/hubert-large-ll60k`, `./my-encoder` or `baseline:duration`.
        revision: branch, tag or commit on the Hub; None is the commit of the table, or the main branch.

    Raises:
        InputError: nothing of that name is found, a folder lacks settings or weights, the name means two things, or a
            package that a baseline needs is not installed.
    """
    if (baseline := find_baseline(name)) is not None:
        if revision is not None:
            raise InputError(f"revision {revision!r} was given, but {name!r} is a baseline, of no commit: leave it out")
        return EncoderIdentity(name, baseline.revision, None, MODEL_TYPE)
    folder, known = Path(name).expanduser(), find_known(name)
    if folder.is_dir():
        if known is not None:
            raise InputError(f"{name!r} is an encoder of the table and a folder here: write './{name}' for the folder")
        if revision is not None:
            raise InputError(f"revision {revision!r} was given, but {name!r} is a folder, which has none: leave it out")
        digest = _digest(folder)
        settings = _read_config(folder / "config.json", name)
        return EncoderIdentity(name, None, digest, settings["model_type"], _read_known_id(settings))
    if known is not None and known.repo_id is None:
        raise InputError(
            f"{name!r} is not on the Hub as a transformers model: `emobox convert CHECKPOINT --id {name}` makes it "
            f"one, where CHECKPOINT is {known.checkpoint}"
        )
    repo_id = known.repo_id if known is not None and known.repo_id else name
    if known is not None and name == known.id:
        revision = revision or known.revision
    if repo_id.count("/") != 1 or name.startswith((".", "/", "~")):
        # A Hub id is owner/name, so this is a path or a misspelt short id, and asking the Hub would only cost time.
        hint = "" if "/" in name else suggest(name, [*KNOWN_ENCODERS, *BASELINES])
        raise InputError(f"no encoder {name!r}: not a folder, not a Hub id (owner/name), not an id of the table{hint}")
    config = _fetch_config(repo_id, revision)
    return EncoderIdentity(repo_id, config.parent.name, None, _read_config(config, repo_id)["model_type"])


def _fetch_config(repo_id: str, revision: str | None) -> Path:
    """`config.json` in the Hub's cache, in a folder named after the commit."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    where = f"{repo_id}@{revision}" if revision else repo_id
    try:
        found = hf_hub_download(repo_id, "config.json", revision=revision, local_files_only=not is_hub_reachable())
        return Path(found)
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"encoder {where}: no folder {repo_id!r} here, not in the Hub's cache, and the Hub cannot be reached"
            f"{_near(repo_id)}; go online once, or give a local folder, or set HF_HUB_CACHE to the cache that has it "
            "(HF_HUB_OFFLINE=1 then saves the wait)"
        ) from error
    except EntryNotFoundError as error:
        raise InputError(f"encoder {where}: has no config.json on the Hub; it is not a transformers model") from error
    except (HfHubHTTPError, HFValidationError) as error:
        reason = first_line(error)
        raise InputError(
            f"encoder {where}: no folder {repo_id!r} here and no such model on the Hub ({reason}){_near(repo_id)}; "
            "check the spelling and the revision, and log in with `hf auth login` if the model is gated"
        ) from error


@cache
def is_hub_reachable() -> bool:
    """Whether the Hub answers a connection: one try of a few seconds, where its client would try five times over."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies():  # what stands between is the client's business
        return True
    place = urlsplit(constants.ENDPOINT)
    try:
        with socket.create_connection((place.hostname or "", place.port or 443), timeout=CONNECT_S):
            return True
    except OSError:
        return False


def _near(repo_id: str) -> str:
    """A suggestion where another Hub id of the table is close; the whole list would not help with an unknown Hub id."""
    known = [encoder.repo_id for encoder in KNOWN_ENCODERS.values() if encoder.repo_id]
    hint = "" if repo_id in known else suggest(repo_id, known)
    return hint if "did you mean" in hint else ""


def _read_config(config: Path, name: str) -> dict[str, Any]:
    """The model's settings, of which `model_type` is a text."""
    try:
        settings = read_json(config)
    except InputError as error:
        raise InputError(f"encoder {name!r}: {error}; save or fetch the model again") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("model_type"), str):
        raise InputError(f"encoder {name!r}: {config} does not say its model_type; it is not a transformers model")
    return settings


def _read_known_id(settings: dict[str, Any]) -> str | None:
    encoder_id = settings.get("encoder_id")
    return encoder_id if encoder_id in KNOWN_ENCODERS else None


def _digest(folder: Path) -> str:
    """SHA-256 over name and content of the files that decide what a folder computes, in the order of their names.

    As transformers does, the pickled weights count only where there are no safetensors.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} is a folder without config.json; one written by save_pretrained was expected")
    weights = _glob(folder, "model*.safetensors", "model*.safetensors.index.json")
    weights = weights or _glob(folder, "pytorch_model*.bin", "pytorch_model*.bin.index.json")
    if not weights:
        raise InputError(f"{folder} has no weights: model*.safetensors or pytorch_model*.bin was looked for")
    for name, cause in find_placeholders(folder, sorted(path.name for path in weights), kind="weights").items():
        raise InputError(f"{folder / name}: {cause}")
    settings = [folder / name for name in _SETTINGS_FILES if (folder / name).is_file()]
    names = sorted(path.name for path in settings + weights)
    digest = hashlib.sha256()
    for name, outcome in look_up("sha256", folder, names, sha256_of_file).items():
        if not isinstance(outcome, str):
            raise outcome
        digest.update(f"{name} {outcome}\n".encode())
    return digest.hexdigest()


def _glob(folder: Path, *patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]
