"""The functions that a plugin can call in its host: for tasks with a handle, while they wait.

From 0.11 on a library names by ``fidius_get_host_imports`` the host functions that it needs, and
takes a table with one function that serves all of them. There is one set, ``CloacinaHost``, of
three functions: release the task's slot, reclaim it, and report the status of the task. Here a
waiting task keeps its slot, so the first two do nothing; the third prints a line on standard error.
The plugin may call from any of its threads, also during a call into it.
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
# Of the releases 0.11.0 to 0.12.0. Arguments have no names on the wire, so a set of functions with
# another hash must not be served.
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
    """The host functions of a library; ``is_bound`` is whether it asked for them.

    A plugin keeps the table, so this object must live as long as the process.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._tasks: dict[str, str] = {}
        self._dispatch = _Dispatch(self._serve)  # kept: a collected function cannot be called
        self._free = _Free(lambda _data, _size: None)  # no buffer is ever returned
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
        """Serve a call of the plugin; return only the status."""
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
    """Return the function that takes the table, None where the library asks for no known one."""
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
        wanted.size >= ctypes.sizeof(_Import)  # first: a shorter struct has not all of the rest
        and wanted.abi_version == _ABI
        and wanted.interface_name == _INTERFACE
        and wanted.interface_hash == _INTERFACE_HASH
        and wanted.interface_version == _INTERFACE_VERSION
        and wanted.bind
    )
