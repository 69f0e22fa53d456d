"""The names inside a package, and the section that each belongs to.

A file's section follows from its path and nothing else (docs/format.md, "Members, sections,
frames"). Paths here are without the root folder.
"""

from __future__ import annotations

import re

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.paths import fold

FORMAT_VERSION = 3
SUFFIX = ".cloacina"

MANIFEST = "manifest.json"
FILES = "files.json"
INDEX = "index.json"
HEAD_MEMBERS = (MANIFEST, FILES, INDEX)
PACKAGE_TOML = "package.toml"

COMMON = "common"
SOURCE = "source"
END = "end"
ANY_PLATFORM = "any"
RESERVED_TAGS = frozenset({ANY_PLATFORM, COMMON, SOURCE, END, "head"})

SOURCE_FOLDER = "source/"
PLATFORM_FOLDER = "platform/"
WORKFLOW_FOLDER = "workflow/"
VENDOR_FOLDER = "vendor/"

_FIRST_LETTERS = frozenset("sSpPmfi")  # of every name that is not in the section `common`
_KEPT_FOLDERS = frozenset({"source", "platform"})
_TAG = re.compile(r"[a-z0-9][a-z0-9_.]{0,63}")


def root_folder(name: str, version: str) -> str:
    """Return the one folder at the top of the package called ``name`` of ``version``."""
    return f"{name}-{version}"


def is_tag(text: str) -> bool:
    """Return whether ``text`` may name a platform."""
    return _TAG.fullmatch(text) is not None and text not in RESERVED_TAGS


def section_of(path: str) -> str:
    """Return the section of ``path``; raise ``Refused`` where no file may have that path."""
    if path[:1] not in _FIRST_LETTERS and path[:1].isascii():  # nearly all: `workflow/…`
        return COMMON
    if path.startswith(SOURCE_FOLDER):
        return SOURCE
    if path.startswith(PLATFORM_FOLDER):
        tag, slash, _ = path[len(PLATFORM_FOLDER) :].partition("/")
        if not slash:
            raise _reserved(path, "nothing lies directly under `platform/`")
        if not is_tag(tag):
            raise _reserved(path, f"no platform tag: {tag}")
        return tag
    # In any spelling: on some systems `Source/x` and `ſource/x` are unpacked into `source/`.
    if path in HEAD_MEMBERS or fold(path.partition("/")[0]) in _KEPT_FOLDERS:
        raise _reserved(path, "the format keeps this name for itself")
    return COMMON


def section_rank(section: str) -> tuple[int, str]:
    """Return the key that puts sections in the order of the stream."""
    if section == COMMON:
        return (0, "")
    if section == SOURCE:
        return (1, "")
    return (3, "") if section == END else (2, section)


def stream_key(path: str) -> tuple[tuple[int, str], bytes]:
    """Return the key that puts files in the order of the stream."""
    return (section_rank(section_of(path)), path.encode("utf-8", "surrogatepass"))


def library_path(tag: str, filename: str) -> str:
    """Return the path of the library for the platform ``tag``."""
    return f"{PLATFORM_FOLDER}{tag}/{filename}"


def place_on_platform(path: str) -> str:
    """Return the path of a file of a Python package as an importer needs it.

    Files for one platform lie beside those for all platforms, under the same path; only
    `platform/<tag>/vendor/` is a folder of its own, as `vendor/` is.
    """
    if not path.startswith(PLATFORM_FOLDER):
        return path
    inside = path[len(PLATFORM_FOLDER) :].partition("/")[2]
    return path if inside.startswith(VENDOR_FOLDER) else inside


def module_paths(module: str) -> tuple[str, str]:
    """Return the two possible paths of the dotted ``module``."""
    base = WORKFLOW_FOLDER + module.replace(".", "/")
    return (f"{base}.py", f"{base}/__init__.py")


def _reserved(path: str, rule: str) -> Refused:
    return Refused.of(Code.MEMBER_NAME, rule, where=path)
