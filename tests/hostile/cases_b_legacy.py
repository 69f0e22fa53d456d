"""Rows B and C for gzip and bzip2: names, and every kind of member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.case import Case, slug
from tests.hostile.cases_b_names import REFUSED
from tests.hostile.legacy_case import (
    PREFIX,
    files_of,
    legacy_case,
    members_of,
    of_stream,
    with_members,
)
from tests.support.archives import (
    END,
    SOURCE,
    bz2,
    entry,
    folder,
    gz,
    long_name,
    pax,
    pretty,
    record,
)
from tests.support.legacy import library, v1, v1_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = ("A011", "A015", "A016", "A021")
# Windows' names are taken, and the head's names mean nothing here.
TAKEN = ("B17-", "B25-files", "B25-index")


def member(at: str, name: str) -> bytes:
    """Return a file of that name, however long it is."""
    raw = (at + name).encode("utf-8", "surrogateescape")
    if len(raw) <= 100 and b"\0" not in raw:
        return entry(raw, b"evil\n")
    return long_name(raw) + entry(raw.replace(b"\0", b"_")[:100], b"evil\n")


def names() -> Iterator[Case]:
    """B1 to B23: by a header, a GNU long name, a pax path."""
    for case_id, name in REFUSED.items():
        if case_id.startswith("B25-manifest"):  # below, and of another name in a source package
            continue
        taken = case_id.startswith(TAKEN)
        options = {"expected": "any"} if taken else {"codes": NAME}
        yield from with_members(case_id, "a name", lambda at, n=name: member(at, n), **options)
    ways = {"climbs": "../evil", "absolute": "/evil", "backslash": "a\\b", "empty-part": "a//b",
            "escape": "a\x1b[2J"}  # fmt: skip
    for kind, name in ways.items():

        def longer(at: str, name: str = name) -> bytes:
            return long_name((at + name).encode()) + entry("x", b"evil\n")

        def by_pax(at: str, name: str = name) -> bytes:
            return pax(record("path", at + name)) + entry("x", b"evil\n", gnu=False)

        def by_prefix(at: str, name: str = name) -> bytes:
            return entry("x", gnu=False, prefix=(at + name).encode())

        yield from with_members(f"B10-long-{kind}", "a long name", longer, codes=NAME)
        yield from with_members(f"B10-pax-{kind}", "a pax path", by_pax, codes=NAME)
        yield from with_members(f"B9-prefix-{kind}", "a prefix", by_prefix, codes=NAME)
    old = {"magic": b"", "version": b""}
    yield from with_members(
        "B9-prefix-in-v7", "a prefix", lambda at: entry("x", prefix=b"..", **old), codes=("A011",)
    )
    yield from with_members(
        "B10-sparse-name", "a sparse name",
        lambda at: pax(record("GNU.sparse.name", "../evil")) + entry("x", gnu=False),
        codes=("A011",),
    )  # fmt: skip
    inert = ("~", "$HOME", "%2e%2e", "-rf", "@file", "{0}", "[red]x[/red]", "%s%n")
    for name in inert:
        yield from with_members(
            f"B19-{slug(name)}-{len(name)}", "a name that means nothing",
            lambda at, n=name: member(at, n), expected="accept",
        )  # fmt: skip
    yield from with_members(
        "B21-100-bytes", "a name without a NUL",
        lambda at: entry((at + "n" * 100)[:100], b"evil\n"), expected="accept",
    )  # fmt: skip


def together() -> Iterator[Case]:
    """B22 to B26: names that clash, two manifests, two top folders."""
    pairs = {
        "B22-twice": ("a", "a"), "B22-dot": ("a", "./a"), "B22-slashes": ("d/a", "d//a"),
        "B23-case": ("a", "A"), "B23-folders": ("d/a", "D/b"), "B23-sharp-s": ("\xdf", "ss"),
        "B23-width": ("a", "\uff41"), "B23-ligature": ("\ufb01", "fi"),
        "B24-file-then-folder": ("d", "d/a"), "B24-folder-then-file": ("d/a", "d"),
    }  # fmt: skip
    for case_id, pair in pairs.items():

        def both(at: str, pair: tuple[str, str] = pair) -> bytes:
            return b"".join(member(at, one) for one in pair)

        yield from with_members(case_id, "two names", both, codes=("A015", "A016"))
    for name in ("manifest.json", "package.toml"):
        aliases = {"same": name, "dot": f"./{name}", "upper": name.upper(), "slash": f"{name}/"}
        for way, alias in aliases.items():
            case_id = f"B25-{slug(name)}-{way}"

            def again(kind: str, name: str = name, alias: str = alias) -> bytes:
                members = members_of(kind, {name: b"{}", **files_of(kind)})
                return b"".join(members) + entry(PREFIX[kind] + alias, b"{}") + END

            yield from of_stream(case_id, "two manifests", again)
    tops = {
        "B26-two": [entry("other-1.0.0/x")],
        "B26-file-beside": [entry("x")],
        "B26-two-manifests": [entry("other-1.0.0/package.toml", SOURCE["package.toml"])],
    }
    for case_id, more in tops.items():
        stream = b"".join([*members_of("bz2"), *more, END])
        yield legacy_case(case_id, "bz2", "two tops", lambda s=stream: bz2(s), codes=("A021",))
    hidden = {"git": ".git", "ssh": ".ssh", "dot": ".", "up": "..", "slash": "/", "empty": ""}
    for way, root in hidden.items():
        stream = b"".join(entry(f"{root}/{p}", d) for p, d in SOURCE.items()) + END
        name = f"B26-hidden-{way}"
        yield legacy_case(name, "bz2", "a hidden top", lambda s=stream: bz2(s), codes=NAME)
    for root in ("src", "x", "demo"):
        stream = b"".join(entry(f"{root}/{p}", d) for p, d in SOURCE.items()) + END
        yield legacy_case(
            f"B26-top-{root}", "bz2", "another name", lambda s=stream: bz2(s),
            expected="accept", tree=SOURCE,
        )  # fmt: skip
    flat = b"".join(entry(p, d) for p, d in SOURCE.items()) + END
    yield legacy_case("B26-no-top", "bz2", "no top folder", lambda: bz2(flat), codes=("A021",))
    deep = b"".join(entry(f"a/b/{p}", d) for p, d in SOURCE.items()) + END
    yield legacy_case("B26-two-deep", "bz2", "too deep", lambda: bz2(deep), codes=("A021",))
    more = v1_manifest()
    for name in ("libother.so", "sub/manifest.json", "x"):

        def third(name: str = name) -> bytes:
            lead = entry("manifest.json", pretty(more)) + entry("libdemo.so", library())
            return gz(lead + entry(name) + END)

        yield legacy_case(f"B25-v1-{slug(name)}", "gz", "a third", third, codes=("A021",))
    yield legacy_case(
        "E13-v1-absent", "gz", "another library",
        lambda: v1({**more, "library": {**more["library"], "filename": "libx.so"}}),
        codes=("A021",),
    )  # fmt: skip


LINKS = {"absolute": b"/etc/passwd", "climbing": b"../../../x", "inside": b"workflow", "empty": b""}


def kinds() -> Iterator[Case]:
    """C1 to C14: links, specials, and every other flag."""
    for name, target in LINKS.items():
        for row, flag in (("C1-symlink", b"2"), ("C11-hard-link", b"1")):

            def link(at: str, flag: bytes = flag, target: bytes = target) -> bytes:
                return entry(f"{at}x", typeflag=flag, linkname=target)

            yield from with_members(f"{row}-{name}", "a link", link, codes=("A020",))
    yield from with_members(
        "C2-through", "a link, and a file through it",
        lambda at: entry(f"{at}x", typeflag=b"2", linkname=b"/tmp") + entry(f"{at}x/evil"),
        codes=("A020",),
    )  # fmt: skip
    yield from with_members(
        "C8-long-target", "a long target",
        lambda at: entry("././@LongLink", b"/etc/passwd\0", typeflag=b"K") + entry(f"{at}x"),
        codes=("A020",),
    )  # fmt: skip
    yield from with_members(
        "C8-pax-target", "a pax target",
        lambda at: pax(record("linkpath", "/etc/passwd")) + entry(f"{at}x", gnu=False),
        codes=("A011",),
    )  # fmt: skip
    yield from with_members(
        "C9-folder-with-a-body", "a body", lambda at: entry(f"{at}d/", b"x", typeflag=b"5"),
        codes=("A011",),
    )  # fmt: skip
    for flag in (b"3", b"4", b"6"):
        yield from with_members(
            f"C13-{flag.decode()}", "a device or pipe",
            lambda at, f=flag: entry(f"{at}x", typeflag=f), codes=("A020",),
        )  # fmt: skip
    for number in (*range(0x41, 0x5B), *range(0x61, 0x7B), 0x20, 0x0C, 0x1B, 0x37, 0x38, 0x39):
        flag = bytes([number])
        if flag in b"Lx":
            continue
        yield from with_members(
            f"C14-{number:02x}", "another kind", lambda at, f=flag: entry(f"{at}x", typeflag=f),
            codes=("A020", "A011"),
        )  # fmt: skip
    yield from with_members(
        "C15-nul-and-slash", "an old folder", lambda at: entry(f"{at}d/", typeflag=b"\0"),
        codes=("A011",),
    )  # fmt: skip


def ignored() -> Iterator[Case]:
    """C16 to C20: modes, owners, times and attributes are never applied."""
    for mode in (b"0004755", b"0002755", b"0001777", b"0000000", b"0007777", b"0100644", b""):
        yield from with_members(
            f"C16-mode-{mode.decode() or 'none'}", "a mode",
            lambda at, m=mode: entry(f"{at}x", b"x", mode=m), expected="accept",
        )  # fmt: skip
    yield from with_members(
        "C17-folder-000", "a folder that nobody may enter",
        lambda at: folder(f"{at}d", mode=b"0000000") + entry(f"{at}d/x"), expected="accept",
    )  # fmt: skip
    fields = {
        "C18-uid": {"uid": b"\xff" * 8}, "C18-gid": {"gid": b"7777777\0"},
        "C18-names": {"uname": b"\x1b[2J", "gname": b"root"},
        "C19-mtime": {"mtime": b"\xff" * 12}, "C19-mtime-letters": {"mtime": b"nan"},
    }  # fmt: skip
    for case_id, raw in fields.items():
        yield from with_members(
            case_id, "ignored", lambda at, r=raw: entry(f"{at}x", b"x", **r), expected="accept"
        )
    records = {
        "C19-pax-nan": ("mtime", "nan"), "C19-pax-1e400": ("mtime", "1e400"),
        "C19-pax-digits": ("mtime", "9" * 5000), "C18-pax-uid": ("uid", "-1"),
        "C20-capability": ("SCHILY.xattr.security.capability", "\x01"),
        "C20-acl": ("SCHILY.acl.access", "user::rwx"),
    }  # fmt: skip
    for case_id, (key, value) in records.items():

        def extended(at: str, key: str = key, value: str = value) -> bytes:
            return pax(record(key, value)) + entry(f"{at}x", b"x", gnu=False)

        yield from with_members(case_id, "ignored", extended, expected="accept")


def cases() -> Iterator[Case]:
    """Every case of the rows."""
    yield from names()
    yield from together()
    yield from kinds()
    yield from ignored()
