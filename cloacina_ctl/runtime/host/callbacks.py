"""What a plugin may call back: what a task with a handle asks of its host while it waits.

From 0.11 on a library says by ``fidius_get_host_imports`` which functions of its host it wants, and
takes a table with one function that serves them all. There is one set, ``CloacinaHost``, of three:
give up the task's place among those that run, take it again, and say how the task stands. Here a
task that waits keeps its place, so the first two have nothing to do; the third is a line on
standard error. The plugin calls from any of its threads, and while it is being called.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.bincode import TEXT, BadWire, Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

_P, _U32, _U64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
_TEXT = ctypes.c_char_p

_GET = "fidius_get_host_imports"
_MAGIC, _VERSION = b"FIDIUS\0\0", 1
_MAX_IMPORTS = 64
# As the releases 0.11.0 to 0.12.0 have it: arguments have no names on the wire, so that a set of
# functions with another hash is not to be served.
_ABI = 500
_INTERFACE, _INTERFACE_VERSION, _INTERFACE_HASH = b"CloacinaHost", 1, 0x907E881F764539BF
_RELEASE_SLOT, _RECLAIM_SLOT, _SET_SUB_STATUS = range(3)
_FUNCTIONS = 3
_OK, _BAD_REQUEST, _NO_SUCH_FUNCTION = 0, -2, -6
_MAX_REQUEST = 1 << 16

_Dispatch = ctypes.CFUNCTYPE(
    ctypes.c_int32, _P, _U32, _P, _U32, ctypes.POINTER(_P), ctypes.POINTER(_U32)
)
_Free = ctypes.CFUNCTYPE(None, _P, ctypes.c_size_t)


class _Imports(ctypes.Structure):
    _fields_ = (
        ("magic", ctypes.c_uint8 * 8), ("version", _U32), ("count", _U32),
        ("imports", ctypes.POINTER(_P)),
    )  # fmt: skip


class _Table(ctypes.Structure):
    _fields_ = (
        ("size", _U32), ("abi_version", _U32), ("interface_name", _TEXT), ("interface_hash", _U64),
        ("interface_version", _U32), ("count", _U32), ("context", _P), ("dispatch", _Dispatch),
        ("free_buffer", _Free),
    )  # fmt: skip


_Bind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(_Table))


class _Import(ctypes.Structure):
    _fields_ = (
        ("size", _U32), ("abi_version", _U32), ("interface_name", _TEXT), ("interface_hash", _U64),
        ("interface_version", _U32), ("bind", _P),
    )  # fmt: skip


class Callbacks:
    """The functions that a library can call, where it asked for them: ``is_bound``.

    A plugin keeps the table for good, and this object must live as long as the process.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._tasks: dict[str, str] = {}
        self._dispatch = _Dispatch(self._serve)  # kept: what is collected cannot be called
        self._free = _Free(lambda _data, _size: None)  # nothing is ever handed out
        self._table = _Table(
            ctypes.sizeof(_Table), _ABI, _INTERFACE, _INTERFACE_HASH, _INTERFACE_VERSION,
            _FUNCTIONS, None, self._dispatch, self._free,
        )  # fmt: skip
        bind = _bind_of(library)
        self.is_bound = bind is not None and bind(ctypes.byref(self._table)) == _OK

    def begin(self, task: str) -> str:
        """Return the name of one execution of ``task``, empty where the plugin needs none."""
        if not self.is_bound:
            return ""
        digits = os.urandom(16).hex()
        execution = (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"  # a UUID
        )
        self._tasks[execution] = task
        return execution

    def end(self, execution: str) -> None:
        """Forget an execution."""
        self._tasks.pop(execution, None)

    def _serve(self, _context: int, function: int, data: int, size: int, *_out: object) -> int:
        """Do what the plugin asks; nothing is returned but whether it was done."""
        if function in (_RELEASE_SLOT, _RECLAIM_SLOT):
            return _OK
        if function != _SET_SUB_STATUS:
            return _NO_SUCH_FUNCTION
        try:
            cursor = Cursor(ctypes.string_at(data, min(size, _MAX_REQUEST)) if size else b"")
            execution, status = TEXT.read(cursor), TEXT.read(cursor)
        except BadWire:
            return _BAD_REQUEST
        words = f"the task `{self._tasks.get(execution, execution)}` says: {status}\n"
        os.write(2, words.encode())
        return _OK


def _bind_of(library: ctypes.CDLL) -> Callable[[Any], int] | None:
    """Return how the library takes its table, None where it wants none that there is."""
    if not hasattr(library, _GET):
        return None
    get = library.fidius_get_host_imports
    get.restype = ctypes.POINTER(_Imports)
    pointer = get()
    if not pointer:
        return None
    imports = pointer.contents
    if bytes(imports.magic) != _MAGIC or imports.version != _VERSION:
        return None
    if not 0 < imports.count <= _MAX_IMPORTS or not imports.imports:
        return None
    for number in range(imports.count):
        address = imports.imports[number]
        if address and _fits(wanted := _Import.from_address(address)):
            return _Bind(wanted.bind)
    return None


def _fits(wanted: _Import) -> bool:
    return bool(
        wanted.size >= ctypes.sizeof(_Import)  # first: what is shorter ends before the rest
        and wanted.abi_version == _ABI
        and wanted.interface_name == _INTERFACE
        and wanted.interface_hash == _INTERFACE_HASH
        and wanted.interface_version == _INTERFACE_VERSION
        and wanted.bind
    )
