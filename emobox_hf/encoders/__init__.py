"""AutoModel encoders: waveforms -> frames and their true number, any layer.

What needs torch is imported from `emobox_hf.encoders.encoder`; the names here are cheap.
"""

from emobox_hf.encoders.forward.windows import WINDOW_S, TooShortError
from emobox_hf.encoders.known.identity import EncoderIdentity, identify
from emobox_hf.encoders.known.table import KNOWN_ENCODERS, KnownEncoder, find_known

__all__ = [
    "KNOWN_ENCODERS",
    "WINDOW_S",
    "EncoderIdentity",
    "KnownEncoder",
    "TooShortError",
    "find_known",
    "identify",
]
