"""A manifest as values; those that ``parse`` made are always valid.

Fields are those of docs/manifest.md. An optional field without a value is None or an empty tuple
here, and absent in the JSON. Build the values with keywords.
"""

from __future__ import annotations

import enum

from cloacina_ctl.values import NamedTuple

FORMAT_VERSION = 3


class Language(str, enum.Enum):
    """What the workflow is written in."""

    RUST = "rust"
    PYTHON = "python"


class PackageInfo(NamedTuple):
    """The package: ``name`` and ``version`` identify it, the rest describes it."""

    name: str
    version: str
    description: str | None = None
    authors: tuple[str, ...] = ()
    license: str | None = None
    homepage: str | None = None
    repository: str | None = None
    keywords: tuple[str, ...] = ()


class Requires(NamedTuple):
    """What the package needs: ranges of releases and of Python versions, other distributions.

    ``dependencies`` are requirements (PEP 508) that the project declares, whether or not they are
    vendored.
    """

    cloacina: str | None = None
    python: str | None = None
    dependencies: tuple[str, ...] = ()


class Retry(NamedTuple):
    """How often and when a failed task is tried again; times in milliseconds.

    A manifest states all six; the defaults are those of the macros and decorators.
    """

    attempts: int = 3
    backoff: str = "exponential"
    delay_ms: int = 1000
    max_delay_ms: int = 30_000
    jitter: bool = True
    condition: str = "all"


class Task(NamedTuple):
    """One task; ``source`` is ``path:line`` of a member, ``dependencies`` are ids of tasks."""

    id: str
    dependencies: tuple[str, ...] = ()
    description: str | None = None
    function: str | None = None
    source: str | None = None
    retry: Retry | None = None
    timeout_seconds: int | None = None
    trigger_rules: str | None = None

    @property
    def attempts(self) -> int:
        """How often it is tried at most, the first time included; never less than once."""
        retry = self.retry or Retry()
        return 1 if retry.condition == "never" else max(1, retry.attempts)


class Param(NamedTuple):
    """A declared parameter of a workflow; ``type`` and ``default`` as source text."""

    name: str
    type: str
    default: str | None = None


class Trigger(NamedTuple):
    """A trigger of a workflow: polling (with its interval) or a cron expression."""

    name: str
    kind: str
    poll_interval_ms: int | None = None
    cron: str | None = None
    timezone: str | None = None
    allow_concurrent: bool = False


class Workflow(NamedTuple):
    """A workflow and its tasks."""

    name: str
    tasks: tuple[Task, ...]
    description: str | None = None
    author: str | None = None
    fingerprint: str | None = None
    params: tuple[Param, ...] = ()
    triggers: tuple[Trigger, ...] = ()


class Accumulator(NamedTuple):
    """An input of a computation graph; ``config`` as sorted pairs of texts."""

    name: str
    type: str
    config: tuple[tuple[str, str], ...] = ()


class Edge(NamedTuple):
    """A connection of two nodes of a computation graph."""

    from_: str
    to: str


class Graph(NamedTuple):
    """A computation graph."""

    name: str
    reaction_mode: str
    input_strategy: str
    accumulators: tuple[Accumulator, ...] = ()
    nodes: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()


class Libc(NamedTuple):
    """The C library that an artifact needs, and the lowest version of it where that is known."""

    name: str
    floor: str | None = None

    @property
    def release(self) -> tuple[int, ...]:
        """The numbers of the floor, to be compared; none where it is not known."""
        return tuple(int(part) for part in (self.floor or "").split(".") if part.isdigit())


class Interface(NamedTuple):
    """What an artifact exports to its host, read from the artifact itself."""

    kind: str
    abi: int | None = None
    version: int | None = None
    hash: str | None = None
    wire: str | None = None
    plugin: str | None = None
    methods: tuple[str, ...] = ()


class BuiltWith(NamedTuple):
    """What an artifact was built with."""

    rustc: str
    profile: str
    target: str


class Artifact(NamedTuple):
    """A compiled library, or a tree of wheels, for one platform.

    ``unloaded`` is true where the library was not loaded when the package was made, as for another
    target: the manifest's tasks are then those of its file and its source.
    """

    platform: str
    path: str
    kind: str
    machine: str
    os: str
    libc: Libc | None = None
    needed: tuple[str, ...] = ()
    interface: Interface | None = None
    built_with: BuiltWith | None = None
    unloaded: bool = False


class Contents(NamedTuple):
    """All other files of the package: how many, of how many bytes, the digest of files.json."""

    files: int
    sha256: str
    size: int


class Manifest(NamedTuple):
    """The whole manifest of a package."""

    format_version: int
    package: PackageInfo
    language: Language
    contents: Contents
    requires: Requires | None = None
    entry_module: str | None = None
    workflows: tuple[Workflow, ...] = ()
    graphs: tuple[Graph, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
