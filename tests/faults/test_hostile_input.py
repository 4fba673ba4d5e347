"""Files of others with bytes changed at random: every parser gives a value or the one error, within a second."""

import io
import json
import random
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fault_table import Fault
from layout import lay_out

from emobox_hf.audio import read_waveform
from emobox_hf.corpora.braces import expand_braces
from emobox_hf.corpora.download_source import DownloadSource
from emobox_hf.corpora.lists import read_lists
from emobox_hf.corpora.manifest import Manifest, search_corpus
from emobox_hf.corpora.manifest_csv import read_manifest
from emobox_hf.corpora.predictions import read_probabilities
from emobox_hf.corpora.spec import SPECS_DIR, load_spec, read_spec
from emobox_hf.corpora.templates import fields_of, fill, find_fault
from emobox_hf.corpora.utterance_sets import read_set
from emobox_hf.defaults import read_config
from emobox_hf.encoders.known.identity import identify
from emobox_hf.errors import InputError
from emobox_hf.files import parse_json
from emobox_hf.sources import services
from emobox_hf.sources.unpack import unpack_all

SLOWEST_S = 1.0
TOKENS = {
    "text": [
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\n",
        b"\r",
        b'"',
        b"'",
        b"\\",
        b"\x1b[2J",
        b"../",
        b"/etc/passwd",
        b"nan",
    ],
    "table": [b",", b"\t", b";", b'""', b"=1+1", b"-1", b"inf", b"9" * 400],
    "json": [b"{", b"}", b"[", b"]", b":", b"null", b"NaN", b"1e999", b"[" * 2000, b'"\\ud800"', b"9" * 5000],
    "yaml": [
        b"- ",
        b"{",
        b"[",
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
        b": ",
        b"? ",
        b"- " * 500,
        b"|\n",
        b"---\n",
    ],
    "toml": [b"[", b"[[", b"]]", b"{", b"}", b"=", b"'''", b'"""', b"[" * 2000, b"9" * 5000, b"0x", b"1979-05-27"],
    "template": [
        b"{",
        b"}",
        b"{{",
        b"..",
        b"{a.name}",
        b"{a.__class__}",
        b"{0}",
        b"!r",
        b":>9",
        b"{1..9}",
        b"{a,b}",
        b",",
    ],
    "binary": [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\x7f",
        b"data",
        b"fmt ",
        b"LIST",
        b"OggS",
        b"fLaC",
        b"PK\3\4",
    ],
}


@dataclass(frozen=True)
class Parser:
    """What reads a file, files that it reads, what is put into them, and how many cases the long form has."""

    read: Callable[[Path], object]
    seeds: list[bytes]
    tokens: tuple[str, ...]
    long: int
    name: str = "x"
    others: dict[str, bytes] = field(default_factory=dict)


@cache
def list_tokens(kinds: tuple[str, ...]) -> list[bytes]:
    return [token for kind in kinds for token in TOKENS[kind]]


def mutate(draw: random.Random, parser: Parser) -> bytes:
    """One of the parser's files with one to six changes: bits, bytes, pieces, tokens."""
    data = bytearray(draw.choice(parser.seeds))
    tokens = list_tokens(parser.tokens)
    for _ in range(draw.choice((1, 1, 2, 3, 6))):
        place = draw.randrange(len(data) + 1)
        piece = slice(place, place + draw.choice((1, 1, 2, 4, 16, 200)))
        change = draw.randrange(6)
        if change == 0 and place < len(data):
            data[place] ^= 1 << draw.randrange(8)
        elif change == 1:
            data[piece] = b""
        elif change == 2:
            data[place:place] = data[piece] * draw.choice((1, 2, 50))
        elif change == 3:
            data[piece] = draw.randbytes(draw.choice((1, 4, 16)))
        elif change == 4:
            data[place:place] = draw.choice(tokens)
        else:
            data[piece] = draw.choice(tokens)
    return bytes(data if draw.random() < 0.95 else data[: draw.randrange(len(data) + 1)])


def sound(kind: str, coding: str | None = None, rate: int = 16_000, n_channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2000, n_channels))
    soundfile.write(buffer, samples, rate, format=kind, subtype=coding)
    return buffer.getvalue()


def archive(kind: str) -> bytes:
    buffer = io.BytesIO()
    content = b"speech " * 30
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("a/b.wav", content)
            zipped.writestr("c.txt", "x")
    else:
        with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as tar:
            member = tarfile.TarInfo("a/b.wav")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
            link = tarfile.TarInfo("a/c.wav")
            link.type, link.linkname = tarfile.SYMTYPE, "b.wav"
            tar.addfile(link)
    return buffer.getvalue()


def files_of(name: str, folder: Path) -> dict[str, bytes]:
    """The files of a corpus that is made of its spec's examples, by path."""
    lay_out(load_spec(name), load_spec(name).examples, folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def corpus(name: str, table: str, folder: Path, tokens: tuple[str, ...], long: int) -> Parser:
    """The reader of a corpus on disk, one of whose tables is changed."""
    others = files_of(name, folder)
    spec = load_spec(name)

    def search(path: Path) -> object:
        return search_corpus(spec, path.parents[table.count("/")])

    return Parser(search, [others.pop(table)], tokens, long, table, others)


def read_template(path: Path) -> object:
    template = path.read_bytes().decode("utf-8", "replace")
    if not find_fault(template):
        known = dict.fromkeys(fields_of(template), "a/b.wav")
        return fill(template, known, "here")
    return None


def unpack(path: Path) -> None:
    into = path.parent / "unpacked"
    try:
        unpack_all([path], into)
        assert {one.name for one in path.parent.iterdir()} <= {path.name, "unpacked"}
        assert all(one.resolve().is_relative_to(into.resolve()) for one in into.rglob("*"))
    finally:
        import shutil

        shutil.rmtree(into, ignore_errors=True)


def read_answer(kind: str, path: Path) -> object:
    """What is made of the answer of a service, which may be anything."""
    answer = parse_json(path.read_bytes().decode("utf-8", "replace"), "the answer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "read_json", lambda url: answer)
        return services.list_remote(DownloadSource(kind, source="1", files=("*",)))


def variables() -> bytes:
    """A file of CTranslate2's with one variable."""
    name = b"encoder/conv1/weight\0"
    head = struct.pack("<I", 6) + struct.pack("<H", 12) + b"WhisperSpec\0" + struct.pack("<II", 3, 1)
    return head + struct.pack("<H", len(name)) + name + struct.pack("<BIIBI", 2, 2, 3, 0, 24) + bytes(24)


def read_weights(path: Path) -> object:
    from emobox_hf.sources.ctranslate2 import read_variables

    return read_variables(path)


def read_pickled(path: Path) -> object:
    from emobox_hf.encoders.native.checkpoint import read_checkpoint

    return read_checkpoint(path)


def checkpoint() -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save({"model": {"a": torch.zeros(3)}, "cfg": {"b": 1}}, buffer)
    return buffer.getvalue()


def probabilities() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    keys = [f"k{number}" for number in range(20)]
    table = pa.table({"key": keys, "p_Angry": pa.array([0.5] * 20, pa.float32()), "p_Sad": pa.array([0.5] * 20)})
    pq.write_table(table.replace_schema_metadata({"emobox": json.dumps({"corpus": "x"})}), buffer)
    return buffer.getvalue()


MAKERS: dict[str, Callable[[Path], Parser]] = {
    **{
        f"specification of {name}": lambda _, name=name: Parser(
            read_spec, [(SPECS_DIR / f"{name}.toml").read_bytes()], ("text", "toml", "template"), 8_000, f"{name}.toml"
        )
        for name in ("polish", "meld", "m3ed", "cafe")
    },
    "template": lambda _: Parser(read_template, [b"x-{speaker}-{path.stem}", b"{a}{b}"], ("text", "template"), 300_000),
    "brace pattern": lambda _: Parser(
        lambda path: list(islice(expand_braces(path.read_bytes().decode("utf-8", "replace")), 100)),
        [b"m{1..5}.{a,n}", b"{01..15}"],
        ("text", "template"),
        200_000,
    ),
    "manifest": lambda _: Parser(
        read_manifest,
        [
            b'key,path,emotion,start_s,end_s,extras\na,a.wav,Sad,1,2.5,"{""x"": ""y""}"\nb,b.wav,Angry,,,\n',
            b"key,emotion\r\na,Sad\r\nb,Angry\r\n",
        ],
        ("text", "table", "json"),
        200_000,
    ),
    "CSV table of a corpus": lambda f: corpus("meld", "train_sent_emo.csv", f, ("text", "table"), 10_000),
    "JSON of a corpus": lambda f: corpus("m3ed", "annotation.json", f, ("text", "json"), 10_000),
    "YAML of a corpus": lambda f: corpus("pavoque", "pavoque-neutral.yaml", f, ("text", "yaml"), 10_000),
    "text of a corpus": lambda f: corpus(
        "iemocap", "Session1/dialog/EmoEvaluation/Ses01F_impro04.txt", f, ("text", "table"), 10_000
    ),
    "EmoBox's lists": lambda _: Parser(
        lambda path: read_lists(load_spec("polish"), 1, path.parent),
        [b'{"key": "polish-m1.a_nie_1", "wav": "a.wav"}\n{"key": "b"}\n'],
        ("text", "json"),
        150_000,
        "polish_test_fold_1.jsonl",
    ),
    "set of utterances": lambda _: Parser(
        lambda path: read_set(path, Manifest(load_spec("polish"), path.parent, (), {}, {}, {}, ())),
        [b'{"corpus": "polish", "sha256": "a", "keys": ["a", "b"], "predictions": {"model": "x"}}'],
        ("text", "json"),
        80_000,
    ),
    **{
        f"answer of {kind}": lambda _, kind=kind, seed=seed: Parser(
            partial(read_answer, kind), [seed], ("text", "json"), 25_000
        )
        for kind, seed in {
            "zenodo": b'{"files": [{"key": "a.zip", "links": {"self": "http://a"}, "size": 3, "checksum": "md5:0"}]}',
            "github": b'{"assets": [{"name": "a.zip", "browser_download_url": "http://a", "size": 3, "digest": null}]}',
        }.items()
    },
    "file of defaults": lambda _: Parser(
        read_config, [b'[probe]\nhead = "linear"\nseeds = [0, 1]\n'], ("text", "toml"), 40_000, "x.toml"
    ),
    "settings of an encoder": lambda _: Parser(
        lambda path: identify(str(path.parent)),
        [b'{"model_type": "wavlm", "hidden_size": 32}'],
        ("text", "json"),
        3_000,
        "config.json",
        {"model.safetensors": b"weights"},
    ),
    "CTranslate2's weights": lambda _: Parser(read_weights, [variables()], ("binary",), 60_000),
    "checkpoint of torch": lambda _: Parser(read_pickled, [checkpoint()], ("binary",), 3_000),
    "predictions": lambda _: Parser(
        lambda path: read_probabilities(path, keys=[f"k{number}" for number in range(20)], corpus="x"),
        [probabilities()],
        ("binary",),
        6_000,
    ),
    **{
        f"{kind} archive": lambda _, kind=kind: Parser(unpack, [archive(kind)], ("binary", "text"), 4_000)
        for kind in ("zip", "gz", "xz")
    },
    **{
        f"sound: {kind}": lambda _, kind=kind, codings=codings: Parser(
            read_waveform,
            [sound(kind, coding, rate, n) for coding in codings for rate, n in ((16_000, 1), (48_000, 2))],
            ("binary",),
            6_000,
            f"x.{kind.lower()}",
        )
        for kind, codings in {
            "WAV": ("PCM_16", "FLOAT", "IMA_ADPCM"),
            "FLAC": ("PCM_16",),
            "OGG": ("VORBIS", "OPUS"),
            "MP3": ("MPEG_LAYER_III",),
            "AIFF": ("PCM_16",),
            "CAF": ("PCM_16",),
        }.items()
    },
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", MAKERS)
def test_changed_bytes_are_a_value_or_the_one_error(
    kind: str, tmp_path: Path, inject: Callable[[str], Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMOBOX_FOLDS", raising=False)
    parser = MAKERS[kind](tmp_path / "examples")
    path = tmp_path / "given" / parser.name
    for name, content in {**parser.others, parser.name: b""}.items():
        (tmp_path / "given" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "given" / name).write_bytes(content)
    fault = inject(f"hostile: {kind}")
    messages: dict[type, Any] = {}
    for draw in fault.tries(short=60, long=parser.long):
        data = mutate(draw, parser)
        path.write_bytes(data)
        began = time.process_time()
        try:
            parser.read(path)
        except InputError as error:
            messages.setdefault(type(error), error)
        except Exception as error:
            (tmp_path / "case").write_bytes(data)
            raise AssertionError(f"{data[:2000]!r}: {error!r}") from error
        took_s = time.process_time() - began
        assert took_s < SLOWEST_S, f"{took_s:.1f} s: {data[:2000]!r}"
    for error in messages.values():
        fault.saw(error)
