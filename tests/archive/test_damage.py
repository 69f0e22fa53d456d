"""No damaged byte goes through: every bit of a small package flipped, every length cut."""

import os

import pytest

from cloacina_ctl.archive.payload import Nowhere, pour
from cloacina_ctl.archive.reader import open_package
from cloacina_ctl.errors import CloacinaError, Code, Refused
from tests.archive.packages import make


def accepts(path) -> bool:
    with open_package(str(path)) as package:
        pour(package, Nowhere())
    return True


@pytest.fixture
def small(tmp_path):
    path = make(tmp_path / "x.cloacina")
    return path, path.read_bytes()


def test_every_flipped_bit_is_refused(small):
    path, whole = small
    fd = os.open(path, os.O_WRONLY)
    missed = []
    for position in range(len(whole)):
        for bit in range(8):
            os.pwrite(fd, bytes([whole[position] ^ 1 << bit]), position)
            try:
                accepts(path)
                missed.append((position, bit))
            except CloacinaError:
                pass
        os.pwrite(fd, whole[position : position + 1], position)
    os.close(fd)
    assert missed == []
    assert accepts(path)


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
