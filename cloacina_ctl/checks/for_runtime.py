"""Whether a project keeps the rules of the runtime that its package is for, before it is packed.

The rules are those of ``project.runtimes``; each refusal says which runtimes have it and what
helps. What an engine would refuse is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.releases.table import (
    ANY_SOURCE,
    RUNTIMES,
    SOURCE,
    Runtime,
    runtime_of_crate,
    with_rule,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Crate

CARGO_TOML, PACKAGE_TOML = "Cargo.toml", "package.toml"


class ForRuntime(NamedTuple):
    """What is judged: a project's language and, where it has them, its metadata and its crate."""

    language: str
    metadata_keys: tuple[str, ...] = ()
    crate: Crate | None = None


def check_for_runtime(subject: ForRuntime, runtime: Runtime) -> Iterator[Diagnostic]:
    """Yield each rule of ``runtime`` that the project breaks."""
    if subject.language not in runtime.languages:
        yield Diagnostic(
            Code.NOT_FOR_RUNTIME,
            f"a {subject.language} project, and Cloacina {runtime.name} runs "
            f"{' and '.join(runtime.languages)} alone",
            hint=f"choose another runtime: {with_rule('languages', ('python', 'rust'))} run both",
        )
    if runtime.format != SOURCE:
        return
    yield from _metadata(subject.metadata_keys, runtime)
    if subject.crate is not None:
        yield from _release(subject.crate, runtime)
        yield from _lock(subject.crate)
        yield from _wiring(subject.crate, runtime)


def _metadata(keys: tuple[str, ...], runtime: Runtime) -> Iterator[Diagnostic]:
    known = runtime.metadata_keys
    for key in keys if known is not None else ():
        if key not in (known or ()):
            yield Diagnostic(
                Code.RUNTIME_RULE,
                f"`{key[:80]}` under [metadata]: {_whose_keys(key)} refuse unknown keys",
                PACKAGE_TOML,
                _cure_of_key(key),
            )


def _whose_keys(key: str) -> str:
    names = [
        runtime.name
        for runtime in RUNTIMES
        if runtime.metadata_keys is not None and key not in runtime.metadata_keys
    ]
    last = RUNTIMES[-1].name
    return f"Cloacina {names[0]} and later" if names[-1] == last else (
        f"Cloacina {names[0]} to {names[-1]}"
    )  # fmt: skip


def _cure_of_key(key: str) -> str:
    if key == "triggers":
        return "declare triggers in the code, or make it for `--runtime 0.5`"
    if key == "package_type":
        return "remove it, or make it for `--runtime 0.5`"
    if key == "providers":
        return f"make it for a runtime that knows it: {_first_with(key)} or later"
    return "remove it, or mend its spelling"


def _first_with(key: str) -> str:
    return next(r.name for r in RUNTIMES if r.metadata_keys is not None and key in r.metadata_keys)


def _release(crate: Crate, runtime: Runtime) -> Iterator[Diagnostic]:
    """Yield where the library that the runtime builds of the crate would not fit it."""
    written_for = runtime_of_crate(crate.cloacina_release)
    if written_for is None or written_for.name in runtime.crates:
        return
    if runtime is ANY_SOURCE and written_for.format == SOURCE:
        return
    yield Diagnostic(
        Code.RUNTIME_RULE,
        f"the crate is written for Cloacina {written_for.name}, and Cloacina {runtime.name} loads "
        f"libraries of {', '.join(runtime.crates)} alone",
        CARGO_TOML,
        f"choose --runtime {written_for.name}, or depend on a release that fits",
    )


def _lock(crate: Crate) -> Iterator[Diagnostic]:
    """Yield that a compiler would choose versions, which those that build with --frozen refuse."""
    if not crate.has_lock_file:
        whose = with_rule("lock_file", value=True)
        yield Diagnostic(
            Code.NO_LOCK_FILE,
            f"there is no Cargo.lock: Cloacina {whose} build with --frozen, and no release builds "
            "the same twice without",
            CARGO_TOML,
            "run `cargo generate-lockfile`",
        )


def _wiring(crate: Crate, runtime: Runtime) -> Iterator[Diagnostic]:
    """Yield what the runtime's compiler does not add by itself."""
    if not runtime.own_feature:
        return
    whose = with_rule("own_feature", value=True)
    if "cdylib" not in crate.crate_types:
        yield Diagnostic(
            Code.NOT_A_CDYLIB,
            f"[lib] does not name `cdylib`, and the compilers of Cloacina {whose} do not add it",
            CARGO_TOML,
            'write `crate-type = ["cdylib"]` under [lib]',
        )
    if "packaged" not in crate.default_features:
        yield Diagnostic(
            Code.NO_PACKAGED_FEATURE,
            f"the feature `packaged` is not on by default, and the compilers of Cloacina {whose} "
            "do not turn it on",
            CARGO_TOML,
            'add `[features] default = ["packaged"]` and `packaged = []`',
        )
