"""Starts uv and pip, which choose and download. Nothing that they download is run.

Both take only wheels (building a source distribution would run it), and both keep the user's own
settings: indexes, certificates, credentials. A wheelhouse replaces all of these: a wheel that is
expected there is never taken from an index with another file of that name.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, CloacinaError, Code, NetworkProblem, Refused
from cloacina_ctl.files.staging import write_file
from cloacina_ctl.project.subprocesses import Program, clean_environment, find_program, run
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import without_user

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cloacina_ctl.vendoring.installers.configuration import Users
    from cloacina_ctl.vendoring.target import PythonTarget

# The output of uv or pip after a failure: the reason, and whether it is the network.
#
# Both treat an index that refuses, or is unreachable, as an empty one: their conclusion ("no
# matching distribution") is misleading then. No address has a user or a password here.

_MOST_WORDS = 800
_MOST_REASONS = 3
# The network errors of pip, uv and their libraries. Names of distributions (`certifi`,
# `tls-client`) occur in other lines: so no single word counts.
_REASONS = re.compile(
    r"\b(?:40[137]\b.{0,40}(?:error|unauthori[sz]ed|forbidden|authentication|credentials)|"
    r"(?:client|server) error \(?[45][0-9]{2}|[45][0-9]{2} (?:client|server) error|"
    r"too many 5[0-9]{2} error|401 unauthorized|403 forbidden|(?:returned a|http error) 40[37]\b|"
    r"http error 5[0-9]{2}|tunnel (?:error|connection failed)|proxyerror|"
    r"proxy authori[sz]ation|proxy authentication|cannot connect to proxy|"
    r"connection (?:refused|reset|aborted|broken|error|timed out)|connection-failed|"
    r"failed to establish a new connection|(?:read|connect|operation) timed out|"
    r"name or service not known|temporary failure in name resolution|failed to lookup address|"
    r"getaddrinfo failed|dns error|network is unreachable|no route to host|"
    r"ssl certificate|certificate[ _]verify[ _]failed|invalid peer certificate|sslerror|"
    r"ssl-verification-failed|not a trusted or secure host|handshake failure)",
    re.IGNORECASE,
)
_OTHER_DIGEST = "DO NOT MATCH THE HASHES"  # pip's words
_UNKNOWN_OPTION = re.compile("unexpected argument|no such option")  # uv, pip
_MISSING = re.compile(r"\b404\b")
_ADDRESS = re.compile(r"https?://[^\s'\"`()<>,]+")
_RETRYING = re.compile(r"Retrying \(.*?\) after connection broken by '(.*)': (\S+)$")
_LABEL = re.compile(r"(?:warning|error|hint|cause): ?|could not fetch url ", re.IGNORECASE)
_BUILD = (
    "only wheels are taken; if only the source is published, build a wheel where you "
    "trust it (`pip wheel -w FOLDER …`) and name the folder with --wheelhouse"
)
_GIVE = (
    "a wheel takes `{0}` from an address of its own: fetch or build that wheel into a folder DIR, "
    "and name it: `--vendor-source {0}=DIR`"
)
_NETWORK = "check the address, password, certificates and proxy that are configured for {}"
_URL_OF_DEPENDENCY = re.compile(r"Package `?([A-Za-z0-9._-]+)`? .*?URL", re.DOTALL)


def failure(
    program: str, what: str, lines: Sequence[str], status: int, house: str | None
) -> CloacinaError:
    """Return the error for ``program``, which printed ``lines`` and failed at ``what``."""
    said = [without_user(line.strip(" │├╰╴×─▶\r")) for line in lines]
    reasons = tuple(network_reasons(said))
    address = next((found[0] for line in said if (found := _ADDRESS.search(line))), None)
    if reasons and house is not None and address is not None:
        return BuildFailed.of(
            Code.RESOLVING,
            f"a wheel takes a dependency from an address, where {house} is the only place: "
            f"{address}",
            hint=_GIVE.format("NAME"),
        )
    if reasons and house is None:
        return NetworkProblem.of(
            Code.INDEX_FAILED,
            f"{program} gets no answer from the index of packages: {'; '.join(reasons)}",
            hint=_NETWORK.format(program),
        )
    text = _words(said) or f"exit status {status}"
    if _OTHER_DIGEST in text:
        hint = "if the change is intended, renew the lock"
        return Refused.of(Code.WHEEL_DIGEST, f"{what}: {text}", hint=hint)
    return BuildFailed.of(Code.RESOLVING, f"{what}: {text}", hint=_hint(said, house))


def network_reasons(lines: Iterable[str]) -> list[str]:
    """Return the network errors in ``lines``, each once and with its address."""
    found: dict[str, None] = {}
    address = ""
    for line in lines:
        seen = _ADDRESS.search(line)
        address = seen[0].rstrip(".:") if seen is not None else address
        if _REASONS.search(line) is None or _MISSING.search(line) is not None:
            continue
        text = _RETRYING.sub(r"\1", line)
        text = _LABEL.sub("", text, count=1).removesuffix(" - skipping")
        if seen is None and address and address not in text:
            text = f"{address}: {text}"
        found.setdefault(text[:300])
    return [one for one in found if not _is_part(one, found)][:_MOST_REASONS]


def _is_part(text: str, others: Iterable[str]) -> bool:
    return any(text != other and text in other for other in others)


def _words(said: Sequence[str]) -> str:
    """Return the useful part of a program's output on one line: from its first error on."""
    kept = [line for line in said if line and not line.upper().startswith("WARNING")]
    first = next((n for n, line in enumerate(kept) if line.lower().startswith("error")), 0)
    text = re.sub(r"\s+", " ", " ".join(kept[first:]))
    return re.sub(r"\berror: ?", "", text, flags=re.IGNORECASE)[:_MOST_WORDS]


def _hint(said: Sequence[str], house: str | None) -> str:
    asked = next(filter(None, map(_URL_OF_DEPENDENCY.search, said)), None)
    if asked is not None:
        return _GIVE.format(asked[1])
    if any(_UNKNOWN_OPTION.search(line) for line in said):
        return "update the program: it does not know this option yet"
    if house is not None:
        return "only wheels of this folder are taken: put what is missing there"
    return _BUILD


_KEPT_MESSAGES = 400
# Settings of the two programs and of their password helpers, beside those that every program
# gets. They see credentials for an index, since nothing that they download is run.
_SETTINGS = ("PIP_", "UV_", "XDG_", "KEYRING_")
_OTHERS = frozenset(
    {
        "NETRC", "REQUESTS_CA_BUNDLE", "SSL_CLIENT_CERT", "PYTHON_KEYRING_BACKEND",
        "DBUS_SESSION_BUS_ADDRESS",
    }
)  # fmt: skip
# Paths in these are relative to the user's current folder; both programs start elsewhere.
_PATHS = frozenset(
    {
        "PIP_FIND_LINKS", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_CACHE_DIR",
        "UV_FIND_LINKS", "UV_CONFIG_FILE", "UV_CACHE_DIR", "UV_INDEX", "UV_DEFAULT_INDEX",
        "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NETRC",
        "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT",
    }
)  # fmt: skip
# Settings that would change what the programs do.
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
    """A request to uv or pip; each string is a line of a file for them.

    ``files`` map a name to its file, wherever it is required. ``overrides`` and ``options`` are
    for uv only. ``house`` is the folder that replaces all indexes.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    house: str | None = None


def find_uv() -> str | None:
    """Return the absolute path of uv, None if it is not installed."""
    return find_program("uv")


def find_pip() -> tuple[str, ...] | None:
    """Return the command for pip: a module of our own interpreter, from PATH, or through uv."""
    if sys.executable and find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    for name in ("pip3", "pip"):
        path = find_program(name)
        if path is not None:
            return (path,)
    uv = find_uv()
    return None if uv is None else (uv, "tool", "run", "--quiet", "pip")


def pip_command() -> tuple[str, ...]:
    """Return the command for pip; raise ``BuildFailed`` if it is not installed."""
    found = find_pip()
    if found is None:
        raise BuildFailed.of(
            Code.NO_RESOLVER,
            "neither pip nor uv is installed to download wheels",
            hint="install one of them, or take the locked wheels from a folder: --wheelhouse",
        )
    return found


def uv_for(target: PythonTarget, user: Users, house: str | None) -> str | None:
    """Return the path of uv if uv is used for ``target``, None if pip is.

    If an index is configured for only one of the two, that one is used. Raises ``Refused`` if that
    is uv and it cannot be used: on another index an attacker may have registered the names.
    """
    uv, platform = find_uv(), target.uv_platform()
    if uv is not None and platform is not None:
        return None if user.prefer_pip and house is None else uv
    if user.prefer_uv and house is None:
        reason = "is not installed" if uv is None else f"does not know {target.platform}"
        raise unknown_to_pip(user, f"uv {reason}", "; or install uv" if uv is None else "")
    return None


def unknown_to_pip(user: Users, why: str, otherwise: str = "") -> Refused:
    """Return the error for indexes that only uv has; ``why`` says why uv cannot be used."""
    return Refused.of(
        Code.INDEX_UNKNOWN,
        f"the index is configured for uv only ({user.uv.places[0]}), and {why}",
        hint=f"configure it for pip, too: PIP_INDEX_URL or PIP_EXTRA_INDEX_URL{otherwise}",
    )


def ask(
    command: tuple[str, ...],
    folder: str,
    house: str | None,
    failed: tuple[str, str],
    user: Users,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run the program to its end in ``folder``.

    ``failed`` is its name, and the text for a failure. Raises what ``failure`` returns: with its
    own words, or with the reason if it was the network.
    """
    messages: list[str] = []

    def on_message(line: str) -> None:
        messages.append(line)
        del messages[:-_KEPT_MESSAGES]

    environment = {**_environment(house, user), **(variables or {})}
    program = Program(command[0], command[1:], folder, environment)
    status = run(program, lambda line: on_message(line.decode("utf-8", "replace")), on_message)
    if status:
        raise failure(*failed, messages, status, house)


def write_lines(folder: str, name: str, lines: Sequence[str]) -> str:
    """Write a file for one of the programs, and return its path."""
    path = os.path.join(folder, name)
    write_file(path, "".join(f"{line}\n" for line in lines).encode(), replace=True)
    return path


def _environment(house: str | None, user: Users) -> dict[str, str]:
    """Return the program's environment: with a wheelhouse, without any of the user's settings.

    With a keyring all variables are kept: its back end may need any of them.
    """
    if house is not None:
        return clean_environment()
    own = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in _NOT_OURS
        and not name.startswith("CLOACINA_CTL_")
        and (name.upper().startswith(_SETTINGS) or name in _OTHERS or user.keyring)
    }
    kept = clean_environment(own)
    kept.update({name: _seen_from_elsewhere(kept[name]) for name in _PATHS & kept.keys()})
    return kept


def _seen_from_elsewhere(value: str) -> str:
    """Return the value with each existing relative path made absolute."""
    words = (os.path.abspath(one) if os.path.exists(one) else one for one in value.split(" "))
    return " ".join(words)
