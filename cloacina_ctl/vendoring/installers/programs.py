"""Starts uv and pip, which choose and fetch. Nothing of what they fetch is run.

Both are told to take wheels alone (building a source distribution would run it), and both keep the
user's own settings: indexes, certificates, credentials. A wheelhouse takes the place of all of
these: what is meant to come from there never comes from an index that has another file of that
name.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, Code, Refused
from cloacina_ctl.files.staging import write_file
from cloacina_ctl.project.subprocesses import Program, clean_environment, find_program, run
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.installers.failures import failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloacina_ctl.vendoring.installers.configuration import Users
    from cloacina_ctl.vendoring.target import Target

_KEPT_MESSAGES = 400
# Settings of the two programs and of what they ask for passwords, beside those that every program
# gets. They see credentials for an index, since nothing that they fetch is run.
_SETTINGS = ("PIP_", "UV_", "XDG_", "KEYRING_")
_OTHERS = frozenset(
    {
        "NETRC", "REQUESTS_CA_BUNDLE", "SSL_CLIENT_CERT", "PYTHON_KEYRING_BACKEND",
        "DBUS_SESSION_BUS_ADDRESS",
    }
)  # fmt: skip
# Paths in these are seen from the folder that the user is in, where neither of the two is started.
_PATHS = frozenset(
    {
        "PIP_FIND_LINKS", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_CACHE_DIR",
        "UV_FIND_LINKS", "UV_CONFIG_FILE", "UV_CACHE_DIR", "UV_INDEX", "UV_DEFAULT_INDEX",
        "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NETRC",
        "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT",
    }
)  # fmt: skip
# What would make them do something else than they are asked for.
_NOT_OURS = frozenset(
    {
        "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_DEST", "PIP_REQUIREMENT",
        "PIP_EDITABLE", "PIP_PYTHON", "PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_PLATFORM", "PIP_ABI",
        "PIP_IMPLEMENTATION", "PIP_PYTHON_VERSION", "PIP_QUIET", "PIP_VERBOSE", "PIP_LOG",
        "PIP_REPORT", "PIP_NO_DEPS", "PIP_REQUIRE_HASHES", "UV_PYTHON", "UV_NO_BINARY",
        "UV_NO_BUILD", "UV_CUSTOM_COMPILE_COMMAND", "UV_PYTHON_PLATFORM", "UV_OVERRIDE",
        "UV_WORKING_DIRECTORY", "UV_PROJECT", "UV_CONSTRAINT", "UV_BUILD_CONSTRAINT",
    }
)  # fmt: skip


class Question(NamedTuple):
    """What is asked of uv or pip, each text a line of a file for them.

    ``files`` say of a name which file it is, wherever it is required. ``overrides`` and ``options``
    are for uv alone. ``house`` is the folder that takes the place of all indexes.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    house: str | None = None


def find_uv() -> str | None:
    """Return the absolute path of uv, None where it is not installed."""
    return find_program("uv")


def find_pip() -> tuple[str, ...] | None:
    """Return how pip is started: as a module of our own interpreter, from PATH, or through uv."""
    if sys.executable and find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    for name in ("pip3", "pip"):
        path = find_program(name)
        if path is not None:
            return (path,)
    uv = find_uv()
    return None if uv is None else (uv, "tool", "run", "--quiet", "pip")


def pip_command() -> tuple[str, ...]:
    """Return how pip is started; raise ``BuildFailed`` where it is not there."""
    found = find_pip()
    if found is None:
        raise BuildFailed.of(
            Code.NO_RESOLVER,
            "pip is not there to fetch wheels with, and neither is uv",
            hint="install one of them, or take the locked wheels from a folder: --wheelhouse",
        )
    return found


def uv_for(target: Target, told: Users, house: str | None) -> str | None:
    """Return the path of uv where uv is asked for ``target``, None where pip is.

    Where one of the two alone knows where distributions are, it is that one. Raises ``Refused``
    where that is uv, and uv cannot be asked: on another index somebody else may have the names.
    """
    uv, platform = find_uv(), target.uv_platform()
    if uv is not None and platform is not None:
        return None if told.prefer_pip and house is None else uv
    if told.prefer_uv and house is None:
        reason = "is not installed" if uv is None else f"does not know {target.platform}"
        raise Refused.of(
            Code.INDEX_UNKNOWN,
            f"unknown to pip, known to uv: where wheels come from ({told.uv.places[0]}); and uv "
            f"{reason}",
            hint="tell pip, too: PIP_INDEX_URL or PIP_EXTRA_INDEX_URL"
            + ("; or install uv" if uv is None else ""),
        )
    return None


def ask(
    command: tuple[str, ...],
    folder: str,
    house: str | None,
    failed: tuple[str, str],
    told: Users,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run the program to its end in ``folder``.

    ``failed`` is its name, and what it then did not do. Raises what ``failure`` returns: with its
    own words, or with the reason where it was the network.
    """
    messages: list[str] = []

    def on_message(line: str) -> None:
        messages.append(line)
        del messages[:-_KEPT_MESSAGES]

    environment = {**_environment(house, told), **(variables or {})}
    program = Program(command[0], command[1:], folder, environment)
    status = run(program, lambda line: on_message(line.decode("utf-8", "replace")), on_message)
    if status:
        raise failure(*failed, messages, status, house)


def write_lines(folder: str, name: str, lines: Sequence[str]) -> str:
    """Write a file for one of the programs, and return its path."""
    path = os.path.join(folder, name)
    write_file(path, "".join(f"{line}\n" for line in lines).encode(), replace=True)
    return path


def _environment(house: str | None, told: Users) -> dict[str, str]:
    """Return what the program sees: with a wheelhouse, none of the user's settings.

    What asks a keyring's cloud for a password does it by whatever variables it needs.
    """
    if house is not None:
        return clean_environment()
    own = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in _NOT_OURS
        and not name.startswith("CLOACINA_CTL_")
        and (name.upper().startswith(_SETTINGS) or name in _OTHERS or told.keyring)
    }
    kept = clean_environment(own)
    kept.update({name: _seen_from_elsewhere(kept[name]) for name in _PATHS & kept.keys()})
    return kept


def _seen_from_elsewhere(value: str) -> str:
    """Return the value with each relative path that is there made absolute."""
    words = (os.path.abspath(one) if os.path.exists(one) else one for one in value.split(" "))
    return " ".join(words)
