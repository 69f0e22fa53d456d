"""Row A: things that are no package, or are something else as well."""

from __future__ import annotations

import lzma
import os
from typing import TYPE_CHECKING

from tests.hostile.case import IO_OR_USAGE, REFUSED, Case, slug
from tests.support import zstd_bytes
from tests.support.builder import build

if TYPE_CHECKING:
    from collections.abc import Iterator
from tests.hostile.cases_a_container import plain_tar, raw_case


def foreign() -> Iterator[Case]:
    """A1: files of another kind."""
    others = {
        "empty": b"",
        "one-byte": b"\x28",
        "one-nul": b"\0",
        "zip": b"PK\x03\x04" + bytes(60),
        "xz": lzma.compress(plain_tar()),
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(60),
        "lz4": b"\x04\x22\x4d\x18" + bytes(60),
        "compress": b"\x1f\x9d\x90" + bytes(60),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(60),
        "pe": b"MZ\x90\0" + bytes(124),
        "macho": b"\xcf\xfa\xed\xfe" + bytes(60),
        "html-login-page": b"<!DOCTYPE html><title>Sign in</title>\n",
        "json": b'{"format_version": 3}\n',
        "plain-tar": plain_tar(),
        "tar-zst-unsigned": zstd_bytes.frame(plain_tar()),
        "python": b"#!/usr/bin/env python3\nprint('x')\n",
        "zeros": bytes(4096),
        "ansi": b"\x1b[2J\x1b[1;1HSignature: VALID\n",
    }
    for name, data in others.items():
        yield raw_case(f"A1-{name}", "not a package", lambda data=data: data)


def polyglots() -> Iterator[Case]:
    """A29: a package that is something else as well."""
    leads = {
        "shell": b"#!/bin/sh\nexit 0\n",
        "elf": b"\x7fELF\x02\x01\x01" + bytes(57),
        "html": b"<html><!--",
        "bom": b"\xef\xbb\xbf",
        "newline": b"\n",
        "nul": b"\0",
    }
    for name, lead in leads.items():
        yield raw_case(f"A29-{name}", "something else first", lambda lead=lead: lead + build())
    zip_end = b"PK\x05\x06" + bytes(18)
    yield raw_case("A29-zip-at-the-end", "an empty zip at the end", lambda: build() + zip_end)


def places() -> Iterator[Case]:
    """A30: not a regular file."""

    def fifo(folder: str) -> str:
        os.mkfifo(os.path.join(folder, "in.cloacina"))
        return os.path.join(folder, "in.cloacina")

    def directory(folder: str) -> str:
        os.mkdir(os.path.join(folder, "in.cloacina"))
        return os.path.join(folder, "in.cloacina")

    def dangling(folder: str) -> str:
        os.symlink("nowhere", os.path.join(folder, "in.cloacina"))
        return os.path.join(folder, "in.cloacina")

    def linked(folder: str) -> str:
        with open(os.path.join(folder, "real"), "wb") as file:
            file.write(build())
        os.symlink("real", os.path.join(folder, "in.cloacina"))
        return os.path.join(folder, "in.cloacina")

    made = {
        "fifo": fifo,
        "directory": directory,
        "dev-null": lambda folder: os.devnull,
        "dev-zero": lambda folder: "/dev/zero",
        "missing": lambda folder: os.path.join(folder, "missing.cloacina"),
        "dangling-link": dangling,
        "nul-in-the-name": lambda folder: os.path.join(folder, "a\0b"),
        "empty-name": lambda folder: "",
        "too-long-name": lambda folder: os.path.join(folder, "x" * 5000),
    }
    for name, place in made.items():
        yield Case(
            id=f"A30-{slug(name)}",
            what="the archive is no regular file",
            build=bytes,
            place=place,
            # A folder is a project to `validate`, and to `inspect` which refuses one that is none.
            exit=IO_OR_USAGE | REFUSED if name == "directory" else IO_OR_USAGE,
            reach="head",
            verdicts={"validate": "any"} if name == "directory" else {},
        )
    yield Case(
        id="A30-link-to-a-package",
        what="the archive is a link to a good package",
        build=bytes,
        place=linked,
        exit=IO_OR_USAGE,
        expected="any",
    )


def cases() -> Iterator[Case]:
    """Every case of another kind of file."""
    for part in (
        foreign,
        polyglots,
        places,
    ):
        yield from part()
