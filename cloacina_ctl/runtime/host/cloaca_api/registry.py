"""The declarations of one package's decorators, and the names they belong to."""

from __future__ import annotations

from _thread import _local
from typing import TYPE_CHECKING, Any

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.runtime.host.cloaca_api.graphs import BuiltGraph


class DeclaredFor(NamedTuple):
    """The workflow that a decorator declares for."""

    tenant: str
    package: str
    workflow: str


class DeclaredTask(NamedTuple):
    """A task as its decorator declared it; ``invokes`` is the name of a graph."""

    id: str
    names: DeclaredFor
    function: Callable[..., object]
    dependencies: tuple[str, ...]
    retry: dict[str, Any] | None
    trigger_rules: dict[str, Any] | None
    takes_handle: bool
    on_success: Callable[..., object] | None
    on_failure: Callable[..., object] | None
    invokes: str | None
    post_invocation: Callable[..., object] | None


class DeclaredTrigger(NamedTuple):
    """A trigger as its decorator declared it."""

    name: str
    function: Callable[[], object]
    on: str | None
    poll_interval: str | None
    cron: str | None
    allow_concurrent: bool


class Declarations:
    """All declarations, in their order; the last one of a name counts."""

    def __init__(self) -> None:
        self.tasks: dict[tuple[DeclaredFor, str], DeclaredTask] = {}
        self.triggers: dict[str, DeclaredTrigger] = {}
        self.reactors: dict[str, tuple[tuple[str, ...], str]] = {}
        self.graphs: dict[str, BuiltGraph] = {}
        self.accumulators: dict[str, tuple[str, dict[str, str]]] = {}
        self._scopes = _local()

    def enter(self, names: DeclaredFor) -> None:
        """Declare for this workflow from now on, in this thread."""
        self._stack().append(names)

    def leave(self) -> None:
        """Declare for the previous workflow again."""
        self._stack().pop()

    def names(self) -> DeclaredFor:
        """Return the current workflow. Raises ``ValueError`` where there is none."""
        stack = self._stack()
        if not stack:
            raise ValueError(
                "a task must be declared while its module is imported, at the top level of the "
                "module: not later, and not in another thread"
            )
        return stack[-1]

    def _stack(self) -> list[DeclaredFor]:
        if not hasattr(self._scopes, "stack"):
            self._scopes.stack = []
        stack: list[DeclaredFor] = self._scopes.stack
        return stack


REGISTRY = Declarations()
