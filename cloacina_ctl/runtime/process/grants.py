"""Which files of the user a package's code may read and write: those named, and no secrets.

The files of the system and the interpreter are added by the child (``confine``). A folder that
holds the user's keys, the configuration or the registry is never granted: not every kernel can
exclude a part of a granted folder.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import CloacinaError, Code, FileProblem, UsageError
from cloacina_ctl.runtime.process.places import is_below
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.runtime.process.child import HostOptions

# Folders with sockets, temporary files and devices of all users.
_SHARED = ("/", "/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/var", "/var/tmp")  # noqa: S108


class Here(NamedTuple):
    """The current folder if the code may read it; else ``path`` is None, and ``why`` the reason."""

    path: str | None
    why: str = ""


def grants_of(options: HostOptions) -> tuple[tuple[str, ...], ...]:
    """Return the readable paths, the writable paths, and the paths that must never be granted.

    Raises ``UsageError`` for a folder that holds secrets, ``FileProblem`` for a missing path.
    """
    secrets = _secrets()
    return (
        _checked("--allow-read", options.allow_read, secrets),
        _checked("--allow-write", options.allow_write, secrets),
        (*secrets, *_home()),
    )


def current_folder() -> Here:
    """Return the current folder if the code may read it, or why it may not."""
    try:
        path = os.getcwd()
    except FileNotFoundError:
        return Here(None, "it does not exist any more")
    if path in _SHARED:
        return Here(None, "it is a folder of the system")
    for home in _home():
        if is_below(home, path):
            what = "it is your home folder" if home == path else "your home folder is in it"
            return Here(None, what)
    if _touches(path, _secrets()):
        return Here(None, "your keys, configuration or registry are in it")
    return Here(path)


def _checked(option: str, paths: tuple[str, ...], secrets: tuple[str, ...]) -> tuple[str, ...]:
    refuse_empty(option, paths)
    found = both_spellings(paths)
    for path in found:
        if not os.path.exists(path):
            raise FileProblem.of(
                Code.NOT_FOUND,
                f"{option}: no such file or folder",
                where=path,
                hint="create it first, or name the folder to create it in",
            )
        if path == "/" or _touches(path, secrets):
            raise UsageError.of(
                Code.USAGE,
                f"{option}: the folder holds your keys, configuration or registry: {path}",
                hint="name only the files or folders in it that the code needs",
            )
        if path == "/dev" or is_below(path, "/proc"):
            raise UsageError.of(
                Code.USAGE,
                f"{option}: the code has a /dev and a /proc of its own: {path}",
                hint="name the device in /dev that the code needs",
            )
    return found


def refuse_empty(option: str, paths: Iterable[str]) -> None:
    """Raise ``UsageError`` for an empty path, which would otherwise be the current folder."""
    if "" in paths:
        raise UsageError.of(
            Code.USAGE,
            f"{option}: the path is empty",
            hint="name a file or a folder; the current one is `.`",
        )


def _home() -> tuple[str, ...]:
    with contextlib.suppress(CloacinaError):
        return both_spellings([settings.home_folder()])
    return ()


def holds_secrets(path: str) -> bool:
    """Return whether keys, configuration or packages are at ``path``, in it or above it."""
    return _touches(os.path.realpath(path), _secrets())


def _touches(path: str, secrets: tuple[str, ...]) -> bool:
    return any(is_below(path, secret) or is_below(secret, path) for secret in secrets)


def _secrets() -> tuple[str, ...]:
    """Return the places of keys, trust, configuration and packages, whether they exist or not."""
    found = []
    for place in (settings.config_folder, settings.registry_folder, settings.signing_key):
        # A place that is unknown, without a home or by a broken configuration, does not exist.
        with contextlib.suppress(CloacinaError):
            path = place()
            if path is not None and _is_a_place(path):
                found.append(path)
    return both_spellings(found)


def both_spellings(paths: Iterable[str]) -> tuple[str, ...]:
    """Return each path absolute, as given and with links resolved."""
    spelled = [os.path.abspath(path) for path in paths]
    return tuple(dict.fromkeys([*spelled, *map(os.path.realpath, spelled)]))


def _is_a_place(path: str) -> bool:
    return settings.names_a_source(path) and not settings.is_one_shot(path)
