"""The table of encoders, read from `encoders.toml`: where each is, what it is, what it was trained on."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class KnownEncoder:
    """An encoder of the table; for those of the paper `id` is also the column's name in its intra-corpus table.

    Attributes:
        id: what a user types.
        repo_id: its home on the Hub; None for a model that transformers does not load from there.
        revision: the Hub commit that `id` stands for, 40 hexadecimal digits; None is whatever the main branch is.
        checkpoint: where `repo_id` is None, the file that `emobox convert` takes.
        in_paper: whether it is one of the ten that EmoBox's paper compares.
        n_layers: blocks of the encoder.
        dim: width of a frame.
        parameters_m: millions of parameters of what is run: of Whisper the encoder alone, of emotion2vec+ without head.
        data: what it was trained on.
        hours: how much of it; None where it is not known.
        languages: ISO 639-1 codes of that data, as far as corpora of ours are in them; None where it is not known.
        licence: of the weights, an SPDX id where there is one.
        source: where these facts stand.
        trained_on: our corpora that it was trained or tuned on; empty means that none is known of.
        trained_on_source: where that stands.
        chose_test_sets: our corpora whose published cross-corpus set holds only utterances whose label it agreed with.
        note: what else a user should know.
        frames_per_s: frames a second of sound.
    """

    id: str
    n_layers: int
    dim: int
    parameters_m: float
    data: str
    hours: int | None
    languages: tuple[str, ...] | None
    licence: str
    source: str
    repo_id: str | None = None
    revision: str | None = None
    checkpoint: str = ""
    in_paper: bool = False
    trained_on: tuple[str, ...] = ()
    trained_on_source: str = ""
    chose_test_sets: tuple[str, ...] = ()
    note: str = ""
    frames_per_s: int = 50


def find_known(name: str) -> KnownEncoder | None:
    """The table's entry for a short id or a Hub id; None for any other encoder."""
    entries = (encoder for encoder in KNOWN_ENCODERS.values() if name in (encoder.id, encoder.repo_id))
    return next(entries, None)


def _read_table() -> dict[str, KnownEncoder]:
    table = tomllib.loads(files(__package__).joinpath("encoders.toml").read_text(encoding="utf-8"))
    return {row["id"]: _read_row(row, table["lists"]) for row in table["encoder"]}


def _read_row(row: dict[str, Any], lists: dict[str, list[str]]) -> KnownEncoder:
    """A row's encoder; `languages`, `trained_on` and `chose_test_sets` may name one of the table's lists."""
    listed = {name: row.get(name) for name in ("languages", "trained_on", "chose_test_sets")}
    languages, trained_on, chose = (lists[value] if isinstance(value, str) else value for value in listed.values())
    settings = {name: value for name, value in row.items() if name not in listed}
    return KnownEncoder(
        **{"hours": None} | settings,
        languages=None if languages is None else tuple(languages),
        trained_on=tuple(trained_on or ()),
        chose_test_sets=tuple(chose or ()),
    )


KNOWN_ENCODERS = _read_table()
