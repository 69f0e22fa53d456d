"""Row C: types, links, modes, owners, times. The profile has one kind of header and no other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.hostile.case import Case, of
from tests.support import tar_bytes
from tests.support.builder import FILES, File, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

IO = frozenset({8})
ROOT = b"demo-1.0.0"
TASKS = "workflow/demo/tasks.py"


def everywhere(case_id: str, what: str, **fields: bytes) -> Iterator[Case]:
    """Yield the header fields in a file's header and in the manifest's."""

    def at(path: str) -> object:
        return lambda file, old: tar_bytes.patched(old, **fields) if file.path == path else old

    yield of(case_id, what, header_patch=at(TASKS), codes=("A011",))
    yield of(f"{case_id}-head", what, head_header_patch=at("manifest.json"), reach="head")


def before(case_id: str, what: str, *members: bytes) -> Case:
    """Return a case with more members before `tasks.py`, which the index counts as content."""
    lead = b"".join(members)
    return of(case_id, what, member_patch=lambda f, m: lead + m if f.path == TASKS else m)


def link(name: bytes, target: bytes, kind: bytes = b"2") -> bytes:
    """Return a link member."""
    return tar_bytes.header(ROOT + b"/" + name, 0, typeflag=kind, linkname=target)


def links() -> Iterator[Case]:
    """C1 to C12: every kind of link, in place of a file and beside it."""
    targets = {
        "absolute": b"/etc/passwd",
        "climbing": b"../../../../etc/passwd",
        "internal": b"__init__.py",
        "empty": b"",
        "self": b"tasks.py",
        "deep-climb": b"../" * 33,
        "proc": b"/proc/self/cwd",
        "ansi": b"\x1b[2J",
        "hundred-bytes": b"a" * 100,
    }
    for name, target in targets.items():
        fields = {"typeflag": b"2", "linkname": target, "size": b"00000000000\0"}
        yield from everywhere(f"C1-symlink-{name}", "a symbolic link", **fields)
        yield from everywhere(
            f"C11-hard-link-{name}", "a hard link", **{**fields, "typeflag": b"1"}
        )
        kept = {"typeflag": b"2", "linkname": target}
        yield from everywhere(f"C9-symlink-with-a-body-{name}", "a link with a body", **kept)
        if target:
            yield from everywhere(f"C1-linkname-{name}", "a link name of a file", linkname=target)
    yield before("C1-loop", "two links in a circle", link(b"a", b"b"), link(b"b", b"a"))
    yield before(
        "C2-write-through",
        "a link to a folder, and a file through it",
        link(b"out", b"../../.."),
        *tar_bytes.member(ROOT, b"out/canary", b"evil"),
    )
    yield before(
        "C3-link-then-file",
        "a link and then a file of its name",
        link(b"workflow/demo/tasks.py", b"/"),
    )
    yield before("C4-chain", "a chain of links", link(b"a", b"."), link(b"a/b", b".."))
    yield before(
        "C5-link-then-folder",
        "a link, then a folder of its name with a mode",
        link(b"d", b"../.."),
        tar_bytes.header(ROOT + b"/d", 0, typeflag=b"5", mode=0o777),
    )
    for name, raw in {"empty": b"", "dot": b"./", "root": b"demo-1.0.0/"}.items():
        lead = tar_bytes.header(raw, 0, typeflag=b"2", linkname=b"..")
        yield before(f"C6-symlink-name-{name}", "a link with an empty name", lead)
    long = b"/".join([b"d" * 90] * 60)
    record = tar_bytes.pax_record(b"linkpath", long)
    yield before("C7-path-max", "a link past PATH_MAX", tar_bytes.pax_member(ROOT, record))
    yield before(
        "C8-pax-linkpath", "a target by pax", tar_bytes.pax_member(ROOT, record), link(b"a", b"")
    )
    gnu = tar_bytes.header(
        b"././@LongLink", 4, typeflag=b"K", magic=b"ustar ", version=b" \0"
    ) + tar_bytes.padded(b"../\0")
    yield before("C8-gnu-k", "a target by GNU", gnu, link(b"a", b"b"))
    yield before("C8-both", "both", tar_bytes.pax_member(ROOT, record), gnu, link(b"a", b"b"))
    yield before(
        "C12-hard-link-then-write",
        "a hard link first",
        link(b"workflow/demo/tasks.py", b"/etc/passwd", b"1"),
    )

    def replaced(name: str) -> object:
        raw = link(name.encode(), b"/etc/hostname")
        return lambda file, old: raw if file.path == name else old

    yield of(
        "C10-manifest-is-a-link",
        "no manifest",
        head_header_patch=replaced("manifest.json"),
        reach="head",
    )
    yield of("C10-files-is-a-link", "no table", head_header_patch=replaced("files.json"))
    yield of(
        "C10-index-is-a-link", "no index", head_header_patch=replaced("index.json"), reach="head"
    )
    yield of(
        "C10-file-is-a-link", "no file", member_patch=lambda f, m: link(f.name, b"/etc/hostname")
    )


def kinds() -> Iterator[Case]:
    """C13 to C15: every other type."""
    special = {b"3": "character-device", b"4": "block-device", b"6": "fifo", b"5": "folder"}
    flags = [bytes([n]) for n in (*range(0x31, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B))]
    for flag in [*flags, b"\0", b" ", b"\xff", b"\x1b"]:
        name = special.get(flag, f"{flag[0]:02x}")
        row = {b"\0": "C15", b"5": "C9"}.get(flag, "C13" if flag in special else "C14")
        yield from everywhere(f"{row}-type-{name}", "a type that is not `0`", typeflag=flag)
    for flag, name in special.items():
        lead = tar_bytes.header(ROOT + b"/special", 0, typeflag=flag)
        yield before(f"C13-{name}-beside", "a special member that nobody lists", lead)
    numbers = {"devmajor": b"0000001\0", "devminor": b"0000003\0"}
    yield from everywhere("C13-device-numbers", "device numbers of a file", **numbers)
    slash = tar_bytes.header(ROOT + b"/workflow/", 0, typeflag=b"\0", magic=bytes(6))
    yield before("C15-v7-folder", "a folder by its slash", slash)
    folder = tar_bytes.header(ROOT + b"/workflow/", 0, typeflag=b"5", mode=0o755)
    yield before("C17-folder-entry", "a folder, which no package lists", folder)
    yield before(
        "C17-folder-mode-000",
        "a folder that nobody may enter",
        tar_bytes.header(ROOT + b"/workflow", 0, typeflag=b"5", mode=0),
    )


def attributes() -> Iterator[Case]:
    """C16 to C20: what a header says about modes, owners, times, attributes."""
    modes = (0o4755, 0o2755, 0o1755, 0o666, 0o777, 0, 0o7777, 0o755, 0o600, 0o100644)
    for mode in modes:
        yield from everywhere(f"C16-mode-{mode:o}", "another mode", mode=b"%07o\0" % mode)
    fields: dict[str, dict[str, bytes]] = {
        "C16-mode-with-space": {"mode": b"000644 \0"},
        "C16-mode-empty": {"mode": b""},
        "C16-mode-letters": {"mode": b"rw-r--r-"},
        "C16-mode-base-256": {"mode": b"\x80\0\0\0\0\0\x01\xa4"},
        "C18-uid-1000": {"uid": b"0001750\0"},
        "C18-uid-largest": {"uid": b"7777777\0"},
        "C18-uid-base-256": {"uid": b"\x80\0\0\0\xff\xff\xff\xff"},
        "C18-gid-1": {"gid": b"0000001\0"},
        "C18-uname-root": {"uname": b"root"},
        "C18-gname-wheel": {"gname": b"wheel"},
        "C18-uname-ansi": {"uname": b"\x1b[2J\x1b[1;1Hroot"},
        "C18-uname-after-nul": {"uname": b"\0root"},
        "C19-mtime-0": {"mtime": b"00000000000\0"},
        "C19-mtime-one-later": {"mtime": b"%011o\0" % 315532801},
        "C19-mtime-negative": {"mtime": b"-0000000001\0"},
        "C19-mtime-negative-base-256": {"mtime": b"\xff" * 12},
        "C19-mtime-far": {"mtime": b"77777777777\0"},
        "C19-mtime-not-octal": {"mtime": b"9999999999z\0"},
        "C19-mtime-empty": {"mtime": b""},
        "C19-mtime-spaces": {"mtime": b" 2263350000 "},
    }
    for name, raw in fields.items():
        yield from everywhere(name, "an attribute that the profile fixes", **raw)
    records = {
        "C19-pax-mtime-nan": (b"mtime", b"nan"),
        "C19-pax-mtime-inf": (b"mtime", b"inf"),
        "C19-pax-mtime-1e400": (b"mtime", b"1e400"),
        "C19-pax-mtime-5000-digits": (b"mtime", b"9" * 5000),
        "C18-pax-uid-huge": (b"uid", b"9" * 400),
        "C20-capability": (b"SCHILY.xattr.security.capability", b"\x01\0\0\2"),
        "C20-selinux": (b"RHT.security.selinux", b"system_u:object_r:x"),
        "C20-acl": (b"SCHILY.acl.access", b"user::rwx"),
        "C20-libarchive": (b"LIBARCHIVE.xattr.user.x", b"eA=="),
    }
    for name, (key, value) in records.items():
        lead = tar_bytes.pax_member(ROOT, tar_bytes.pax_record(key, value))
        yield before(name, "a pax record that is not `path`", lead)
    tool = Recipe(files=(*FILES, File("workflow/tool", b"#!/bin/sh\n", executable=True)))
    yield of(
        "C16-executable-in-files-json-alone",
        "files.json says executable, the header does not",
        recipe=tool,
        header_patch=lambda f, h: tar_bytes.patched(h, mode=b"0000644\0"),
    )


def destinations() -> Iterator[Case]:
    """C21, C22: where it goes. The other verbs have nothing against the package."""
    only = {"inspect": "accept", "verify": "accept", "validate": "accept"}

    def planted(destination: str) -> None:
        os.mkdir(destination)
        os.symlink("/", os.path.join(destination, "workflow"))

    def linked(destination: str) -> None:
        os.mkdir(destination + "-real")
        os.symlink(os.path.basename(destination) + "-real", destination)

    def dangling(destination: str) -> None:
        os.symlink("nowhere", destination)

    def a_file(destination: str) -> None:
        with open(destination, "wb") as file:
            file.write(b"mine\n")

    def full(destination: str) -> None:
        os.mkdir(destination)
        a_file(os.path.join(destination, "mine"))

    def fifo(destination: str) -> None:
        os.mkfifo(destination)

    made = {
        "C21-planted-link": planted,
        "C21-not-empty": full,
        "C22-link": linked,
        "C22-dangling-link": dangling,
        "C22-file": a_file,
        "C22-fifo": fifo,
    }
    for name, prepare in made.items():
        yield of(name, "the destination is taken", prepare=prepare, verdicts=only, exit=IO)
    yield of("C22-empty-folder", "an empty folder is free", prepare=os.mkdir, expected="accept")


def cases() -> Iterator[Case]:
    """Every case of row C."""
    for part in (links, kinds, attributes, destinations):
        yield from part()
