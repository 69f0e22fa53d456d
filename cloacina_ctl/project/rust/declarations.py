"""Reads the tasks, workflows and triggers that Cloacina's macros declare, by their attributes.

A value that is no literal is noted: only the compiler could tell it. Which arguments the macros
take is not asked here, see ``macro_uses``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.manifest import Param, Retry, Trigger
from cloacina_ctl.project.durations import milliseconds
from cloacina_ctl.project.model import (
    CONSTRUCTOR,
    SourceDependency,
    SourceTask,
    SourceWorkflow,
)
from cloacina_ctl.project.rust.syntax import (
    Attribute,
    arguments_of,
    boolean_value,
    child_of,
    integer_value,
    place_of,
    spelled,
    spelled_plainly,
    split_list,
    text_of,
    text_value,
    tokens_of,
)
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tree_sitter import Node

WORKFLOW_MACROS = ("workflow", "packaged_workflow")
_VALUES: dict[str, tuple[str, Callable[[Sequence[Node]], object]]] = {
    "retry_attempts": ("attempts", integer_value),
    "retry_backoff": ("backoff", text_value),
    "retry_delay_ms": ("delay_ms", integer_value),
    "retry_max_delay_ms": ("max_delay_ms", integer_value),
    "retry_condition": ("condition", text_value),
    "retry_jitter": ("jitter", boolean_value),
}
_BACKOFFS = ("fixed", "linear", "exponential")


class Item(NamedTuple):
    """An item of a module with the attributes and documentation in front of it.

    ``stands`` is whether ``cfg`` leaves it in the build, None if that is not known.
    """

    node: Node
    attributes: tuple[Attribute, ...]
    documentation: str | None
    stands: bool | None = True

    def marked(self, *names: str) -> Attribute | None:
        """Return the attribute of Cloacina of one of these names.

        A bare name counts, and a path that begins with one of its crates: others have a
        ``#[task]`` as well.
        """
        for attribute in self.attributes:
            path = attribute.path
            ours = len(path) == 1 or (path and path[0].startswith("cloacina"))
            if ours and path[-1] in names:
                return attribute
        return None


class RustTrigger(NamedTuple):
    """A trigger and the name of the workflow that it starts."""

    on: str | None
    trigger: Trigger


def is_visible(node: Node, depth: int) -> bool:
    """Return whether an item is visible outside of its module, ``depth`` below the root."""
    modifier = child_of(node, "visibility_modifier")
    if modifier is None:
        return False
    where = "".join(text_of(modifier).removeprefix("pub").strip("() \t\r\n").split())
    if where in ("self", "inself"):
        return False
    # What `in` names is the item's own module or one around it, and then its path is shorter.
    return not where.startswith("incrate") or where.count("::") < depth


def name_of(node: Node) -> str:
    """Return the name of a module or function."""
    name = node.child_by_field_name("name")
    return text_of(name).removeprefix("r#") if name is not None else ""


def read_task(item: Item, attribute: Attribute, path: str, depth: int) -> SourceTask:
    """Return the task that ``#[task(…)]`` makes of a function, ``depth`` modules down."""
    values = {argument.name: argument.tokens for argument in arguments_of(attribute.group)}
    function = name_of(item.node)
    unreadable = [name for name in ("id", "dependencies") if _is_unreadable(name, values)]
    retry = _retry(values, unreadable)
    modifiers = child_of(item.node, "function_modifiers")
    return SourceTask(
        id=text_value(values["id"]) if "id" in values else function,
        function=function,
        place=place_of(path, item.node),
        dependencies=_dependencies(values.get("dependencies", ())),
        description=item.documentation,
        retry=retry,
        trigger_rules=spelled_plainly(values.get("trigger_rules", ())) or None,
        is_async=modifiers is not None and "async" in text_of(modifiers).split(),
        is_visible=is_visible(item.node, depth),
        unreadable_arguments=tuple(unreadable),
    )


def read_constructor(group: Node, path: str) -> SourceTask:
    """Return the task that ``constructor!(…)`` in a workflow's module stands for."""
    values = {argument.name: argument.tokens for argument in arguments_of(group)}
    unreadable = [name for name in ("id", "dependencies") if _is_unreadable(name, values)]
    return SourceTask(
        id=text_value(values.get("id", ())),
        function=CONSTRUCTOR,
        place=place_of(path, group),
        dependencies=_dependencies(values.get("dependencies", ())),
        is_async=True,
        unreadable_arguments=tuple(unreadable),
    )


def read_workflow(
    item: Item, attribute: Attribute, path: str, tasks: Iterable[SourceTask]
) -> tuple[SourceWorkflow, tuple[str, ...]]:
    """Return the workflow that the attribute makes of a module, and the triggers it names."""
    values = {argument.name: argument.tokens for argument in arguments_of(attribute.group)}
    workflow = SourceWorkflow(
        name=text_value(values.get("name", ())),
        place=place_of(path, item.node),
        tasks=tuple(tasks),
        tenant=text_value(values.get("tenant", ())),
        description=text_value(values.get("description", ())) or None,
        author=text_value(values.get("author", ())) or None,
        params=_params(values.get("params", ())),
    )
    return workflow, tuple(filter(None, _texts(values.get("triggers", ()))))


def read_trigger(item: Item, attribute: Attribute) -> RustTrigger:
    """Return the trigger that ``#[trigger(…)]`` makes of a function."""
    values = {argument.name: argument.tokens for argument in arguments_of(attribute.group)}
    cron = text_value(values.get("cron", ()))
    trigger = Trigger(
        name=text_value(values.get("name", ())) or name_of(item.node),
        kind="poll" if cron is None else "cron",
        cron=cron,
        poll_interval_ms=milliseconds(text_value(values.get("poll_interval", ())) or ""),
        timezone=text_value(values.get("timezone", ())),
        allow_concurrent=boolean_value(values.get("allow_concurrent", ())) is True,
    )
    return RustTrigger(on=text_value(values.get("on", ())), trigger=trigger)


def _is_unreadable(name: str, values: dict[str, tuple[Node, ...]]) -> bool:
    if name not in values:
        return False
    if name == "id":
        return text_value(values[name]) is None
    return None in _texts(values[name]) or not _is_list(values[name])


def _is_list(tokens: Sequence[Node]) -> bool:
    return len(tokens) == 1 and tokens[0].type == "token_tree" and text_of(tokens[0])[:1] == "["


def _texts(tokens: Sequence[Node]) -> list[str | None]:
    """Return the texts of a list, None for what is no text."""
    if not _is_list(tokens):
        return []
    return [text_value(part) for part in split_list(tokens_of(tokens[0]))]


def _dependencies(tokens: Sequence[Node]) -> tuple[SourceDependency, ...]:
    if not _is_list(tokens):
        return ()
    return tuple(
        SourceDependency(id=text_value(part), text=spelled(part))
        for part in split_list(tokens_of(tokens[0]))
    )


def _retry(values: dict[str, tuple[Node, ...]], unreadable: list[str]) -> Retry | None:
    settings: dict[str, Any] = {}
    for name, (field, read) in _VALUES.items():
        if name in values:
            value = read(values[name])
            if value is None:
                unreadable.append(name)
            else:
                settings[field] = value
    if settings.get("backoff", "fixed") not in _BACKOFFS:
        unreadable.append("retry_backoff")
        settings["backoff"] = "exponential"  # what the macro takes for a word that it does not know
    return Retry()._replace(**settings) if settings else None


def _params(tokens: Sequence[Node]) -> tuple[Param, ...]:
    """Return the parameters of ``params(name: Type = default, …)``."""
    if len(tokens) != 1 or tokens[0].type != "token_tree":
        return ()
    found = []
    for part in split_list(tokens_of(tokens[0])):
        kinds = [token.type for token in part]
        if len(part) < 3 or kinds[1] != ":":
            continue
        end = kinds.index("=") if "=" in kinds else len(part)
        default = spelled(part[end + 1 :]) or None
        found.append(Param(name=text_of(part[0]), type=spelled(part[2:end]), default=default))
    return tuple(found)
