"""The facts of a compiled library, read from its bytes and never by loading it.

``recognition`` what a file is by its first bytes · ``reading`` bounded reads of one file ·
``encoding`` the records of 32-bit, 64-bit, little- and big-endian files · ``elf`` the image that a
loader would make · ``dynamic`` the dynamic section, needed libraries, versions, exported symbols ·
``pointers`` relocated words · ``graphs`` the task graph in a library · ``fidius`` and ``raw_abi``
the plugin's own description · ``baseline`` what the base system of a platform has · ``tags``
platform tags and this host · ``triples`` targets of Rust · ``library`` the facts as values, and
their entries in a manifest · ``findings`` warnings about a library that not every system loads.

Only this package reads binary formats. Readers only state facts: a fact that may be a problem is a
field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.platforms.library import Library as Library
    from cloacina_ctl.platforms.library import LibraryGraph as LibraryGraph
    from cloacina_ctl.platforms.library import Plugin as Plugin
    from cloacina_ctl.platforms.library import artifact_of as artifact_of
    from cloacina_ctl.platforms.library_file import read_library as read_library
    from cloacina_ctl.platforms.tags import HostPlatform as HostPlatform
    from cloacina_ctl.platforms.tags import host_platform as host_platform
    from cloacina_ctl.platforms.tags import platform_fits as platform_fits

_HOMES = {
    **dict.fromkeys(("Library", "LibraryGraph", "Plugin", "artifact_of"), "library"),
    "read_library": "library_file",
    **dict.fromkeys(("HostPlatform", "host_platform", "platform_fits"), "tags"),
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names of the table


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
