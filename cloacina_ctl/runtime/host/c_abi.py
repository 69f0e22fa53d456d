"""The host for the C interface of plugins of the releases 0.2 and 0.3.

``cloacina_get_task_metadata`` returns a struct of 32 bytes (0.2) or 56 (0.3), or of 64 in a version
between 0.3 and 0.4 that was never released; a library does not state which. The JSON of the graph
is the last field of all three, so the shortest is tried first: where the graph field holds no JSON
object, the struct is longer. The longest is assumed only where the graph field of 0.3 is a
fingerprint, 16 hex digits. ``cloacina_execute_task`` fills a buffer and silently truncates: a full
buffer may be incomplete.
"""

from __future__ import annotations

import ctypes
import json
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.host import LoadFailure

if TYPE_CHECKING:
    from collections.abc import Callable

_U32 = ctypes.c_uint32
_TEXT = ctypes.c_char_p

# As in upstream's own host; a result that fills it is refused, since it may be truncated.
RESULT_BYTES = 10 << 20
MAX_TASKS = 100_000
_OK, _TASK_ERROR, _BAD_CONTEXT = 0, -1, -2


class _Task(ctypes.Structure):
    _fields_ = (
        ("index", _U32), ("local_id", _TEXT), ("namespaced_id", _TEXT), ("dependencies", _TEXT),
        ("description", _TEXT), ("source", _TEXT),
    )  # fmt: skip


class _Package02(ctypes.Structure):
    _fields_ = (
        ("count", _U32), ("tasks", ctypes.POINTER(_Task)), ("package", _TEXT), ("graph", _TEXT),
    )  # fmt: skip


class _Package03(ctypes.Structure):
    _fields_ = (
        ("count", _U32), ("tasks", ctypes.POINTER(_Task)), ("package", _TEXT),
        ("description", _TEXT), ("author", _TEXT), ("fingerprint", _TEXT), ("graph", _TEXT),
    )  # fmt: skip


class _PackageLate(ctypes.Structure):
    _fields_ = (
        ("count", _U32), ("tasks", ctypes.POINTER(_Task)), ("workflow", _TEXT), ("package", _TEXT),
        ("description", _TEXT), ("author", _TEXT), ("fingerprint", _TEXT), ("graph", _TEXT),
    )  # fmt: skip


class _RegisteredTask(ctypes.Structure):
    _fields_ = (
        ("local_id", _TEXT), ("namespaced_id", _TEXT), ("dependencies", _TEXT),
        ("constructor", _TEXT), ("description", _TEXT),
    )  # fmt: skip


class _Registered(ctypes.Structure):
    _fields_ = (
        ("count", _U32), ("tasks", ctypes.POINTER(_RegisteredTask)), ("workflow", _TEXT),
        ("package", _TEXT),
    )  # fmt: skip


_KIND_0_2, _KIND_0_3 = "c-abi-0.2", "c-abi-0.3"
_FINGERPRINT = re.compile(rb"[0-9a-f]{16}")


class RawHost:
    """A library of 0.2 or 0.3; ``layout`` is the kind where it is known.

    The longest struct counts as 0.3: for callers there is no other difference.
    """

    def __init__(self, library: ctypes.CDLL, layout: str | None) -> None:
        get = library.cloacina_get_task_metadata
        get.restype = ctypes.c_void_p
        address = get()
        if not address:
            raise LoadFailure("T005", "the library returns no metadata of its tasks")
        self._package = _package_at(address, layout)
        self._kind = _KIND_0_2 if isinstance(self._package, _Package02) else _KIND_0_3
        self._workflow = _workflow_of(library)
        self._execute = _execute_of(library)
        self._buffers: list[Any] = []  # a new one takes longer than most tasks
        self._flush = ctypes.CDLL(None).fflush

    def describe(self) -> dict[str, Any]:
        """Return the metadata in the struct."""
        package = self._package
        if package.count > MAX_TASKS or not package.tasks:
            raise LoadFailure("T005", f"the library claims {package.count} tasks")
        return {
            "interface": {"kind": self._kind},
            "workflow": self._workflow
            or _text(getattr(package, "workflow", None), "the name of the workflow"),
            "package": _text(package.package, "the name of the package"),
            "description": _text(getattr(package, "description", None), "the description"),
            "author": _text(getattr(package, "author", None), "the author"),
            "fingerprint": _text(getattr(package, "fingerprint", None), "the fingerprint"),
            "tasks": [_task(package.tasks[number]) for number in range(package.count)],
        }

    def calls(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Return the supported requests: only tasks."""
        return {"task": self._run}

    def leave(self) -> None:
        """Flush what the library printed through C."""
        self._flush(None)

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        status, data = self._call(request["task"].encode(), request["context"].encode())
        self._flush(None)
        if len(data) >= RESULT_BYTES:
            return _failed(f"the result has {RESULT_BYTES} bytes or more and may be truncated")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return _failed(f"status {status} and a result that is not UTF-8")
        if status == _OK:
            return {"succeeded": True, "context": text, "error": None}
        return _failed(_words_of(status, text))

    def _call(self, task: bytes, context: bytes) -> tuple[int, bytes]:
        """Return status and result of a task; at most as many bytes as the buffer holds."""
        length = _U32()
        try:
            buffer = self._buffers.pop()
        except IndexError:
            buffer = ctypes.create_string_buffer(RESULT_BYTES)
        status = self._execute(
            task, len(task), context, len(context), buffer, RESULT_BYTES, ctypes.byref(length)
        )
        data = ctypes.string_at(buffer, min(length.value, RESULT_BYTES))
        self._buffers.append(buffer)
        return status, data


def _execute_of(library: ctypes.CDLL) -> Any:  # noqa: ANN401 - a function of the library
    if not hasattr(library, "cloacina_execute_task"):
        raise LoadFailure("B003", "the library does not export `cloacina_execute_task`")
    execute = library.cloacina_execute_task
    execute.restype = ctypes.c_int32
    execute.argtypes = [_TEXT, _U32, _TEXT, _U32, _TEXT, _U32, ctypes.POINTER(_U32)]
    return execute


def _workflow_of(library: ctypes.CDLL) -> str | None:
    """Return the name of the workflow, which only the struct of registered tasks has."""
    if not hasattr(library, "get_task_metadata"):
        return None
    get = library.get_task_metadata
    get.restype = ctypes.POINTER(_Registered)
    registered = get()
    return _text(registered.contents.workflow, "the name of the workflow") if registered else None


def _package_at(address: int, layout: str | None) -> _Package02 | _Package03 | _PackageLate:
    """Return the struct, never reading beyond the length that its fields imply."""
    shortest = _Package02.from_address(address)
    if layout == _KIND_0_2 or (layout != _KIND_0_3 and _is_graph(shortest.graph)):
        return shortest
    released = _Package03.from_address(address)
    if released.graph is not None and _FINGERPRINT.fullmatch(released.graph):
        return _PackageLate.from_address(address)
    return released


def _is_graph(text: bytes | None) -> bool:
    try:
        return text is not None and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _task(task: _Task) -> dict[str, Any]:
    id_ = _text(task.local_id, "the id of a task")
    needs = _text(task.dependencies, f"the dependencies of `{id_}`") or "[]"
    try:
        dependencies = json.loads(needs)
    except (ValueError, RecursionError) as error:
        raise LoadFailure("T005", f"the dependencies of `{id_}` are not JSON") from error
    return {
        "id": id_,
        "dependencies": dependencies,
        "description": _text(task.description, f"the description of `{id_}`"),
        "source": _text(task.source, f"the place of `{id_}`"),
    }


def _text(data: bytes | None, what: str) -> str | None:
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise LoadFailure("T005", f"{what} is not UTF-8") from error


def _failed(words: str) -> dict[str, Any]:
    return {"succeeded": False, "context": None, "error": words}


def _words_of(status: int, text: str) -> str:
    """Return the error: a failed task has it in JSON."""
    try:
        said = json.loads(text)
        words = said["error"] if isinstance(said, dict) else None
    except (ValueError, RecursionError, KeyError):
        words = None
    if isinstance(words, str):
        return words
    meaning = {_TASK_ERROR: "the task failed", _BAD_CONTEXT: "the context cannot be serialised"}
    return meaning.get(status, f"an unknown status: {status}")
