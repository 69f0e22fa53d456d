"""The messages to and from a plugin, with the forms of each release.

A later release adds fields only at the end of a form. A message from a plugin is read by trying the
forms from the longest to the shortest: only the form in use consumes every byte and gives plausible
strings. Requests are always sent in the longest form, since every release reads the fields that it
knows and ignores the rest (measured on 0.6 to 0.12).
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.bincode import (
    FLAG,
    NUMBER,
    TEXT,
    BadWire,
    Many,
    OptionType,
    Pair,
    RecordType,
    Shape,
    Table,
    decode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloacina_ctl.runtime.host.bincode import Cursor

    Sane = Callable[[Any], bool]

_MAYBE = OptionType(TEXT)


class Results:
    """A JSON list in one string, as a list of JSON strings: the results of a callable graph."""

    def read(self, cursor: Cursor) -> list[str]:
        """Return the next values, each as its own JSON."""
        return self.of_json(TEXT.read(cursor))

    def write(self, value: list[str]) -> bytes:
        """Return the bytes of the one string."""
        return TEXT.write(f"[{','.join(value)}]")

    def of_json(self, value: object) -> list[str]:
        """Return the values of a string."""
        try:
            found = json.loads(TEXT.of_json(value))
        except (ValueError, RecursionError) as error:
            raise BadWire("results that are not JSON") from error
        if not isinstance(found, list):
            raise BadWire("a list of results expected")
        return list(map(json.dumps, found))


TASK = RecordType(
    index=NUMBER, id=TEXT, namespaced_id_template=TEXT, dependencies=Many(TEXT), description=TEXT,
    source_location=TEXT,
)  # fmt: skip
_TASK_0_8 = TASK.with_(trigger_rules=TEXT)
_TASK_NEWEST = _TASK_0_8.with_(requires_handle=FLAG)


def _tasks_metadata(task: RecordType) -> RecordType:
    return RecordType(
        workflow_name=TEXT, package_name=TEXT, package_description=_MAYBE, package_author=_MAYBE,
        workflow_fingerprint=_MAYBE, graph_data_json=_MAYBE, tasks=Many(task),
    )  # fmt: skip


TASKS_METADATA = (
    _tasks_metadata(_TASK_NEWEST).with_(triggers=Many(TEXT)),
    _tasks_metadata(_TASK_0_8).with_(triggers=Many(TEXT)),
    _tasks_metadata(TASK).with_(triggers=Many(TEXT)),
    _tasks_metadata(TASK),
)
ACCUMULATOR = RecordType(name=TEXT, accumulator_type=TEXT, config=Table(TEXT))
_GRAPH = RecordType(
    graph_name=TEXT, package_name=TEXT, reaction_mode=TEXT, input_strategy=TEXT,
    accumulators=Many(ACCUMULATOR),
)  # fmt: skip
GRAPH_METADATA = (
    _GRAPH.with_(trigger_reactor=_MAYBE, graph_data_json=_MAYBE),
    _GRAPH.with_(trigger_reactor=_MAYBE),
    _GRAPH,
)
REACTORS = (
    Many(
        RecordType(
            name=TEXT, package_name=TEXT, reaction_mode=TEXT, accumulators=Many(ACCUMULATOR)
        ),
    ),
)
_TIMES = RecordType(
    package_name=TEXT, poll_interval=TEXT, cron_expression=_MAYBE, allow_concurrent=FLAG
)
TRIGGERS = (
    Many(RecordType(name=TEXT, workflow_name=TEXT).with_(**_TIMES.fields)),
    Many(RecordType(name=TEXT).with_(**_TIMES.fields)),
)
CALLABLE_GRAPHS = (Many(RecordType(name=TEXT, package_name=TEXT, terminal_node_names=Many(TEXT))),)
INPUTS = (
    RecordType(entries=Many(RecordType(surface_kind=TEXT, surface_name=TEXT, slots_json=TEXT))),
)
_CONSTRUCTOR: dict[str, Shape] = {
    "workflow": TEXT, "id": TEXT, "from": TEXT, "constructor": TEXT,
    "config": Many(Pair(TEXT, TEXT)), "grants": Many(Pair(TEXT, Many(TEXT))),
    "dependencies": Many(TEXT),
}  # fmt: skip
CONSTRUCTORS = (Many(RecordType(**_CONSTRUCTOR)),)

TASK_REQUEST = RecordType(
    task_name=TEXT, context_json=TEXT, resolved_secrets=Table(Table(TEXT)), task_execution_id=TEXT
)
TASK_RESULT = RecordType(success=FLAG, context_json=_MAYBE, error=_MAYBE)
GRAPH_REQUEST = RecordType(cache=Table(TEXT))
GRAPH_RESULT = RecordType(success=FLAG, terminal_outputs_json=OptionType(Many(TEXT)), error=_MAYBE)
TRIGGER_REQUEST = RecordType(trigger_name=TEXT)
TRIGGER_RESULT = RecordType(fire=FLAG, context_json=_MAYBE, error=_MAYBE)
CALLABLE_GRAPH_REQUEST = RecordType(graph_name=TEXT, context_json=TEXT)
CALLABLE_GRAPH_RESULT = RecordType(
    success=FLAG, terminal_outputs_json=OptionType(Results()), error=_MAYBE
)
PLUGIN_ERROR = RecordType(code=TEXT, message=TEXT, details=_MAYBE)


def decode_any(forms: Sequence[Shape], data: bytes, sane: Sane | None = None) -> Any:  # noqa: ANN401
    """Decode all of ``data`` by the first form that fits. Raises ``BadWire``."""
    for form in forms:
        with contextlib.suppress(BadWire):
            value = decode(form, data)
            if sane is None or sane(value):
                return value
    decode(forms[-1], data)  # raises with the reason
    raise BadWire("implausible strings")


def json_of_any(forms: Sequence[Shape], value: object) -> Any:  # noqa: ANN401 - as the form says
    """Return the value of parsed JSON by the first form that fits. Raises ``BadWire``."""
    for form in forms:
        with contextlib.suppress(BadWire):
            return form.of_json(value)
    return forms[-1].of_json(value)  # raises with the reason


def is_sane_metadata(value: dict[str, Any]) -> bool:
    """Return whether metadata of tasks is plausible: a wrong form may consume every byte too."""
    return all(task["id"] and _is_json(task.get("trigger_rules", "{}")) for task in value["tasks"])


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
