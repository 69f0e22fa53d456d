"""Row B: paths and names. Said in `files.json` and the stream alike, or in the stream alone."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from tests.hostile.case import Case, of
from tests.support import member_names, tar_bytes
from tests.support.builder import FILES, File, Recipe, files_entry
from tests.support.member_names import ACCEPTED, COLLISIONS, NO_COLLISIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = ("A010", "A015", "A016")
BODY = b"evil\n"

# Names of the head, which no other member may have.
HEAD = {
    "B25-manifest": "manifest.json",
    "B25-files": "files.json",
    "B25-index": "index.json",
    "B25-manifest-upper": "MANIFEST.JSON",
    "B25-manifest-mixed": "Manifest.json",
    "B25-manifest-full-width": "manifest\uff0ejson",
    "B25-manifest-as-folder": "manifest.json/x",
}
REFUSED = {
    **{key: name for names in member_names.REFUSED.values() for key, name in names.items()},
    **HEAD,
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
    beside_a_file_of_its_name = {"B24-package-toml-as-folder": ("package.toml/x", "workflow/z")}
    for name, paths in {**COLLISIONS, **beside_a_file_of_its_name}.items():
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
