"""Reads the arguments of ``task`` and ``trigger`` from the source alone."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from cloacina_ctl.manifest import Retry, Trigger
from cloacina_ctl.project.durations import milliseconds
from cloacina_ctl.project.model import SourceDependency
from cloacina_ctl.project.python.import_time import UNREADABLE, Function

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY = {
    "retry_attempts": ("attempts", int),
    "retry_backoff": ("backoff", str),
    "retry_delay_ms": ("delay_ms", int),
    "retry_max_delay_ms": ("max_delay_ms", int),
    "retry_condition": ("condition", str),
    "retry_jitter": ("jitter", bool),
}
# Engines silently read any other string as `fixed`.
BACKOFFS = ("fixed", "linear", "exponential")
KNOWN = frozenset(
    {
        "id", "dependencies", *RETRY, "on_success", "on_failure", "invokes", "post_invocation",
        "retry", "trigger_rules",
    }
)  # fmt: skip
# A manifest has integers within the range of every JSON reader.
_LARGEST = 2**53 - 1


class Arguments:
    """The arguments of one call, or of a decorator that is not called.

    ``unreadable`` names those that are known only at run time, ``unknown`` those that the decorator
    does not take: because of their name, or of a value that is not allowed.
    """

    def __init__(
        self,
        call: ast.Call | None,
        resolve: Callable[[str], object],
        text_of: Callable[[ast.expr], str],
    ) -> None:
        keywords = call.keywords if call else []
        self._resolve = resolve
        self._text = text_of
        self._nodes = {word.arg: word.value for word in keywords if word.arg}
        self.positional = list(call.args) if call else []
        self.unreadable = ["**"] if any(word.arg is None for word in keywords) else []
        self.unknown = sorted(name for name in self._nodes if name not in KNOWN)
        self.unknown += [self._text(node) for node in self.positional]
        if "retry" in self._nodes:
            self.unreadable.append("retry")

    def task_id(self, default: str) -> str | None:
        """Return the id; None if it cannot be read."""
        value = self.value("id")
        if value is None:
            return None if "**" in self.unreadable else default
        if isinstance(value, str) and value:
            return value
        self._not_readable("id", value)
        return None

    def dependencies(self) -> tuple[SourceDependency, ...]:
        """Return the dependencies, with None for an unreadable id."""
        node = self._nodes.get("dependencies")
        listed = self._resolve(node.id) if isinstance(node, ast.Name) else node
        if listed is None or (isinstance(listed, ast.Constant) and listed.value is None):
            return ()
        if not isinstance(listed, ast.List | ast.Tuple):
            self.unreadable.append("dependencies")
            return ()
        return tuple(self._dependency(item) for item in listed.elts)

    def _dependency(self, node: ast.expr) -> SourceDependency:
        text = self._text(node)
        value = self._read(node)
        if isinstance(value, str):
            return SourceDependency(id=value, text=text)
        if isinstance(value, Function):
            return SourceDependency(id=value.name, text=text, is_function=True)
        if isinstance(node, ast.Attribute):  # a function of another module
            return SourceDependency(id=node.attr, text=text, is_function=True)
        self.unreadable.append("dependencies")
        return SourceDependency(id=None, text=text)

    def retry(self) -> Retry | None:
        """Return the retry policy; None if none is given, or a part of it cannot be read.

        A policy with guessed parts would be one that the author never wrote.
        """
        settings: dict[str, Any] = {}
        complete = "**" not in self.unreadable and "retry" not in self._nodes
        for name, (field, kind) in RETRY.items():
            value = self.value(name)
            if value is None:
                continue
            if type(value) is kind and isinstance(value, str | int) and _is_allowed(field, value):
                settings[field] = value
            else:
                complete = False
                self._not_readable(name, value)
        return Retry(**settings) if settings and complete else None

    def source_of(self, name: str) -> str | None:
        """Return the argument as its source text, on one line."""
        node = self._nodes.get(name)
        return None if node is None else self._text(node)

    def value(self, name: str) -> object:
        """Return the value of the argument, None if it is not given."""
        node = self._nodes.get(name)
        return None if node is None else self._read(node)

    def first(self) -> object:
        """Return the value of the first positional argument, which must exist."""
        return self._read(self.positional[0])

    def _not_readable(self, name: str, value: object) -> None:
        if value is UNREADABLE or isinstance(value, ast.AST | Function):
            self.unreadable.append(name)
        else:
            self.unknown.append(f"{name}={value!r:.80}")

    def _read(self, node: ast.expr) -> object:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._resolve(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = node.operand.value if isinstance(node.operand, ast.Constant) else None
            return -inner if type(inner) is int else UNREADABLE
        return UNREADABLE


def _is_allowed(field: str, value: str | int) -> bool:
    if field == "backoff":
        return value in BACKOFFS
    return bool(value) if isinstance(value, str) else 0 <= value <= _LARGEST


def read_trigger(function: str, arguments: Arguments) -> Trigger | None:
    """Return the trigger that decorates ``function``; None if it cannot be read completely."""
    given = {name: arguments.value(name) for name in ("name", "cron", "timezone", "poll_interval")}
    if arguments.positional:
        given["name"] = arguments.first()
    concurrent = arguments.value("allow_concurrent")
    if any(not isinstance(value, str) for value in given.values() if value is not None):
        return None
    if not isinstance(concurrent, bool | None) or "**" in arguments.unreadable:
        return None
    cron = given["cron"]
    interval = None if cron else milliseconds(str(given["poll_interval"] or "30s"))
    if interval is None and cron is None:
        return None
    return Trigger(
        name=str(given["name"] or function),
        kind="cron" if cron else "poll",
        poll_interval_ms=interval,
        cron=None if cron is None else str(cron),
        timezone=None if given["timezone"] is None else str(given["timezone"]),
        allow_concurrent=concurrent is True,
    )
