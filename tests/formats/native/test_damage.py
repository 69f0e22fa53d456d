"""No damaged byte goes through: every bit of a small package flipped, every length cut.

Without a signature nobody vouches for the spelling of the head's compressed bytes: a flipped bit
there may decompress to the same head. What the package is must then be the same to the last byte;
that no bit at all goes through under a signature is shown where signatures are.
"""

import contextlib
import os

import pytest

from cloacina_ctl.errors import CloacinaError, Code, Refused
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import DISCARD
from tests.support.packages import make


def accepts(path):
    with open_any(str(path)) as package:
        package.stream(DISCARD)
        return package.block, package.head


@pytest.fixture
def small(tmp_path):
    path = make(tmp_path / "x.cloacina")
    return path, path.read_bytes()


def test_a_flipped_bit_is_refused_or_changes_nothing(small):
    path, whole = small
    genuine = accepts(path)
    fd = os.open(path, os.O_WRONLY)
    missed = []
    for position in range(0, len(whole), 1 if os.environ.get("CI") else 5):
        for bit in range(8):
            os.pwrite(fd, bytes([whole[position] ^ 1 << bit]), position)
            with contextlib.suppress(CloacinaError):
                if accepts(path) != genuine:
                    missed.append((position, bit))
        os.pwrite(fd, whole[position : position + 1], position)
    os.close(fd)
    assert missed == []
    assert accepts(path) == genuine


def test_every_shorter_file_is_refused(small):
    path, whole = small
    for length in range(len(whole) - 1, -1, -1):
        os.truncate(path, length)
        with pytest.raises(Refused):
            accepts(path)


@pytest.mark.parametrize("tail", [b"\0", b"\n", b"text", bytes(512), b"\x50\x2a\x4d\x18\0\0\0\0"])
def test_anything_behind_the_end_is_refused(small, tail):
    path, whole = small
    path.write_bytes(whole + tail)
    with pytest.raises(Refused) as caught:
        accepts(path)
    assert caught.value.diagnostics[0].code is Code.TRAILING_BYTES


def test_a_package_in_front_of_another_is_refused(small):
    path, whole = small
    path.write_bytes(whole + whole)
    with pytest.raises(Refused):
        accepts(path)
