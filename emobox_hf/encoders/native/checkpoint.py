"""What is in a checkpoint of torch.save, without running anything that stands in it.

Beside tensors, fairseq's checkpoints hold objects of whatever the trainer had at hand (omegaconf, argparse, numpy). An
ordinary unpickler would import and call what such a file names. Here torch's restricted one reads it, and every name
that it does not know stands for `_Inert`, which does nothing with what it is given.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from emobox_hf.errors import InputError, first_five, first_line

# Where fairseq, FunASR and others put the tensors; a file may also hold them at its top.
_PLACES = ("model", "model_state_dict", "state_dict")

# Modules that torch itself never lets a checkpoint name, not even for a stand-in.
_SYSTEM = ("nt", "os", "posix", "sys")

Tensors = dict[str, torch.Tensor]


class _Inert:
    """Takes the place of an object of an unknown class, or of what an unknown function would have given."""

    def __new__(cls, *_: object) -> "_Inert":
        return super().__new__(cls)

    def __setstate__(self, _: object) -> None:
        pass


def _make_dict(*_: object) -> dict[Any, Any]:
    """Takes the place of defaultdict: torch's unpickler puts items into plain dictionaries alone."""
    return {}


def read_checkpoint(path: Path) -> tuple[Tensors, Mapping[str, Any]]:
    """The tensors of a checkpoint by name, and its `cfg` where it has one in plain dictionaries, else nothing.

    The tensors are mapped, not read: only those that are used come into memory. Entries of the tensors' dictionary that
    are no tensors (fairseq keeps its moving average there) are left out.

    Raises:
        InputError: the file is missing, is no checkpoint that torch.save writes, names something that is never read,
            or holds no tensors.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; a checkpoint of data2vec 2.0 or emotion2vec (.pt) was expected")
    with _as_input_error(path):
        is_whole = is_zipfile(path)
    if not is_whole:
        raise InputError(
            f"{path} is not a checkpoint that torch.save writes since version 1.6 (a zip file): it is older, cut short "
            "or something else; fetch it again, or load it with a torch you trust it to and save it anew"
        )
    with _as_input_error(path):
        unknown = get_unsafe_globals_in_checkpoint(path)
        if reaching := sorted(name for name in unknown if name.partition(".")[0] in _SYSTEM):
            raise InputError(
                f"{path} names {first_five(reaching)}, for which weights have no use; nothing in it was run, and do "
                "not open it otherwise"
            )
        with safe_globals([(_make_dict if name == "collections.defaultdict" else _Inert, name) for name in unknown]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: a dictionary of tensors was expected, found {type(content).__name__}")
    held = next((content[place] for place in _PLACES if isinstance(content.get(place), Mapping)), content)
    tensors = {name: value for name, value in held.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise InputError(
            f"{path} holds no tensors: they were looked for at its top and under {', '.join(_PLACES)}; "
            f"it has {first_five(content) or 'nothing'}"
        )
    cfg = content.get("cfg")
    return tensors, cfg if isinstance(cfg, Mapping) else {}


@contextmanager
def _as_input_error(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # torch, zipfile and pickletools raise nearly anything over damaged files
        # torch wraps the reason in the advice to read the file without protection.
        reason = first_line(str(error).rpartition("WeightsUnpickler error:")[2])
        raise InputError(
            f"{path} cannot be read as tensors and plain values, and nothing else in it is read ({reason}); "
            "fetch it again from its authors"
        ) from error
