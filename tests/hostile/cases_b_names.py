"""Row B: paths and names. Said in `files.json` and the stream alike, or in the stream alone."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from tests.hostile import tar_bytes
from tests.hostile.builder import FILES, File, Recipe, files_entry
from tests.hostile.case import Case, of

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = ("A010", "A015", "A016")
BODY = b"evil\n"

# What no member may be called. Surrogate escapes stand for raw bytes.
REFUSED = {
    "B1-absolute": "/etc/passwd",
    "B1-two-slashes": "//etc/passwd",
    "B1-three-slashes": "///x",
    "B1-slash-alone": "/",
    "B2-leading": "../evil",
    "B2-inner": "workflow/../evil",
    "B2-trailing": "workflow/..",
    "B2-alone": "..",
    "B2-deep": "../" * 31 + "evil",
    "B2-past-the-root": "workflow/../../evil",
    "B2-in-a-section": "platform/../../evil",
    "B2-in-source": "source/../../evil",
    "B3-dot": ".",
    "B3-dot-slash": "./x",
    "B3-inner-dot": "a/./b",
    "B3-double-slash": "a//b",
    "B3-empty": "",
    "B3-trailing-slash": "a/",
    "B3-trailing-dot": "a/.",
    "B4-backslash-traversal": "..\\evil",
    "B4-backslash": "a\\b",
    "B4-drive": "C:\\evil",
    "B4-drive-relative": "C:evil",
    "B4-drive-slash": "C:/evil",
    "B4-unc": "\\\\server\\share",
    "B4-device-path": "\\\\?\\C:\\evil",
    "B5-sibling-root": "../demo-1.0.0-evil/x",
    "B5-sibling-destination": "../dest-evil",
    "B6-file-url": "file:///etc/passwd",
    "B8-overlong-slash": b"a\xc0\xafb".decode("utf-8", "surrogateescape"),
    "B8-overlong-dots": b"\xc0\xae\xc0\xae/x".decode("utf-8", "surrogateescape"),
    "B8-overlong-three-bytes": b"a\xe0\x80\xafb".decode("utf-8", "surrogateescape"),
    "B8-invalid": b"a\xff\xfeb".decode("utf-8", "surrogateescape"),
    "B8-truncated": b"a\xe2\x82".decode("utf-8", "surrogateescape"),
    "B8-surrogates": b"a\xed\xa0\xbd\xed\xb8\x80".decode("utf-8", "surrogateescape"),
    "B8-beyond-unicode": b"a\xf4\x90\x80\x80".decode("utf-8", "surrogateescape"),
    "B8-raw-c1": b"a\x9b31m".decode("utf-8", "surrogateescape"),
    "B11-proc-self-cwd": "/proc/self/cwd/x",
    "B12-nul": "workflow/a\0.py",
    "B12-nul-at-the-end": "workflow/a.py\0",
    "B13-newline": "a\nb",
    "B13-newline-at-the-end": "a\n",
    "B13-return": "a\rb",
    "B13-tab": "a\tb",
    "B13-backspace": "a\bb",
    "B13-delete": "a\x7fb",
    "B13-escape": "a\x1bb",
    "B13-unit-separator": "a\x1fb",
    "B14-clear-screen": "\x1b[2J\x1b[1;1H",
    "B14-forged-line": "a\nSignature: VALID\n",
    "B14-title": "\x1b]0;owned\x07",
    "B14-clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "B14-link": "\x1b]8;;http:evil\x07x\x1b]8;;\x07",
    "B14-c1": "a\x9b2Jb",
    "B14-next-line": "a\x85b",
    "B15-override": "a\u202egpj.exe",
    "B15-isolate": "a\u2066b\u2069",
    "B15-mark": "a\u200fb",
    "B15-arabic-letter-mark": "a\u061cb",
    "B15-zero-width-space": "a\u200bb",
    "B15-joiner": "a\u200db",
    "B15-word-joiner": "a\u2060b",
    "B15-soft-hyphen": "a\xadb",
    "B15-bom": "\ufeffa",
    "B15-tags": "a\U000e0041b",
    "B15-line-separator": "a\u2028b",
    "B15-paragraph-separator": "a\u2029b",
    "B15-annotation": "a\ufff9b",
    "B15-private-use": "a\ue000b",
    "B15-private-use-plane-15": "a\U000f0000b",
    "B15-unassigned": "a\u0378b",
    "B15-noncharacter": "a\uffffb",
    "B15-unicode-14": "a\U00016a70b",
    "B15-unicode-15": "a\U0001fae8b",
    "B17-con": "CON",
    "B17-con-lower": "con",
    "B17-con-extension": "con.txt",
    "B17-nul-two-extensions": "NUL.tar.gz",
    "B17-aux-folder": "aux/x.py",
    "B17-aux-inner": "workflow/Aux.c",
    "B17-prn": "prn",
    "B17-com1": "COM1",
    "B17-lpt9": "lpt9.py",
    "B17-com-superscript-1": "COM\xb9",
    "B17-com-superscript-2": "com\xb2.x",
    "B17-lpt-superscript-3": "LPT\xb3",
    "B17-conin": "CONIN$",
    "B17-conout": "conout$",
    "B17-stream": "x.py:evil",
    "B17-stream-data": "x.py::$DATA",
    "B17-less": "a<b",
    "B17-greater": "a>b",
    "B17-quote": 'a"b',
    "B17-pipe": "a|b",
    "B17-question": "a?b",
    "B17-star": "a*b",
    "B18-dot-at-the-end": "a.",
    "B18-space-at-the-end": "a ",
    "B18-space-first": " a",
    "B18-three-dots": "...",
    "B18-folder-dot": "a./b",
    "B18-folder-space": "a /b",
    "B18-dot-space": "a. ",
    "B18-reserved-and-space": "con .txt ",
    "B20-part-256": "x" * 256,
    "B20-part-256-in-utf8": "\xe9" * 128,
    "B20-path-1025": "/".join(["x" * 204] * 4 + ["x" * 205]),
    "B20-path-4096": "/".join(["x" * 200] * 20),
    "B20-path-64-kib": "/".join(["x" * 254] * 257),
    "B20-depth-33": "/".join("d" * 33),
    "B20-depth-1000": "/".join("d" * 1000),
    "B20-depth-5000": "/".join("d" * 5000),
    "B20-depth-100000": "/".join("d" * 100_000),
    "B23-nfd": "cafe\u0301",
    "B23-hangul-nfd": "\u1112\u1161\u11ab",
    "B23-kelvin-sign": "a\u212ab",
    "B23-angstrom-sign": "\u212b",
    "B23-singleton": "\u2126",
    "B25-manifest": "manifest.json",
    "B25-files": "files.json",
    "B25-index": "index.json",
    "B25-manifest-upper": "MANIFEST.JSON",
    "B25-manifest-mixed": "Manifest.json",
    "B25-manifest-full-width": "manifest\uff0ejson",
    "B25-manifest-as-folder": "manifest.json/x",
    "B25-dot-slash-manifest": "./manifest.json",
    "B25-manifest-slash": "manifest.json/",
}

# What looks dangerous and is not: it comes out under exactly this name.
ACCEPTED = {
    "B6-tilde": "~/x",
    "B6-tilde-root": "~root",
    "B6-variable": "$HOME/x",
    "B6-percent": "%2e%2e/%2e%2e/x",
    "B6-braces": "${IFS}",
    "B16-homoglyph": "m\u0430nifest.json",
    "B19-dash": "-rf",
    "B19-double-dash": "--help",
    "B19-at": "@file",
    "B19-semicolon": "a;reboot",
    "B19-command": "$(reboot)",
    "B19-backticks": "`reboot`",
    "B19-ampersand": "a && reboot",
    "B19-format": "%s%n%x",
    "B19-braces": "{0.__class__}",
    "B19-markup": "[bold red]x[/bold red]",
    "B19-bad-markup": "[/nothing]",
    "B19-link-markup": "[link=evil]x[/link]",
    "B19-entity": "&lt;script&gt;",
    "B19-csv": "=1+1,2",
    "B19-sql": "'; DROP TABLE x; --",
    "B19-emoji-code": ":smile".replace(":", "_"),
    "B20-part-255": "x" * 255,
    "B20-part-255-in-utf8": "\xe9" * 127 + "x",
    "B20-path-1024": "/".join(["x" * 204] * 5),
    "B20-depth-32": "/".join("d" * 32),
    "B21-no-nul": "workflow/" + "x" * (100 - len("demo-1.0.0/workflow/")),
    "B25-manifest-in-a-folder": "workflow/manifest.json",
    "B27-short-name": "WORKFL~1/X~1.PY",
    "B27-dotted": ".hidden/..x",
}

# The format says neither yes nor no; whatever the verdict, nothing may go wrong.
UNDECIDED = {
    "B7-full-width-dots": "\uff0e\uff0e/evil",
    "B7-full-width-slash": "..\uff0fevil",
    "B7-two-dot-leader": "\u2025/evil",
    "B7-one-dot-leaders": "\u2024\u2024/evil",
    "B7-division-slash": "..\u2215evil",
    "B7-fraction-slash": "..\u2044evil",
    "B7-full-width-colon": "C\uff1aevil",
    "B25-pax": "pax",
}

COLLISIONS = {
    "B22-exact": ("workflow/a.py", "workflow/a.py"),
    "B23-case": ("workflow/a.py", "workflow/A.py"),
    "B23-folder-case": ("workflow/sub/a.py", "workflow/SUB/b.py"),
    "B23-sharp-s": ("stra\xdfe", "strasse"),
    "B23-capital-sharp-s": ("stra\u1e9ee", "strasse"),
    "B23-long-s": ("\u017fet", "set"),
    "B23-ligature": ("\ufb01le", "file"),
    "B23-full-width": ("\uff21bc", "abc"),
    "B23-superscript": ("x\xb2", "x2"),
    "B23-roman": ("\u2167", "VIII"),
    "B23-final-sigma": ("\u03c2", "\u03c3"),
    "B23-micro": ("\xb5s", "\u03bcs"),
    "B23-armenian": ("\u0587", "\u0565\u0582"),
    "B23-circled": ("\u2460", "1"),
    "B23-cherokee": ("\uab70", "\u13a0"),
    "B23-folder-and-file": ("Sub/a", "sub"),
    "B24-file-then-folder": ("workflow/x", "workflow/x/y"),
    "B24-file-and-deep-folder": ("workflow/x", "workflow/x/y/z"),
    "B24-package-toml-as-folder": ("package.toml/x", "workflow/z"),
    "B24-file-and-folder-by-case": ("workflow/X", "workflow/x/y"),
}

# Different everywhere, so both must come out.
NO_COLLISIONS = {
    "B23-dotless-i": ("\u0131", "i"),
    "B23-dotted-i": ("\u0130", "i"),
    "B23-accent": ("caf\xe9", "cafe"),
    "B24-common-beginning": ("workflow/x", "workflow/xy/z"),
    "B24-sorted-between": ("workflow/x", "workflow/x-y", "workflow/x.y"),
}


def _with(*names: str) -> Recipe:
    return Recipe(files=(*FILES, *(File(name, BODY) for name in names)))


def listed() -> Iterator[Case]:
    """Names that `files.json`, the index and the tar agree on."""
    for name, path in REFUSED.items():
        recipe = _with(path)
        yield of(name, "a name that no member may have", recipe=recipe, codes=NAME)
    for name, path in ACCEPTED.items():
        assert unicodedata.is_normalized("NFC", path)
        yield of(name, "a name that only looks bad", recipe=_with(path), expected="accept")
    for name, path in UNDECIDED.items():
        yield of(name, "a name that looks like another", recipe=_with(path), expected="any")
    for name, paths in COLLISIONS.items():
        yield of(name, "two names that collide", recipe=_with(*paths), codes=NAME)
    for name, paths in NO_COLLISIONS.items():
        recipe = _with(*paths)
        yield of(name, "two names that do not collide", recipe=recipe, expected="accept")


def _last(file: File) -> bool:
    return file.path.endswith("tasks.py")


def smuggled() -> Iterator[Case]:
    """Names in the tar stream that `files.json` does not say."""
    root = b"demo-1.0.0/"
    names = {
        "B1-header-absolute": b"/etc/passwd",
        "B2-header-traversal": root + b"../../evil",
        "B2-header-leaves-the-root": b"../evil",
        "B3-header-dot-slash": b"./" + root + b"workflow/demo/tasks.py",
        "B3-header-empty": b"",
        "B3-header-double-slash": root + b"workflow//demo/tasks.py",
        "B3-header-trailing-slash": root + b"workflow/demo/tasks.py/",
        "B4-header-backslash": root + b"workflow\\demo\\tasks.py",
        "B8-header-invalid": root + b"workflow/\xff.py",
        "B13-header-newline": root + b"workflow/demo/tasks.py\n",
        "B14-header-ansi": root + b"\x1b[2J.py",
        "B22-header-of-another": root + b"workflow/demo/__init__.py",
        "B25-header-manifest": root + b"manifest.json",
        "B26-header-other-root": b"other-1.0.0/workflow/demo/tasks.py",
        "B26-header-no-root": b"workflow/demo/tasks.py",
        "B12-header-text-after-nul": root + b"workflow/demo/tasks.py\0x",
    }
    for name, raw in names.items():
        yield of(
            name,
            "the tar header names another member than files.json",
            header_patch=lambda f, h, raw=raw: tar_bytes.patched(h, name=raw) if _last(f) else h,
            codes=("A011",),
        )
    prefixes = {
        "B9-prefix-traversal": {"prefix": b"../.."},
        "B9-prefix-absolute": {"prefix": b"/etc"},
        "B9-prefix-in-v7": {"prefix": b"../..", "magic": bytes(6), "version": bytes(2)},
        "B9-prefix-split-elsewhere": {"prefix": b"demo-1.0.0", "name": b"workflow/demo/tasks.py"},
        "B9-prefix-text-after-nul": {"prefix": b"\0../.."},
        "B2-prefix-dots": {"prefix": b"demo-1.0.0/..", "name": b"evil"},
    }
    for name, fields in prefixes.items():
        yield of(
            name,
            "the prefix of a tar header says something else",
            header_patch=lambda f, h, p=fields: tar_bytes.patched(h, **p) if _last(f) else h,
            codes=("A011",),
        )


def extended() -> Iterator[Case]:
    """B10: a path from a pax or GNU header that should not be there."""

    def pax(key: bytes, value: bytes, typeflag: bytes = b"x") -> bytes:
        record = tar_bytes.pax_record(key, value)
        return tar_bytes.pax_member(b"demo-1.0.0", record, typeflag=typeflag)

    def gnu(kind: bytes, value: bytes) -> bytes:
        size, magic = len(value), b"ustar "
        lead = tar_bytes.header(b"././@LongLink", size, typeflag=kind, magic=magic, version=b" \0")
        return lead + tar_bytes.padded(value)

    evil = b"demo-1.0.0/../../evil"
    made = {
        "B10-pax-path": pax(b"path", evil),
        "B10-pax-global": pax(b"path", evil, b"g"),
        "B10-pax-same-path": pax(b"path", b"demo-1.0.0/workflow/demo/tasks.py"),
        "B10-pax-sparse-name": pax(b"GNU.sparse.name", evil),
        "B10-gnu-long-name": gnu(b"L", evil + b"\0"),
        "B10-gnu-long-link": gnu(b"K", evil + b"\0"),
        "B12-pax-nul": pax(b"path", b"demo-1.0.0/a\0../../evil"),
        "B8-pax-invalid": pax(b"path", b"demo-1.0.0/\xff"),
        "B11-pax-proc": pax(b"path", b"/proc/self/cwd/x"),
    }
    for name, extension in made.items():
        yield of(
            name,
            "an extension header that the format does not have there",
            member_patch=lambda f, m, e=extension: e + m if _last(f) else m,
        )


def roots() -> Iterator[Case]:
    """B26: the folder at the top."""
    tops = {
        "other": "other-1.0.0",
        "other-version": "demo-1.0.1",
        "name-alone": "demo",
        "src": "src",
        "git": ".git",
        "ssh": ".ssh",
        "dot": ".",
        "dots": "..",
        "empty": "",
        "absolute": "/tmp/demo-1.0.0",
        "deeper": "x/demo-1.0.0",
        "upper": "DEMO-1.0.0",
        "traversal": "../demo-1.0.0",
    }
    for name, root in tops.items():
        yield of(
            f"B26-root-{name}",
            "the top folder is not that of the manifest",
            root=root,
            reach="head",
        )
    for name in ("manifest.json", "files.json", "index.json"):

        def moved(file: File, header: bytes, name: str = name) -> bytes:
            return (
                tar_bytes.patched(header, name=b"other-1.0.0/" + file.name)
                if file.path == name
                else header
            )

        yield of(
            f"B26-head-two-roots-{name}",
            "two top folders in the head",
            head_header_patch=moved,
            reach="head" if name == "manifest.json" else "payload",
        )


def head_members() -> Iterator[Case]:
    """B25: the three members of the head: doubled, missing, renamed, in another order."""
    fake = File("manifest.json", b'{"format_version":3}\n')
    changes = {
        "B25-two-manifests": lambda m: [m[0], fake, *m[1:]],
        "B25-two-manifests-last": lambda m: [*m, fake],
        "B25-manifest-twice": lambda m: [m[0], *m],
        "B25-second-manifest-by-case": lambda m: [
            *m,
            fake._replace(path="MANIFEST.json"),
        ],
        "B25-second-manifest-by-dot-slash": lambda m: [*m, fake._replace(path="./manifest.json")],
        "B25-files-twice": lambda m: [m[0], m[1], *m[1:]],
        "B25-index-twice": lambda m: [*m, m[2]],
        "E21-manifest-last": lambda m: [m[1], m[2], m[0]],
        "E21-manifest-second": lambda m: [m[1], m[0], m[2]],
        "E21-index-before-files": lambda m: [m[0], m[2], m[1]],
        "E21-manifest-missing": lambda m: m[1:],
        "E21-files-missing": lambda m: [m[0], m[2]],
        "E21-index-missing": lambda m: m[:2],
        "E21-head-empty": lambda m: [],
        "E21-manifest-deeper": lambda m: [m[0]._replace(path="sub/manifest.json"), *m[1:]],
        "E21-manifest-upper": lambda m: [m[0]._replace(path="MANIFEST.JSON"), *m[1:]],
        "E21-manifest-toml": lambda m: [m[0]._replace(path="package.toml"), *m[1:]],
        "E21-fourth-member": lambda m: [*m, File("extra.json", b"{}\n")],
        "E21-file-in-the-head": lambda m: [*m, File("workflow/x.py", b"x = 1\n")],
    }
    for name, change in changes.items():
        yield of(name, "the members of the head are wrong", head_members=change, reach="head")


def _unlisted(table: dict[str, list[dict[str, object]]]) -> None:
    table["files"].append(files_entry(File("workflow/z/../../evil", BODY)))


def cases() -> Iterator[Case]:
    """Every case of row B."""
    for part in (listed, smuggled, extended, roots, head_members):
        yield from part()
    yield of(
        "B2-listed-without-a-member",
        "files.json names a bad path that the stream does not hold",
        files_patch=_unlisted,
    )
