"""Loads a library into the child process and selects the host for its interface.

The library is a sealed file in memory or a private file, never the package's own. It is never
unloaded: plugins have threads that outlive every call.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.host.c_abi import RawHost
from cloacina_ctl.runtime.host.fidius import FidiusHost
from cloacina_ctl.runtime.host.host import LoadFailure

if TYPE_CHECKING:
    from cloacina_ctl.runtime.host.host import LoadedHost

_FIDIUS = "fidius_get_registry"
_RAW = "cloacina_get_task_metadata"


def load_library(order: dict[str, Any]) -> LoadedHost:
    """Load the library of ``order`` and return its host. Raises ``LoadFailure``."""
    try:
        library = ctypes.CDLL(order["library"], mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise LoadFailure("T003", f"the library cannot be loaded: {error}") from error
    if hasattr(library, _FIDIUS):
        return FidiusHost(library)
    if hasattr(library, _RAW):
        return RawHost(library, order.get("layout"))
    raise LoadFailure(
        "B003",
        f"the library exports no plugin: neither `{_FIDIUS}` nor `{_RAW}`",
        "a Rust crate needs `cloacina_workflow_plugin::package!();` at its top",
    )
