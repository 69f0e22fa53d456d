"""The table of rules that differ between releases of Cloacina.

Each release is written as the changes since the one before it. ``SOURCES`` states for every rule
how it is known: measured (a released engine, server or crate did it) or read in the source of the
release. ``releases.rules`` applies them to a package.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.releases.ranges import takes_release
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

V1, SOURCE = "v1", "source"
PYTHON, RUST = "python", "rust"
NEWEST = "newest"
MIB = 1 << 20
# The overhead of an upload request: a boundary and two headers.
_REQUEST_BYTES = 1024

# Engines of 0.4 and later refuse a package with one of these at the top of `workflow/` or
# `vendor/`, as a folder or as a module.
SHADOWED_NAMES = frozenset(
    {
        "os", "sys", "subprocess", "shutil", "socket", "http", "urllib", "ctypes", "importlib",
        "pathlib", "io", "json", "pickle", "marshal", "code", "codeop", "compile", "compileall",
        "builtins", "signal", "multiprocessing", "threading", "tempfile", "glob", "fnmatch",
    }
)  # fmt: skip

_BASE_KEYS = frozenset(
    (
        "workflow_name", "graph_name", "language", "description", "author", "requires_python",
        "entry_module", "reaction_mode", "input_strategy", "accumulators",
    )
)  # fmt: skip
_SINCE_0_4 = (
    "async-trait", "chrono", "cloacina-workflow", "cloacina-workflow-plugin", "serde_json",
)  # fmt: skip


class Release(NamedTuple):
    """The rules of the releases ``name``; ``measured`` is the version that was measured.

    ``metadata_keys`` None means that unknown ``[metadata]`` keys are accepted. Sizes are in bytes,
    None means no limit. ``crates`` are the releases of the crates whose libraries it can load,
    ``needed_crates`` those that the generated code of its macros names.
    """

    name: str
    measured: str
    format: str
    languages: tuple[str, ...]
    crates: tuple[str, ...]
    needed_crates: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ("fidius",)
    package_language: bool = False
    metadata_keys: frozenset[str] | None = None
    workflow_name: bool = False
    triggers: bool = False
    package_type: bool = False
    resolves: bool = False
    shadowed_names: frozenset[str] = frozenset()
    ratio: int | None = None
    total: int | None = None
    entries: int | None = None
    upload: int | None = None
    lock_file: bool = False
    own_feature: bool = False
    adds_crate_type: bool = False
    package_macro: bool = False
    build_script: bool = False
    visible_tasks: bool = False
    trigger_rules: bool = False

    @property
    def number(self) -> tuple[int, ...]:
        """The numbers of its name, in which releases are ordered."""
        return tuple(map(int, self.name.split(".")))


_0_2 = Release(
    name="0.2",
    measured="0.2.0",
    format=V1,
    languages=(RUST,),
    crates=("0.2",),
    needed_crates=("async-trait", "chrono", "cloacina", "serde_json", "tokio", "tracing"),
    interfaces=("c-abi-0.2",),
    upload=100 * MIB,
)
_0_3 = _0_2._replace(
    name="0.3",
    measured="0.3.1",
    crates=("0.2", "0.3"),
    interfaces=("c-abi-0.2", "c-abi-0.3"),
)
_0_4 = Release(
    name="0.4",
    measured="0.4.0",
    format=SOURCE,
    languages=(PYTHON, RUST),
    crates=("0.4",),
    needed_crates=_SINCE_0_4,
    workflow_name=True,
    triggers=True,
    shadowed_names=SHADOWED_NAMES,
    upload=2 * MIB - _REQUEST_BYTES,
    own_feature=True,
)
_0_5 = _0_4._replace(
    name="0.5",
    measured="0.5.1",
    crates=("0.5",),
    workflow_name=False,
    package_type=True,
    upload=100 * MIB - _REQUEST_BYTES,
)
_0_6 = _0_5._replace(
    name="0.6",
    measured="0.6.1",
    crates=("0.6", "0.7"),
    needed_crates=tuple(sorted((*_SINCE_0_4, "cloacina-computation-graph"))),
    package_language=True,
    metadata_keys=_BASE_KEYS,
    triggers=False,
    package_type=False,
    ratio=10,
    total=500 * MIB,
    entries=10_000,
    package_macro=True,
    visible_tasks=True,
)
_0_7 = _0_6._replace(name="0.7", measured="0.7.0", lock_file=True)
_0_8 = _0_7._replace(
    name="0.8",
    measured="0.8.0",
    crates=("0.8", "0.9"),
    package_language=False,
    trigger_rules=True,
)
_0_9 = _0_8._replace(name="0.9", measured="0.9.0")
_0_10 = _0_9._replace(
    name="0.10",
    measured="0.10.0",
    crates=("0.10",),
    needed_crates=("cloacina-workflow", "cloacina-workflow-plugin", "serde_json"),
    metadata_keys=_BASE_KEYS | {"providers"},
    resolves=True,
    adds_crate_type=True,
)
_0_11 = _0_10._replace(name="0.11", measured="0.11.1", crates=("0.11", "0.12"))
_0_12 = _0_11._replace(name="0.12", measured="0.12.0")

RELEASES = (_0_2, _0_3, _0_4, _0_5, _0_6, _0_7, _0_8, _0_9, _0_10, _0_11, _0_12)
NEWEST_RELEASE = RELEASES[-1]
# Accepted by all releases that load sources, except for keys that only some know: the rules of the
# newest, with the keys that an older one needs and a newer one ignores.
ANY_SOURCE = NEWEST_RELEASE._replace(
    name="any",
    crates=tuple(release.name for release in RELEASES if release.format == SOURCE),
    package_language=True,
    resolves=False,
    adds_crate_type=False,
)


class RuleSource(NamedTuple):
    """A rule in words, and how it is known."""

    rule: str
    known: str


# One entry for each field of `Release` that is a rule.
SOURCES = {
    "format": RuleSource(
        "the format that it loads",
        "measured: 0.2.0 and 0.3.1 refuse bzip2; 0.4.0 to 0.12.0 refuse gzip, xz and plain tar",
    ),
    "languages": RuleSource(
        "the languages that it runs",
        "measured: 0.2.0 and 0.3.1 load libraries alone; 0.4.0 to 0.12.0 run both",
    ),
    "crates": RuleSource(
        "the releases of the crates whose libraries it can load",
        "measured on libraries of eleven releases: fidius ABI 2 (0.4, 0.5), 200 (0.6 to 0.9), 500 "
        "(0.10 and later) must be equal, and so must the layout of the metadata, which grew at "
        "0.5, 0.6, 0.8 and 0.11; the 0.3.1 engine loads libraries of 0.2 and 0.3",
    ),
    "needed_crates": RuleSource(
        "crates that the macros name in the code that they write",
        "measured: each was taken away in turn, on crates of 0.2.0 to 0.12.0",
    ),
    "interfaces": RuleSource(
        "what the library exports to its host",
        "measured: the struct of 0.2 has 32 bytes, that of 0.3 has 56; the 0.3.1 engine reads both",
    ),
    "package_language": RuleSource(
        "`language` under [package] too",
        "read in 0.6.1 and 0.7.0: their compiler looks there alone and takes what says nothing for "
        "Rust; repaired in 0.8.0",
    ),
    "metadata_keys": RuleSource(
        "[metadata] is closed",
        "measured on 0.6.1 to 0.12.0: an unknown key is an error; read in 0.4.0 and 0.5.0: it is "
        "taken; `providers` is known from 0.10.0 on",
    ),
    "workflow_name": RuleSource(
        "`workflow_name` must be there",
        "read in 0.4.0: a required field; optional from 0.5.0 on, where Python packages without it "
        "are called `unknown`",
    ),
    "triggers": RuleSource(
        "[[metadata.triggers]] binds triggers",
        "read in 0.4.0 and 0.5.0; measured on 0.6.1 and later: the key is an error",
    ),
    "package_type": RuleSource(
        "`package_type` is known",
        "read in 0.5.0; measured on 0.6.1 and later: the key is an error",
    ),
    "resolves": RuleSource(
        "what a crate's package.toml leaves out is filled in",
        "read in the compilers of 0.10.0 to 0.12.0 (`resolve_manifest_str`); measured on 0.4.0 to "
        "0.12.0: what loads Python packages fills in nothing",
    ),
    "shadowed_names": RuleSource(
        "25 names that must not stand at the top of `workflow/` or `vendor/`",
        "measured on 0.4.0 to 0.12.0; the list is read in the source of the loader",
    ),
    "ratio": RuleSource(
        "all files together are at most this many times the package",
        "measured on 0.6.1 to 0.12.0 (fidius 0.2.1 and later); read in fidius 0.0.5: no limit",
    ),
    "total": RuleSource(
        "the most bytes in all files together",
        "measured on 0.6.1 to 0.12.0 (fidius 0.2.1 and later); read in fidius 0.0.5: no limit",
    ),
    "entries": RuleSource(
        "the most files",
        "measured on 0.6.1 to 0.12.0 (fidius 0.2.1 and later); read in fidius 0.0.5: no limit",
    ),
    "upload": RuleSource(
        "the most bytes of a package that can be uploaded or registered",
        "measured on the server of 0.10.0: 100 MiB; read in 0.5.0 to 0.12.0: the same; read in "
        "0.4.0: no limit of its own, so the framework's 2 MB; read in 0.2.0: the registry's "
        "100 MiB",
    ),
    "lock_file": RuleSource(
        "Cargo.lock must be there",
        "read in 0.7.0 to 0.12.0: by default the compiler builds with --frozen, that of 0.6.1 "
        "without; no release builds the same twice without it",
    ),
    "own_feature": RuleSource(
        "the crate has a feature `packaged` that is on by default",
        "measured on crates of 0.4.0, 0.5.1, 0.6.1, 0.8.0 to 0.12.0: where it is off or not there "
        "the code of the macros names `cloacina`, and is E0433; the compilers from 0.10.0 on "
        "declare it and do not turn it on",
    ),
    "adds_crate_type": RuleSource(
        "`crate-type` with `cdylib` is added where [lib] has none",
        "measured: what the compilers of 0.10.0 and 0.12.0 make of a Cargo.toml; read in 0.11.1: "
        "the same; read in 0.6.1 to 0.9.0: nothing is added",
    ),
    "package_macro": RuleSource(
        "`package!()` stands once in the crate",
        "measured: without it the libraries of 0.6.1 to 0.12.0 export no plugin; 0.4 and 0.5 have "
        "no such macro",
    ),
    "build_script": RuleSource(
        "a build script is needed",
        "measured: no release needs one; `package validate` of 0.8 and 0.9 warns where there is "
        "none",
    ),
    "visible_tasks": RuleSource(
        "the function of a task is at least `pub(super)`",
        "measured on crates of all eleven releases, with fourteen visibilities of module and "
        "function: up to 0.5.1 all build and run; from 0.6.1 on a function that is private, "
        "`pub(self)` or `pub(in` its own module `)` is E0603; the module may always be private",
    ),
    "trigger_rules": RuleSource(
        "the trigger rules of a crate are known to the engine",
        "measured: the metadata of libraries before 0.8.0 has no place for them, and the engines "
        "of 0.3.1 and 0.6.1 run tasks that a rule skips; those of 0.10.0 and 0.12.0 follow every "
        "form",
    ),
}


def find_release(text: str) -> Release:
    """Return the release with the name ``text``: ``0.10``, ``0.3.1`` or ``newest``.

    Rules go by major and minor: a patch release has those of its line. Raises ``UsageError`` with
    the range of known releases for any other.
    """
    if text == NEWEST:
        return NEWEST_RELEASE
    parts = text.split(".")
    if len(parts) in (2, 3) and all(part.isascii() and part.isdigit() for part in parts):
        name = ".".join(part.lstrip("0") or "0" for part in parts[:2])
        for release in RELEASES:
            if release.name == name:
                return release
    raise UsageError.of(
        Code.USAGE,
        f"unknown release of Cloacina: {text[:80]}",
        hint=f"use {RELEASES[0].name} to {RELEASES[-1].name}, or {NEWEST}",
    )


@functools.lru_cache
def release_of_crate(requirement: str | None) -> Release | None:
    """Return the release for which a crate with ``requirement`` on Cloacina is written.

    None if the requirement accepts several releases, or none of the known ones.
    """
    taken = [one for one in RELEASES if requirement and takes_release(requirement, one)]
    return taken[0] if len(taken) == 1 else None


def releases_with(field: str, value: object) -> str:
    """Return the releases with ``value`` for the rule ``field``, in words: ``0.6 to 0.12``."""
    return in_words([release for release in RELEASES if getattr(release, field) == value])


def in_words(releases: Sequence[Release]) -> str:
    """Return the names of the ordered ``releases``: ``0.6 and later``, ``0.4, 0.6``.

    Of none it is ``none``.
    """
    if not releases:
        return "none"
    first, last = RELEASES.index(releases[0]), RELEASES.index(releases[-1])
    if last - first + 1 != len(releases):
        return ", ".join(release.name for release in releases)
    if releases[-1] is NEWEST_RELEASE:
        return f"{releases[0].name} and later"
    return releases[0].name if first == last else f"{releases[0].name} to {releases[-1].name}"
