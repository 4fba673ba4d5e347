"""The table of baselines, which are named and probed as encoders are. Cheap: loads neither torch nor opensmile."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from emobox_hf.errors import InputError, suggest

PREFIX = "baseline:"
MODEL_TYPE = "baseline"
"""Stands where transformers' name of an architecture stands in an identity."""


@dataclass(frozen=True)
class Baseline:
    """A baseline: fixed numbers in the place of an encoder's frames, learned from no data.

    Attributes:
        id: What a user types.
        version: Counts its definitions: raised with any change of its numbers, it makes other stores and runs of them.
        gives: Its frames, for people.
        trait: What it sees of an utterance in place of its sound, by `corpora.traits`; None where it hears.
        has_frames: Whether it gives frames over time; else one frame, the utterance's.
        needs: The package it needs beside those of every installation, which is an extra of this one; its version is
            part of the identity.
        extra: The name of that extra.
        licence: Of that package.
    """

    id: str
    version: int
    gives: str
    trait: str | None = None
    has_frames: bool = False
    needs: str = ""
    extra: str = ""
    licence: str = ""

    @property
    def revision(self) -> str:
        """What its numbers depend on: its version and, where it needs one, that of a package.

        Raises:
            InputError: That package is not installed.
        """
        if not self.needs:
            return str(self.version)
        try:
            return f"{self.version}-{version(self.needs)}"
        except PackageNotFoundError as error:
            raise InputError(
                f"{self.id} needs {self.needs}, the extra {self.extra!r}, which is not installed: pip install "
                f'-c constraints.txt -e ".[{self.extra}]" in a checkout, or pip install {self.needs}'
            ) from error


BASELINES = {
    baseline.id: baseline
    for baseline in (
        Baseline("baseline:duration", 1, "the length of the clip, as the logarithm of its seconds and as seconds"),
        Baseline("baseline:speaker", 1, "who speaks, a column for each speaker of the corpus", trait="speaker"),
        Baseline("baseline:sentence", 1, "what is said, a column for each sentence of the corpus", trait="sentence"),
        Baseline("baseline:logmel", 1, "log-mel spectrum, 80 bands to 8 kHz, 100 frames a second", has_frames=True),
        Baseline(
            "baseline:egemaps",
            1,
            "the 88 functionals of eGeMAPSv02",
            needs="opensmile",
            extra="egemaps",
            licence="audEERING Research License: not for commercial use",
        ),
    )
}


def find_baseline(name: str) -> Baseline | None:
    """The baseline of a name; None for any other encoder.

    Raises:
        InputError: It is named as a baseline, but there is none of that name.
    """
    if name.startswith(PREFIX) and name not in BASELINES:
        raise InputError(f"no baseline {name!r}{suggest(name, BASELINES)}")
    return BASELINES.get(name)


def trait_of(name: str) -> str | None:
    """The trait of an utterance that an encoder sees in place of its sound; None for those that hear."""
    baseline = find_baseline(name)
    return baseline.trait if baseline else None


def check_options(
    name: str, *, layer: Any = "last", context: str = "full", precision: str = "no", output_norm: bool = False
) -> None:
    """Refuse what has no meaning for a baseline; any other encoder passes.

    Raises:
        InputError: The first such option.
    """
    baseline = find_baseline(name)
    if baseline is None:
        return
    if layer != "last":
        raise InputError(f"{name} has no layers, found layer {layer!r}: leave it out, or give 'last'")
    if context != "full":
        raise InputError(f"context {context!r} is for Whisper; {name} takes clips as they are already: use 'full'")
    if precision != "no":
        raise InputError(
            f"{name} is computed in float32, found mixed precision {precision!r}: give 'no'; `accelerate launch "
            "--mixed_precision` sets it too"
        )
    if output_norm and not baseline.has_frames:
        raise InputError(
            f"{name} gives one frame, whose numbers are in units of their own: a norm over them says nothing; leave "
            "--output-norm out"
        )
