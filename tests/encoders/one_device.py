"""A stand-in for a GPU: tensors without values, and a look at where the operands of every operation are."""

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from emobox_hf.encoders.encoder import Encoder
from emobox_hf.encoders.forward.backbone import Encoded

ELSEWHERE = torch.device("meta")
COPIES = ("aten::to", "aten::_to_copy", "aten::copy_")


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices, copies and numbers aside, as CUDA does."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        operands = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor) and one.ndim]
        devices = {str(one.device) for one in operands}
        if len(devices) > 1 and func._schema.name not in COPIES:
            raise AssertionError(f"{func} on {sorted(devices)}")
        return func(*args, **(kwargs or {}))


def encode_elsewhere(encoder: Encoder, waveforms: list[np.ndarray]) -> list[Encoded]:
    """What an encoder on `ELSEWHERE` gives; `Encoder.encode` itself needs a device that autocast knows."""
    with torch.inference_mode(), OneDevice():
        return encoder.backbone.run(waveforms)
