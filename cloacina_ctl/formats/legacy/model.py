"""The manifests of legacy packages as values; the fields keep their names.

An optional field that is absent is None or empty here. ``unknown`` are the places of keys that have
no meaning in any release.
"""

from __future__ import annotations

import enum

from cloacina_ctl.values import NamedTuple


class Format(str, enum.Enum):
    """What kind of package a file is."""

    NATIVE = "native"
    V1 = "v1"
    V2 = "v2"
    SOURCE = "source"
    PROVIDER = "provider"


class V1Task(NamedTuple):
    """A task of a manifest of 0.2 or 0.3, with local ids; ``number`` is its ``index``."""

    id: str
    dependencies: tuple[str, ...] = ()
    number: int | None = None
    description: str | None = None
    source_location: str | None = None


class V1Graph(NamedTuple):
    """The graph beside the tasks: ids of nodes and the edges between them."""

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


class V1Library(NamedTuple):
    """The one library in the manifest."""

    filename: str
    symbols: tuple[str, ...]
    architecture: str


class V1Manifest(NamedTuple):
    """``manifest.json`` of 0.2.0, which has an ``execution_order``, or of 0.3, which has none."""

    name: str
    version: str
    description: str
    cloacina_version: str
    library: V1Library
    tasks: tuple[V1Task, ...] = ()
    author: str | None = None
    workflow_fingerprint: str | None = None
    execution_order: tuple[str, ...] | None = None
    graph: V1Graph | None = None
    unknown: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        """The release that packs such a manifest."""
        return "0.3" if self.execution_order is None else "0.2"


class V2Task(NamedTuple):
    """A task of a manifest with ``format_version`` 2."""

    id: str
    function: str
    dependencies: tuple[str, ...] = ()
    description: str | None = None
    retries: int | None = None
    timeout_seconds: int | None = None


class V2Trigger(NamedTuple):
    """A trigger of such a manifest; ``poll_interval`` as ``30s``."""

    name: str
    trigger_type: str
    workflow: str
    poll_interval: str
    allow_concurrent: bool = False


class V2Manifest(NamedTuple):
    """``manifest.json`` with ``format_version`` 2, which no release wrote."""

    name: str
    version: str
    language: str
    fingerprint: str
    targets: tuple[str, ...]
    created_at: str
    description: str | None = None
    requires_python: str | None = None
    entry_module: str | None = None
    library_path: str | None = None
    tasks: tuple[V2Task, ...] = ()
    triggers: tuple[V2Trigger, ...] = ()
    signature: str | None = None
    unknown: tuple[str, ...] = ()


class SourceTrigger(NamedTuple):
    """A trigger of the releases 0.4 and 0.5, which declare them in the manifest."""

    name: str
    workflow: str
    poll_interval: str
    cron_expression: str | None = None
    allow_concurrent: bool = False


class SourceAccumulator(NamedTuple):
    """An input of a computation graph; ``config`` as sorted pairs of texts."""

    name: str
    accumulator_type: str | None = None
    config: tuple[tuple[str, str], ...] = ()


class SourceManifest(NamedTuple):
    """``package.toml`` as the file states it, without defaults.

    ``package_language`` is the one under ``[package]``, which compilers of 0.6 and 0.7 read.
    ``providers`` are names of constructor providers.
    """

    name: str
    version: str
    interface: str | None = None
    interface_version: int | None = None
    extension: str | None = None
    runtime: str | None = None
    package_language: str | None = None
    language: str | None = None
    workflow_name: str | None = None
    graph_name: str | None = None
    description: str | None = None
    author: str | None = None
    requires_python: str | None = None
    entry_module: str | None = None
    reaction_mode: str | None = None
    input_strategy: str | None = None
    accumulators: tuple[SourceAccumulator, ...] = ()
    providers: tuple[str, ...] = ()
    package_type: tuple[str, ...] | None = None
    triggers: tuple[SourceTrigger, ...] | None = None
    component: str | None = None
    unknown: tuple[str, ...] = ()


class ProviderManifest(NamedTuple):
    """A constructor provider's ``package.toml``, and the names in its ``provider.json``."""

    package: SourceManifest
    constructors: tuple[str, ...] = ()


LegacyManifest = V1Manifest | V2Manifest | SourceManifest | ProviderManifest
