"""``package.toml`` of source packages from 0.4 on, and ``provider.json`` of a provider's archive.

Read as the most tolerant release reads it: missing fields stay missing, unknown keys are
remembered. Content that no release accepts is refused.
"""

from __future__ import annotations

import re

from cloacina_ctl.formats.legacy.model import (
    ProviderManifest,
    SourceAccumulator,
    SourceManifest,
    SourceTrigger,
)
from cloacina_ctl.formats.legacy.table_reader import Problems, TableFields, shown
from cloacina_ctl.strict_json import parse_json
from cloacina_ctl.toml import parse_toml

_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_MAX_MODULE = 255
_RUNTIMES = ("rust", "python", "wasm")


def read_package_toml(data: bytes, where: str) -> SourceManifest:
    """Return the values of a ``package.toml``; raise ``Refused`` with everything that is wrong."""
    problems = Problems(where)
    manifest = _read(TableFields(parse_toml(data, where=where), "", problems))
    problems.raise_any()
    return manifest._replace(unknown=tuple(problems.unknown))


def read_provider(package_toml: bytes, provider_json: bytes, where: str) -> ProviderManifest:
    """Return the values of the two manifests of a constructor provider."""
    package = read_package_toml(package_toml, f"{where}: package.toml")
    place = f"{where}: provider.json"
    problems = Problems(place)
    top = TableFields(parse_json(provider_json, place), "", problems)
    names = tuple(entry.text("name") for entry in top.tables("constructors", required=True))
    problems.raise_any()
    return ProviderManifest(package, names)


def _read(top: TableFields) -> SourceManifest:
    package = top.table("package")
    metadata = top.maybe_table("metadata") or TableFields({}, "metadata.", top.problems)
    python, wasm = top.maybe_table("python"), top.maybe_table("wasm")
    manifest = SourceManifest(
        name=package.text("name"),
        version=package.text("version"),
        interface=package.optional("interface"),
        interface_version=package.number("interface_version"),
        extension=package.optional("extension"),
        runtime=package.optional("runtime"),
        package_language=package.optional("language"),
        language=metadata.optional("language"),
        workflow_name=metadata.optional("workflow_name"),
        graph_name=metadata.optional("graph_name"),
        description=metadata.optional("description"),
        author=metadata.optional("author"),
        requires_python=metadata.optional("requires_python"),
        entry_module=_module(metadata, "entry_module"),
        reaction_mode=metadata.optional("reaction_mode"),
        input_strategy=metadata.optional("input_strategy"),
        accumulators=tuple(_accumulator(entry) for entry in metadata.tables("accumulators")),
        providers=_providers(metadata),
        package_type=metadata.texts("package_type") if metadata.has("package_type") else None,
        triggers=_triggers(metadata) if metadata.has("triggers") else None,
        component=wasm.optional("component") if wasm else None,
    )
    if python is not None:
        python.raw("requirements")
        python.raw("entry_module")
    _check_runtime(package, manifest.runtime, has_python=python is not None, has_wasm=bool(wasm))
    for table in (top, package, metadata):
        table.note_unknown()
    return manifest


def _check_runtime(
    package: TableFields, runtime: str | None, *, has_python: bool, has_wasm: bool
) -> None:
    """Refuse an unknown ``runtime``, or a section of another one, as fidius does."""
    if runtime is not None and runtime not in _RUNTIMES:
        package.bad("runtime", f"expected rust, python or wasm, found {shown(runtime)}")
    for name, there in (("python", has_python), ("wasm", has_wasm)):
        if there != (runtime == name):
            what = f"[{name}] is there" if there else f"[{name}] is missing"
            package.bad("runtime", f"{what}, and the runtime is {shown(runtime or 'rust')}")


def _module(fields: TableFields, key: str) -> str | None:
    name = fields.optional(key)
    if name is not None and (len(name) > _MAX_MODULE or _MODULE.fullmatch(name) is None):
        fields.bad(key, f"not the dotted name of a module: {shown(name)}")
    return name


def _accumulator(fields: TableFields) -> SourceAccumulator:
    config = fields.maybe_table("config") or TableFields({}, "", fields.problems)
    return SourceAccumulator(
        name=fields.text("name"),
        accumulator_type=fields.optional("accumulator_type"),
        config=tuple((key, config.optional(key) or "") for key in config.names()),
    )


def _providers(metadata: TableFields) -> tuple[str, ...]:
    providers = metadata.maybe_table("providers")
    return providers.names() if providers else ()


def _triggers(metadata: TableFields) -> tuple[SourceTrigger, ...]:
    return tuple(
        SourceTrigger(
            name=entry.text("name"),
            workflow=entry.text("workflow"),
            poll_interval=entry.text("poll_interval"),
            cron_expression=entry.optional("cron_expression"),
            allow_concurrent=entry.flag("allow_concurrent") or False,
        )
        for entry in metadata.tables("triggers")
    )
