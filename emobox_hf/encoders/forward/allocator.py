"""The memory that a forward pass on a CPU takes again and again."""

import ctypes
import sys

# From <malloc.h>. The C library gives freed memory above the first back to the system; and blocks above the second come
# from the system each time, of which glibc allows no more than 32 MB.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> bool:
    """Let this process keep up to 512 MB that it has freed, for the next pass; whether the C library can (glibc).

    Torch asks the C library for every activation. Megabytes that go back to the system in between are taken again page
    by page, each page cleared.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(_TRIM_THRESHOLD, 512 << 20) and mallopt(_MMAP_THRESHOLD, 32 << 20))
