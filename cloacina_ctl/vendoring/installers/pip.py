"""Runs pip: to choose and download if uv cannot, and to download the chosen versions."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import BuildFailed, CloacinaError, Code, FileProblem
from cloacina_ctl.files.staging import reported
from cloacina_ctl.toml import read_text
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import local_path, without_user
from cloacina_ctl.vendoring.installers.programs import ask, pip_command, write_lines
from cloacina_ctl.vendoring.locks.project_lock import (
    MAX_LOCK_BYTES,
    LockedVersion,
    file_of_url,
    locked_file,
    normal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.vendoring.installers.configuration import Users
    from cloacina_ctl.vendoring.installers.programs import Question
    from cloacina_ctl.vendoring.target import PythonTarget

_NOTHING = "(from versions: none)"  # pip's words when no index has the name
# Without an index pip still downloads the URLs in a wheel's metadata: a proxy without a server
# prevents that.
_NO_NETWORK = ("--proxy=http://127.0.0.1:9", "--retries=0")
_FAILED = ("pip", "pip cannot have the wheels")


class Pin(NamedTuple):
    """A chosen version, the SHA-256 of its wheel, and the URL of the wheel, if known."""

    name: str
    version: str
    digest: Digest
    url: str | None = None


def choose_with_pip(
    question: Question, target: PythonTarget, folder: str, user: Users
) -> Mapping[str, LockedVersion]:
    """Return pip's choice with all its requirements, by name, from an installation report.

    Files are passed as requirements: pip 23.0 loses a constraint on a file if an extra is required.
    Raises as ``choose_with_uv`` does.
    """
    listed = write_lines(folder, "requirements.txt", (*question.requirements, *question.files))
    constraints = write_lines(folder, "constraints.txt", question.constraints)
    options = ["--requirement", listed, "--constraint", constraints]
    if question.house is None:
        options += [word for one in user.constraints for word in ("--constraint", one)]
    report = os.path.join(folder, "report.json")
    nowhere = os.path.join(folder, "target")  # before 23.3 platforms are for `--target` alone
    asked = ["install", "--dry-run", "--no-user", "--target", nowhere, "--report", report]
    _run([*asked, *options], target, question.house, folder, user)
    try:
        found = json.loads(read_text(report, max_bytes=MAX_LOCK_BYTES))["install"]
        return {one.name: one for one in map(_reported, found)}
    except (FileProblem, AttributeError, LookupError, TypeError, ValueError) as error:
        message = f"pip's answer cannot be used: {error}"
        raise BuildFailed.of(Code.RESOLVING, message, hint="update pip") from error


def _reported(item: Any) -> LockedVersion:  # noqa: ANN401 - what pip says
    """Return the version in one item of the report; raise ``LookupError`` if a field is missing."""
    url, archive = item["download_info"]["url"], item["download_info"].get("archive_info", {})
    old = archive.get("hash", "").removeprefix("sha256=")  # the only field of pip 22.2
    sha256 = archive.get("hashes", {}).get("sha256", old)
    file = locked_file(file_of_url(url), sha256, without_user(url), local_path(url))
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    return LockedVersion(normal(name), version, () if file is None else (file,))


def fetch_pinned(
    pins: Sequence[Pin], target: PythonTarget, folder: str, user: Users
) -> tuple[str, ...]:
    """Return the paths of the wheels for ``pins``, which pip compares with their digests.

    If an index is configured for pip, the names are requested from it as well, before the
    addresses if uv has none: it may be the only reachable server.
    """
    named = [pin._replace(url=None) for pin in pins]
    if not user.pip.places or named == pins:
        return _fetch(pins, target, folder, user)
    first, second = (named, pins) if user.prefer_pip else (pins, named)
    with contextlib.suppress(CloacinaError):
        return _fetch(first, target, folder, user)
    return _fetch(second, target, folder, user)


def _fetch(pins: Sequence[Pin], target: PythonTarget, folder: str, user: Users) -> tuple[str, ...]:
    listed = write_lines(folder, "pinned.txt", [_line(pin, user) for pin in pins])
    destination = os.path.join(folder, "fetched")
    with reported(destination):
        os.makedirs(destination, mode=0o700, exist_ok=True)
    asked = ["download", "--dest", destination, "--no-deps", "--require-hashes"]
    _run([*asked, "--requirement", listed], target, None, folder, user)
    with reported(destination):
        return tuple(os.path.join(destination, file) for file in sorted(os.listdir(destination)))


def _line(pin: Pin, user: Users) -> str:
    at = f"=={pin.version}" if pin.url is None else f" @ {user.addressed(pin.url)}"
    return f"{pin.name}{at} --hash=sha256:{pin.digest}"


def _run(
    words: list[str], target: PythonTarget, house: str | None, folder: str, user: Users
) -> None:
    command = [
        *pip_command(), *words, "--only-binary=:all:", "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--no-color", *target.pip_options(),
        *(_trust(user) if house is None else ()),
    ]  # fmt: skip
    if house is not None:
        command += ["--isolated", "--no-index", "--find-links", house, *_NO_NETWORK]
    variables = _variables(house, user)
    try:
        ask(tuple(command), folder, house, _FAILED, user, variables)
    except BuildFailed as error:
        raise _why(error, command, folder, house, user, variables) from error


def _variables(house: str | None, user: Users) -> dict[str, str]:
    if house is not None:
        return {"NO_PROXY": "", "no_proxy": ""}
    # Constraints affect the choice of versions: they are passed only if there is a choice.
    found = {**dict(user.pip.variables), "PIP_CONSTRAINT": os.devnull}
    if user.uv.authority and not user.pip.authority:
        found["REQUESTS_CA_BUNDLE"] = user.uv.authority  # takes precedence over all others
    return found


def _why(
    error: BuildFailed,
    command: list[str],
    folder: str,
    house: str | None,
    user: Users,
    variables: dict[str, str],
) -> CloacinaError:
    """Return the error with its reason: pip treats an index that refuses as an empty one.

    Only its verbose output states the difference.
    """
    if house is not None or _NOTHING not in error.diagnostics[0].message:
        return error
    try:
        ask((*command, "-vv"), folder, house, _FAILED, user, variables)
    except CloacinaError as found:
        is_network = found.diagnostics[0].code is Code.INDEX_FAILED
        return found if is_network else error
    return error


def _trust(user: Users) -> list[str]:
    """Return the options for trust that are configured for uv only."""
    options = [f"--trusted-host={one}" for one in user.uv.hosts]
    if user.uv.client and not user.pip.client:
        options.append(f"--client-cert={user.uv.client}")
    if user.uv.keyring and not user.pip.keyring:
        options.append("--keyring-provider=subprocess")
    return options
