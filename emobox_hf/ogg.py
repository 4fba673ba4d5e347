"""Whether an Ogg file is whole, by the checksum, the number and the last mark of its pages; decoders skip damaged ones.

A page is `OggS`, version u8, flags u8, position u64, stream u32, number u32, checksum u32, number of segments u8, their
lengths u8, and the segments (RFC 3533); little endian. The checksum is CRC-32 with the polynomial 04c11db7, highest bit
first, from 0, computed with its own four bytes zero.
"""

import struct
import zlib
from pathlib import Path

_HEADER = struct.Struct("<4sBBQIIIB")
_CHECKSUM = slice(22, 26)
_FIRST, _LAST = 2, 4  # flags of a stream's first and last page
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def find_ogg_damage(path: Path) -> str:
    """What is wrong with an Ogg file, in a few words; empty where every page is there and has its checksum."""
    content = path.read_bytes()
    place, numbers, ended = 0, dict[int, int](), set[int]()
    while place < len(content):
        if len(content) - place < _HEADER.size:
            return f"cut short in the page at byte {place}"
        sign, _, flags, _, stream, number, checksum, n_segments = _HEADER.unpack_from(content, place)
        if sign != b"OggS":
            return f"no page at byte {place}"
        if numbers and not numbers.keys() - ended and flags & _FIRST:
            return f"another recording begins at byte {place}"
        start = place + _HEADER.size + n_segments
        end = start + sum(content[place + _HEADER.size : start])
        if end > len(content):
            return f"cut short in the page at byte {place}"
        page = bytearray(content[place:end])
        page[_CHECKSUM] = bytes(4)
        if _crc(page) != checksum:
            return f"the page at byte {place} does not have its checksum"
        if number != numbers.get(stream, number - 1) + 1:
            return f"a page is missing before byte {place}"
        numbers[stream] = number
        if flags & _LAST:
            ended.add(stream)
        place = end
    return "cut short: no page is marked as the last" if numbers.keys() - ended else ""


def _crc(page: bytearray) -> int:
    """Ogg's checksum; zlib has the same polynomial, lowest bit first and with the ends inverted."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
