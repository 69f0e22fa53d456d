"""Builders and names: library code wraps its tasks in them, packaged code need not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from cloacina_ctl.runtime.host.cloaca_api.registry import REGISTRY, DeclaredFor

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    T = TypeVar("T")

_VARIABLE = "CLOACINA_VAR_"


class TaskNamespace:
    """The full name of a task."""

    def __init__(self, tenant_id: str, package_name: str, workflow_id: str, task_id: str) -> None:
        self.tenant_id = tenant_id
        self.package_name = package_name
        self.workflow_id = workflow_id
        self.task_id = task_id

    @staticmethod
    def from_string(text: str) -> TaskNamespace:
        """Return the name from four parts separated by ``::``. Raises ``ValueError``."""
        parts = text.split("::")
        if len(parts) != 4:
            raise ValueError(
                f"a namespace has four parts, tenant::package::workflow::task, not: {text}"
            )
        return TaskNamespace(*parts)

    def _parts(self) -> tuple[str, str, str, str]:
        return self.tenant_id, self.package_name, self.workflow_id, self.task_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskNamespace) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __str__(self) -> str:
        return "::".join(self._parts())

    def __repr__(self) -> str:
        return f"TaskNamespace({self})"


class WorkflowContext:
    """The workflow that tasks are declared for."""

    def __init__(self, tenant_id: str, package_name: str, workflow_id: str) -> None:
        self.tenant_id = tenant_id
        self.package_name = package_name
        self.workflow_id = workflow_id


class BuiltWorkflow:
    """A workflow that a builder made: a name and a description."""

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self.description = description

    def validate(self) -> None:
        """Do nothing: the tasks are checked when the package is loaded."""

    def __repr__(self) -> str:
        return f"Workflow(name='{self.name}')"


class WorkflowBuilder:
    """A scope for the tasks of a workflow of its own, as in library code."""

    def __init__(
        self,
        name: str,
        *,
        tenant: str | None = None,
        package: str | None = None,
        workflow: str | None = None,
    ) -> None:
        self._name = name
        self._names = DeclaredFor(
            tenant=tenant or "public", package=package or "embedded", workflow=workflow or name
        )
        self._description = ""

    def description(self, description: str) -> None:
        """Set the description of the workflow."""
        self._description = description

    def tag(self, key: str, value: str) -> None:
        """Accept a tag and ignore it."""

    def add_task(self, task: object) -> None:
        """Check that a task of this workflow exists, by its id or its function."""
        id_ = task if isinstance(task, str) else getattr(task, "__name__", None)
        if (self._names, id_) not in REGISTRY.tasks:
            raise ValueError(
                f"Task '{id_}' not found in registry. Make sure it was decorated with @task."
            )

    def build(self) -> BuiltWorkflow:
        """Return the workflow."""
        return BuiltWorkflow(self._name, self._description)

    def __enter__(self) -> Self:
        REGISTRY.enter(self._names)
        return self

    def __exit__(self, *_: object) -> None:
        REGISTRY.leave()

    def __repr__(self) -> str:
        return f"WorkflowBuilder(name='{self._name}')"


def register_workflow_constructor(name: str, constructor: Callable[[], object]) -> None:
    """Call the constructor, as a server does; the name of its workflow is already known."""
    workflow = constructor()
    if not isinstance(workflow, BuiltWorkflow):
        raise TypeError(f"the constructor of '{name}' returns no Workflow")


def unchanged(*_: object, **__: object) -> Callable[[T], T]:
    """Return a decorator that does nothing: its arguments are only read from the source."""
    return lambda decorated: decorated


def constructor(*_: object, **__: object) -> Any:  # noqa: ANN401 - never returns
    """Refuse: providers are fetched and run by a server."""
    raise RuntimeError("constructors of providers need a server: cloaca.constructor")


def var(name: str) -> str:
    """Return the variable, or raise ``KeyError``."""
    value = os.environ.get(_VARIABLE + name)
    if value is None:
        raise KeyError(f"no variable {name}: set {_VARIABLE}{name}")
    return value


def var_or(name: str, default: str) -> str:
    """Return the variable, or ``default``."""
    return os.environ.get(_VARIABLE + name, default)
