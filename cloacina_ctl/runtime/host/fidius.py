"""The host of fidius plugins: the descriptor, the table of methods, calls and their answers.

Three layouts, as measured on libraries of releases 0.4 to 0.12: ABI 2 (0.4, 0.5), 200 (0.6 to 0.9)
and 500 (from 0.10 on, with an instance from `construct`). A call gets bytes and returns a status;
on success and on failure the plugin owns the answer until it is freed.
"""

from __future__ import annotations

import ctypes
import json
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host import messages as types
from cloacina_ctl.runtime.host.bincode import TEXT, BadWire, Shape, decode
from cloacina_ctl.runtime.host.callbacks import Callbacks
from cloacina_ctl.runtime.host.host import LoadFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_P, _U8, _U32, _U64 = ctypes.c_void_p, ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64
_TEXT = ctypes.c_char_p

_MAGIC = b"FIDIUS\0\0"
_REGISTRY_VERSION = 1
_MAX_PLUGINS = 1024
_MAX_METHODS = 64
MAX_ANSWER = 256 << 20
_INTERFACE = b"CloacinaPlugin"
_PLUGIN_ALLOCATED = 1
_OLD_ABI, _JSON_WIRE = 2, 0
_WITH_INSTANCE = 500

_HEAD = (
    ("interface_name", _TEXT), ("interface_hash", _U64), ("interface_version", _U32),
    ("capabilities", _U64),
)  # fmt: skip
_TAIL = (
    ("plugin_name", _TEXT), ("vtable", _P), ("free_buffer", _P), ("method_count", _U32),
)  # fmt: skip
_METADATA = (
    ("method_metadata", _P), ("trait_metadata", _P), ("trait_metadata_count", _U32),
)  # fmt: skip


class _Registry(ctypes.Structure):
    _fields_ = (
        ("magic", _U8 * 8), ("version", _U32), ("count", _U32), ("descriptors", ctypes.POINTER(_P)),
    )  # fmt: skip


class _Descriptor2(ctypes.Structure):
    _fields_ = (
        ("abi_version", _U32), *_HEAD, ("wire_format", _U8), ("buffer_strategy", _U8), *_TAIL,
    )  # fmt: skip


class _Descriptor200(ctypes.Structure):
    _fields_ = (
        ("size", _U32), ("abi_version", _U32), *_HEAD, ("buffer_strategy", _U8), *_TAIL, *_METADATA,
    )  # fmt: skip


class _Descriptor500(ctypes.Structure):
    _fields_ = (*_Descriptor200._fields_, ("construct", _P), ("destroy", _P))


_LAYOUTS: dict[int, type[Any]] = {2: _Descriptor2, 200: _Descriptor200, 500: _Descriptor500}

_Free = ctypes.CFUNCTYPE(None, _P, ctypes.c_size_t)
_Construct = ctypes.CFUNCTYPE(_P, _TEXT, _U32)
_Destroy = ctypes.CFUNCTYPE(None, _P)
_OUT = (_TEXT, _U32, ctypes.POINTER(_P), ctypes.POINTER(_U32))
_Method = ctypes.CFUNCTYPE(ctypes.c_int32, *_OUT)
_MethodOfInstance = ctypes.CFUNCTYPE(ctypes.c_int32, _P, *_OUT)

(
    TASKS, EXECUTE, GRAPH, EXECUTE_GRAPH, REACTORS, TRIGGERS, POLL, CALLABLE_GRAPHS, CALL_GRAPH,
    INPUTS, CONSTRUCTORS,
) = range(11)  # fmt: skip

_STATUSES = {
    -1: "the plugin reports that a buffer is too small",
    -2: "the plugin cannot read the request, or cannot write its answer",
    -5: "the plugin reports that a stream ended",
    -6: "the plugin has no such method",
}


# The error of releases from 0.10 on where a task asks for a secret and none was passed.
_NO_SECRETS = "secrets backend not configured"


class CallFailed(Exception):
    """A call that failed, with the message and the ``code`` of the plugin."""

    def __init__(self, words: str, code: str | None = None) -> None:
        super().__init__(words)
        self.code = code


class FidiusHost:
    """The plugin of a library with the interface ``CloacinaPlugin``."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._descriptor, self._abi = _find_descriptor(library)
        descriptor = self._descriptor
        if descriptor.buffer_strategy != _PLUGIN_ALLOCATED:
            strategy = descriptor.buffer_strategy
            raise LoadFailure("T004", f"the plugin wants buffers of strategy {strategy}, not 1")
        if not 0 < descriptor.method_count <= _MAX_METHODS or not descriptor.vtable:
            raise LoadFailure("T005", f"the plugin claims {descriptor.method_count} methods")
        self._json = self._abi == _OLD_ABI and descriptor.wire_format == _JSON_WIRE
        table = ctypes.cast(descriptor.vtable, ctypes.POINTER(_P))
        self._methods = [table[slot] for slot in range(descriptor.method_count)]
        self._free = _Free(descriptor.free_buffer) if descriptor.free_buffer else None
        self._instance = None
        if self._abi >= _WITH_INSTANCE and descriptor.construct:
            self._instance = _Construct(descriptor.construct)(b"", 0)
        self._callbacks = Callbacks(library)
        self._flush = ctypes.CDLL(None).fflush

    def describe(self) -> dict[str, Any]:
        """Call every method that returns metadata, and return the answers as one."""
        try:
            tasks = self._ask(TASKS, types.TASKS_METADATA, types.is_sane_metadata)
        except CallFailed as error:
            raise LoadFailure(
                "T003", f"the plugin returns no metadata of its tasks: {error}"
            ) from error
        graph = self._ask_optional(GRAPH, types.GRAPH_METADATA)
        reactors = self._ask_optional(REACTORS, types.REACTORS)
        triggers = self._ask_optional(TRIGGERS, types.TRIGGERS)
        graphs = self._ask_optional(CALLABLE_GRAPHS, types.CALLABLE_GRAPHS)
        inputs = self._ask_optional(INPUTS, types.INPUTS)
        constructors = self._ask_optional(CONSTRUCTORS, types.CONSTRUCTORS)
        return {
            "interface": self._interface(),
            "workflow": tasks["workflow_name"],
            "package": tasks["package_name"],
            "description": tasks["package_description"],
            "author": tasks["package_author"],
            "fingerprint": tasks["workflow_fingerprint"],
            "tasks": list(map(_task, tasks["tasks"])),
            "workflow_triggers": tasks.get("triggers", []),
            "graph": _graph(graph) if graph else None,
            "reactors": list(map(_reactor, reactors or ())),
            "triggers": list(map(_trigger, triggers or ())),
            "callable_graphs": [one["name"] for one in graphs or ()],
            "inputs": inputs["entries"] if inputs else [],
            "constructors": [
                {"id": one["id"], "dependencies": one["dependencies"]} for one in constructors or ()
            ],
        }

    def calls(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Return the supported requests."""
        return {
            "task": self._run_task,
            "trigger": self._poll,
            "graph": self._run_graph,
            "callable_graph": self._call_graph,
        }

    def leave(self) -> None:
        """Destroy the instance; the library itself stays loaded until the process ends."""
        if self._instance is not None and self._descriptor.destroy:
            _Destroy(self._descriptor.destroy)(self._instance)
        self._flush(None)

    def _interface(self) -> dict[str, Any]:
        descriptor = self._descriptor
        wire = "json" if self._json else "bincode"
        return {
            "kind": "fidius",
            "abi": self._abi,
            "version": descriptor.interface_version,
            "hash": f"{descriptor.interface_hash:016x}",
            "wire": wire,
            "plugin": _name(descriptor.plugin_name, "the name of the plugin"),
            "slots": [slot for slot, method in enumerate(self._methods) if method],
        }

    def _run_task(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._callbacks.begin(request["task"])
        arguments = {
            "task_name": request["task"],
            "context_json": request["context"],
            "resolved_secrets": {},
            "task_execution_id": execution,
        }
        try:
            outcome = self._outcome(EXECUTE, types.TASK_REQUEST, arguments, types.TASK_RESULT)
        finally:
            self._callbacks.end(execution)
        if _NO_SECRETS in (outcome["error"] or ""):
            outcome["error"] += " (secrets are kept by a server; there are none here)"
        return outcome

    def _poll(self, request: dict[str, Any]) -> dict[str, Any]:
        arguments = {"trigger_name": request["trigger"]}
        answer = self._outcome(POLL, types.TRIGGER_REQUEST, arguments, types.TRIGGER_RESULT)
        # It has no flag for success: an error means failure.
        succeeded = answer["succeeded"] and answer["error"] is None
        return {**answer, "fires": answer.pop("fire", False), "succeeded": succeeded}

    def _run_graph(self, request: dict[str, Any]) -> dict[str, Any]:
        arguments = {"cache": request["inputs"]}
        return self._outcome(EXECUTE_GRAPH, types.GRAPH_REQUEST, arguments, types.GRAPH_RESULT)

    def _call_graph(self, request: dict[str, Any]) -> dict[str, Any]:
        arguments = {"graph_name": request["graph"], "context_json": request["context"]}
        return self._outcome(
            CALL_GRAPH, types.CALLABLE_GRAPH_REQUEST, arguments, types.CALLABLE_GRAPH_RESULT
        )

    def _outcome(
        self, slot: int, request: Shape, arguments: dict[str, Any], result: Shape
    ) -> dict[str, Any]:
        """Call a method that runs something, and return its outcome."""
        try:
            answer = self._ask(slot, (result,), request=(request, arguments))
        except CallFailed as error:
            return {"succeeded": False, "context": None, "error": str(error)}
        return {
            "succeeded": answer.pop("success", True),
            "context": answer.pop("context_json", None),
            "outputs": answer.pop("terminal_outputs_json", None),
            **answer,
        }

    def _ask_optional(self, slot: int, forms: Sequence[Shape]) -> Any:  # noqa: ANN401 - as the form
        """Return the answer of a method that not every plugin has, None where there is none."""
        if slot >= len(self._methods) or not self._methods[slot]:
            return None
        try:
            return self._ask(slot, forms)
        except CallFailed as error:
            if error.code is not None:
                return None  # no graph, or too many to describe; tasks still run
            raise LoadFailure("T005", f"the plugin returns invalid metadata: {error}") from error

    def _ask(
        self,
        slot: int,
        forms: Sequence[Shape],
        sane: types.Sane | None = None,
        request: tuple[Shape, dict[str, Any]] | None = None,
    ) -> Any:  # noqa: ANN401 - what the form holds
        """Call a method and return its answer by the first form that fits."""
        status, data = self._call(slot, self._arguments(request))
        if status:
            raise self._failure(status, data)
        try:
            if self._json:
                return types.json_of_any(forms, _parsed(data))
            return types.decode_any(forms, data, sane)
        except BadWire as error:
            raise CallFailed(f"method {slot} returns malformed data: {error}") from error

    def _arguments(self, request: tuple[Shape, dict[str, Any]] | None) -> bytes:
        """Return the bytes of the one argument, or none: plugins read a tuple."""
        if request is None:
            return b"null" if self._json else b""
        shape, arguments = request
        return json.dumps([arguments]).encode() if self._json else shape.write(arguments)

    def _call(self, slot: int, data: bytes) -> tuple[int, bytes]:
        """Return status and answer of a method; the answer is copied and freed."""
        if slot >= len(self._methods) or not self._methods[slot]:
            raise CallFailed(f"the plugin has no method {slot}")
        out, length = _P(), _U32()
        arguments = (data, len(data), ctypes.byref(out), ctypes.byref(length))
        if self._abi >= _WITH_INSTANCE:
            status = _MethodOfInstance(self._methods[slot])(self._instance, *arguments)
        else:
            status = _Method(self._methods[slot])(*arguments)
        self._flush(None)
        if not out.value or not length.value:
            return status, b""
        if length.value > MAX_ANSWER:
            raise CallFailed(f"method {slot} returns {length.value} bytes")
        answer = ctypes.string_at(out.value, length.value)
        if self._free:
            self._free(out.value, length.value)
        return status, answer

    def _failure(self, status: int, data: bytes) -> CallFailed:
        """Return the failure for a status other than 0, with the plugin's message."""
        try:
            if status == -3:
                said = self._decoded(types.PLUGIN_ERROR, data)
                details = f" ({said['details']})" if said["details"] else ""
                words = f"{said['code']}: {said['message']}{details}"
                return CallFailed(words, said["code"])
            if status == -4:
                return CallFailed(f"it panicked: {self._decoded(TEXT, data)}")
        except BadWire:
            return CallFailed(f"status {status} and {len(data)} unreadable bytes")
        return CallFailed(_STATUSES.get(status, f"an unknown status: {status}"))

    def _decoded(self, shape: Shape, data: bytes) -> Any:  # noqa: ANN401 - what the shape holds
        return shape.of_json(_parsed(data)) if self._json else decode(shape, data)


def _find_descriptor(library: ctypes.CDLL) -> tuple[Any, int]:
    """Return the descriptor of the first plugin of the interface, and its ABI."""
    get = library.fidius_get_registry
    get.restype = ctypes.POINTER(_Registry)
    pointer = get()
    if not pointer:
        raise LoadFailure("T005", "the library returns no registry of plugins")
    registry = pointer.contents
    if bytes(registry.magic) != _MAGIC or registry.version != _REGISTRY_VERSION:
        raise LoadFailure("T004", f"a registry of an unknown kind or version: {registry.version}")
    if not 0 < registry.count <= _MAX_PLUGINS:
        raise LoadFailure("B003", f"the library registers {registry.count} plugins")
    for number in range(registry.count):
        descriptor, abi = _descriptor_at(registry.descriptors[number])
        if descriptor.interface_name == _INTERFACE:
            return descriptor, abi
    raise LoadFailure("B003", f"no plugin of the interface {_INTERFACE.decode()} in the library")


def _descriptor_at(address: int | None) -> tuple[Any, int]:
    if not address:
        raise LoadFailure("T005", "the registry has an empty entry")
    first, second = (_U32 * 2).from_address(address)
    # ABI 2 begins with its number; later ones with their size, and then the number.
    abi, size = (first, None) if first in (1, _OLD_ABI) else (second, first)
    layout = _LAYOUTS.get(abi)
    if layout is None:
        raise LoadFailure(
            "T004",
            f"the ABI of the plugin is not supported: {abi}",
            f"supported are {', '.join(map(str, _LAYOUTS))}",
        )
    if size not in (None, ctypes.sizeof(layout)):
        expected = ctypes.sizeof(layout)
        raise LoadFailure("T004", f"a descriptor of {size} bytes where ABI {abi} has {expected}")
    return layout.from_address(address), abi


def _parsed(data: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadWire("it is not JSON") from error


def _name(data: bytes | None, what: str) -> str | None:
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise LoadFailure("T005", f"{what} is not UTF-8") from error


def _task(task: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": task["id"],
        "dependencies": task["dependencies"],
        "description": task["description"],
        "source": task["source_location"],
        "trigger_rules": task.get("trigger_rules"),
        "needs_handle": task.get("requires_handle", False),
    }


def _inputs(accumulators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": one["name"], "type": one["accumulator_type"], "config": one["config"]}
        for one in accumulators
    ]


def _graph(graph: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": graph["graph_name"],
        "reaction_mode": graph["reaction_mode"],
        "input_strategy": graph["input_strategy"],
        "inputs": _inputs(graph["accumulators"]),
        "reactor": graph.get("trigger_reactor"),
        "graph": graph.get("graph_data_json"),
    }


def _reactor(reactor: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": reactor["name"],
        "reaction_mode": reactor["reaction_mode"],
        "inputs": _inputs(reactor["accumulators"]),
    }


def _trigger(trigger: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": trigger["name"],
        "workflow": trigger.get("workflow_name"),
        "poll_interval": trigger["poll_interval"],
        "cron": trigger["cron_expression"],
        "allow_concurrent": trigger["allow_concurrent"],
    }
