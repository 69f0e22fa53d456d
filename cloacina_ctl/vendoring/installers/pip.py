"""Asks pip: to choose and fetch, where uv does not choose, and to fetch what was chosen."""

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

_NOTHING = "(from versions: none)"  # how pip says that no index has the name
# Without an index pip still fetches what a wheel's metadata has an address of: by a proxy that
# nobody is.
_NO_NETWORK = ("--proxy=http://127.0.0.1:9", "--retries=0")
_FAILED = ("pip", "pip cannot have the wheels")


class Pin(NamedTuple):
    """A version that was chosen, the SHA-256 of its wheel, and where that is, if anybody says."""

    name: str
    version: str
    digest: Digest
    url: str | None = None


def choose_with_pip(
    question: Question, target: PythonTarget, folder: str, told: Users
) -> Mapping[str, LockedVersion]:
    """Return what pip chooses, and all that it needs, by name, from its report of an installation.

    Files are required as such: pip 23.0 loses constraints of this kind where an extra is required.
    Raises as ``choose_with_uv`` does.
    """
    listed = write_lines(folder, "requirements.txt", (*question.requirements, *question.files))
    constraints = write_lines(folder, "constraints.txt", question.constraints)
    options = ["--requirement", listed, "--constraint", constraints]
    if question.house is None:
        options += [word for one in told.constraints for word in ("--constraint", one)]
    report = os.path.join(folder, "report.json")
    nowhere = os.path.join(folder, "target")  # before 23.3 platforms are for `--target` alone
    asked = ["install", "--dry-run", "--no-user", "--target", nowhere, "--report", report]
    _run([*asked, *options], target, question.house, folder, told)
    try:
        found = json.loads(read_text(report, max_bytes=MAX_LOCK_BYTES))["install"]
        return {one.name: one for one in map(_reported, found)}
    except (FileProblem, AttributeError, LookupError, TypeError, ValueError) as error:
        message = f"pip's answer cannot be used: {error}"
        raise BuildFailed.of(Code.RESOLVING, message, hint="update pip") from error


def _reported(item: Any) -> LockedVersion:  # noqa: ANN401 - what pip says
    """Return what one item of the report says; raise ``LookupError`` where it does not."""
    url, archive = item["download_info"]["url"], item["download_info"].get("archive_info", {})
    old = archive.get("hash", "").removeprefix("sha256=")  # all that pip 22.2 says
    sha256 = archive.get("hashes", {}).get("sha256", old)
    file = locked_file(file_of_url(url), sha256, without_user(url), local_path(url))
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    return LockedVersion(normal(name), version, () if file is None else (file,))


def fetch_pinned(
    pins: Sequence[Pin], target: PythonTarget, folder: str, told: Users
) -> tuple[str, ...]:
    """Return the paths of the wheels for ``pins``, which pip compares with their digests.

    An index that the user told pip of is asked for their names as well, before their addresses
    where uv was told of none: it may be all that can be reached from here.
    """
    named = [pin._replace(url=None) for pin in pins]
    if not told.pip.places or named == pins:
        return _fetch(pins, target, folder, told)
    first, second = (named, pins) if told.prefer_pip else (pins, named)
    with contextlib.suppress(CloacinaError):
        return _fetch(first, target, folder, told)
    return _fetch(second, target, folder, told)


def _fetch(pins: Sequence[Pin], target: PythonTarget, folder: str, told: Users) -> tuple[str, ...]:
    listed = write_lines(folder, "pinned.txt", [_line(pin, told) for pin in pins])
    destination = os.path.join(folder, "fetched")
    with reported(destination):
        os.makedirs(destination, mode=0o700, exist_ok=True)
    asked = ["download", "--dest", destination, "--no-deps", "--require-hashes"]
    _run([*asked, "--requirement", listed], target, None, folder, told)
    with reported(destination):
        return tuple(os.path.join(destination, file) for file in sorted(os.listdir(destination)))


def _line(pin: Pin, told: Users) -> str:
    at = f"=={pin.version}" if pin.url is None else f" @ {told.addressed(pin.url)}"
    return f"{pin.name}{at} --hash=sha256:{pin.digest}"


def _run(
    words: list[str], target: PythonTarget, house: str | None, folder: str, told: Users
) -> None:
    command = [
        *pip_command(), *words, "--only-binary=:all:", "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--no-color", *target.pip_options(),
        *(_trust(told) if house is None else ()),
    ]  # fmt: skip
    if house is not None:
        command += ["--isolated", "--no-index", "--find-links", house, *_NO_NETWORK]
    variables = _variables(house, told)
    try:
        ask(tuple(command), folder, house, _FAILED, told, variables)
    except BuildFailed as error:
        raise _why(error, command, folder, house, told, variables) from error


def _variables(house: str | None, told: Users) -> dict[str, str]:
    if house is not None:
        return {"NO_PROXY": "", "no_proxy": ""}
    # Constraints choose versions: they are given where there is something to choose.
    found = {**dict(told.pip.variables), "PIP_CONSTRAINT": os.devnull}
    if told.uv.authority and not told.pip.authority:
        found["REQUESTS_CA_BUNDLE"] = told.uv.authority  # which counts before all others
    return found


def _why(
    error: BuildFailed,
    command: list[str],
    folder: str,
    house: str | None,
    told: Users,
    variables: dict[str, str],
) -> CloacinaError:
    """Return the error with its reason: to pip an index that refuses is one that has nothing.

    Only when it is asked to say all does it say which.
    """
    if house is not None or _NOTHING not in error.diagnostics[0].message:
        return error
    try:
        ask((*command, "-vv"), folder, house, _FAILED, told, variables)
    except CloacinaError as found:
        is_network = found.diagnostics[0].code is Code.INDEX_FAILED
        return found if is_network else error
    return error


def _trust(told: Users) -> list[str]:
    """Return what uv was told of whom to trust, and pip was not."""
    options = [f"--trusted-host={one}" for one in told.uv.hosts]
    if told.uv.client and not told.pip.client:
        options.append(f"--client-cert={told.uv.client}")
    if told.uv.keyring and not told.pip.keyring:
        options.append("--keyring-provider=subprocess")
    return options
