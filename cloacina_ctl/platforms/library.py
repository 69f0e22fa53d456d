"""The facts of a library as values, and their entries in a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.manifest.model import Artifact, BuiltWith, Interface, Libc
from cloacina_ctl.platforms.baseline import outside_base
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

KIND_FIDIUS = "fidius"
KIND_C_0_2 = "c-abi-0.2"
KIND_C_0_3 = "c-abi-0.3"

# The slots of the interface `CloacinaPlugin`, in the order of the trait. Releases append.
METHODS = (
    "get_task_metadata",
    "execute_task",
    "get_graph_metadata",
    "execute_graph",
    "get_reactor_metadata",
    "get_trigger_metadata",
    "invoke_trigger_poll",
    "get_triggerless_graph_metadata",
    "invoke_triggerless_graph",
    "get_input_interface",
    "get_constructor_metadata",
)


class Plugin(NamedTuple):
    """How a host calls into a library.

    ``kind`` is one of ``fidius``, ``c-abi-0.2``, ``c-abi-0.3``; all but ``kind`` belongs to
    ``fidius``. ``hash`` is of the interface, 16 hex digits; ``slots`` are the numbers of the
    methods that are there, of ``method_count``.
    """

    kind: str
    abi: int | None = None
    descriptor_size: int | None = None
    interface: str | None = None
    hash: str | None = None
    version: int | None = None
    capabilities: int = 0
    wire: str | None = None
    name: str | None = None
    method_count: int = 0
    slots: tuple[int, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the present methods, in the order of their slots."""
        return tuple(
            METHODS[slot] if slot < len(METHODS) else f"method_{slot}" for slot in self.slots
        )


class LibraryGraph(NamedTuple):
    """A workflow that was compiled into a library: ids of tasks with their dependencies, sorted.

    Dependencies on tasks of other packages are not in it: the macros leave them out. The texts
    are known for the C ABIs and from release 0.6 on; ``package`` for the C ABIs alone.
    """

    tasks: tuple[tuple[str, tuple[str, ...]], ...]
    name: str | None = None
    description: str | None = None
    author: str | None = None
    fingerprint: str | None = None
    package: str | None = None


class Library(NamedTuple):
    """The facts of a shared library.

    ``needed`` keeps the order of the file. ``exports`` are the exported symbols that a Cloacina
    host looks up (``dynamic.ENTRY_POINTS``). ``plugins`` are those that a host can reach: their
    entry point is exported. ``graphs`` are listed without it too: a graph without a plugin is a
    crate without ``package!()``. Two different graphs are two workflows in one library, which no
    release distinguishes. ``constructors`` counts the functions that run when it is loaded.

    ``unknown_versions`` are of files of the base system, each as ``VERSION of FILE``; no release of
    it is known to have them. ``unmarked_relocations``: relocations are packed, and the version
    that marks them for a loader is not needed; no release of glibc loads such a library.
    """

    object_format: str
    machine: str
    os: str
    tag: str
    libc: Libc | None = None
    needed: tuple[str, ...] = ()
    unknown_versions: tuple[str, ...] = ()
    unmarked_relocations: bool = False
    soname: str | None = None
    runpath: str | None = None
    rpath: str | None = None
    exports: tuple[str, ...] = ()
    executable_stack: bool = False
    text_relocations: bool = False
    constructors: int = 0
    plugins: tuple[Plugin, ...] = ()
    graphs: tuple[LibraryGraph, ...] = ()

    @property
    def plugin(self) -> Plugin | None:
        """Return the first plugin, the one that a host takes."""
        return self.plugins[0] if self.plugins else None

    def needs_outside(self, beside: Collection[str] = ()) -> tuple[str, ...]:
        """Return the needed libraries that are neither in a base system nor ``beside`` it."""
        found = outside_base(self.libc.name if self.libc else None, self.needed)
        return tuple(name for name in found if name not in beside and "/" not in name)


def artifact_of(library: Library, *, path: str, built_with: BuiltWith | None = None) -> Artifact:
    """Return the manifest's entry for ``library``, which is at ``path`` in the package."""
    return Artifact(
        platform=library.tag,
        path=path,
        kind="cdylib",
        machine=library.machine,
        os=library.os,
        libc=library.libc,
        needed=tuple(sorted(set(library.needed))),
        interface=interface_of(library.plugin) if library.plugin else None,
        built_with=built_with,
    )


def interface_of(plugin: Plugin) -> Interface:
    """Return the manifest's entry for the interface of a plugin."""
    return Interface(
        kind=plugin.kind,
        abi=plugin.abi,
        version=plugin.version,
        hash=plugin.hash,
        wire=plugin.wire,
        plugin=plugin.name,
        methods=plugin.methods,
    )


def distinct_graphs(found: Iterable[LibraryGraph]) -> tuple[LibraryGraph, ...]:
    """Return ``found`` without repetitions, sorted.

    A text that is in the library twice, once with its entry and once without, is one workflow.
    """
    graphs = set(found)
    named = {graph.tasks for graph in graphs if graph != LibraryGraph(graph.tasks)}
    kept = (g for g in graphs if g.tasks not in named or g != LibraryGraph(g.tasks))
    return tuple(sorted(kept, key=lambda graph: (graph.name or "", repr(graph))))
