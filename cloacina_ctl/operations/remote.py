"""A package on a server, of which only the beginning is fetched: signatures and head."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, NetworkProblem, Refused
from cloacina_ctl.files.staging import reported, scratch_folder, unnamed_file, write_all
from cloacina_ctl.formats import detect
from cloacina_ctl.formats.native.signature_block import read_preamble
from cloacina_ctl.formats.opening import open_descriptor
from cloacina_ctl.server.remote_file import read_part

if TYPE_CHECKING:
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.formats.limits import Limits
    from cloacina_ctl.formats.native.reader import NativePackage
    from cloacina_ctl.server.remote_file import FilePart

# Holds the head of nearly every package; a longer one takes a second request.
FIRST_BYTES = 256 << 10


def open_remote(url: str, limits: Limits) -> NativePackage | LegacyPackage:
    """Open the native package at ``url`` up to its head: what lies behind reads as zeros.

    So only what needs no payload may be asked of it, and its digests would not hold. Raises
    ``UsageError``, ``NetworkProblem`` and ``NotTrusted`` as ``read_part`` does, ``Refused`` for
    what is no native package.
    """
    first = read_part(url, 0, FIRST_BYTES)
    where, data = first.where, first.data
    if detect.require_package(data[: detect.SNIFF_BYTES], where=where).is_legacy:
        raise Refused.of(
            Code.OLDER_FORMAT,
            "a package in an older format has no table of contents: all of it must be read",
            where=where,
            hint="download it: curl -L URL | cloacina-ctl inspect -",
        )
    preamble = read_preamble(data, where=where, limits=limits)
    missing = min(preamble.head_offset + preamble.head_size, first.size) - len(data)
    if missing > 0:
        data += _rest(url, len(data), missing, first)
    most = limits.total + limits.head_compressed + limits.signature_block
    if first.size > most:
        raise Refused.of(Code.LIMIT, f"more than {most} bytes on the server", where=where)
    folder = scratch_folder()
    with reported(folder):
        fd = unnamed_file(folder)
        try:
            write_all(fd, data)
            os.ftruncate(fd, first.size)
        except BaseException:
            os.close(fd)
            raise
    return open_descriptor(fd, where, limits)


def _rest(url: str, offset: int, count: int, first: FilePart) -> bytes:
    """Return the bytes that follow, of the file that it still is."""
    more = read_part(url, offset, count)
    if (more.size, len(more.data)) != (first.size, count):
        raise NetworkProblem.of(
            Code.BAD_ANSWER, "the file changed on the server, or is cut short", where=first.where,
            hint="try again",
        )  # fmt: skip
    return more.data
