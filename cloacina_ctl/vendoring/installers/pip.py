"""Asks pip: to choose and fetch, where uv does not choose, and to fetch what was chosen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, CloacinaError, Code
from cloacina_ctl.files.staging import reported
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.installers.programs import ask, pip_command, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.vendoring.installers.configuration import Users
    from cloacina_ctl.vendoring.installers.programs import Question
    from cloacina_ctl.vendoring.target import Target

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


def fetch_with_pip(question: Question, target: Target, folder: str, told: Users) -> tuple[str, ...]:
    """Return the paths of the wheels that pip chooses, and of all that they need.

    Files are required as such: pip 23.0 loses constraints of this kind where an extra is required.
    Raises as ``choose_with_uv`` does.
    """
    listed = write_lines(folder, "requirements.txt", (*question.requirements, *question.files))
    constraints = write_lines(folder, "constraints.txt", question.constraints)
    options = ["--requirement", listed, "--constraint", constraints]
    if question.house is None:
        options += [word for one in told.constraints for word in ("--constraint", one)]
    return _download(options, target, question.house, folder, told)


def fetch_pinned(pins: Iterable[Pin], target: Target, folder: str, told: Users) -> tuple[str, ...]:
    """Return the paths of the wheels for ``pins``, which pip compares with their digests."""
    listed = write_lines(folder, "pinned.txt", [_line(pin, told) for pin in pins])
    options = ["--no-deps", "--require-hashes", "--requirement", listed]
    return _download(options, target, None, folder, told)


def _line(pin: Pin, told: Users) -> str:
    at = f"=={pin.version}" if pin.url is None else f" @ {told.addressed(pin.url)}"
    return f"{pin.name}{at} --hash=sha256:{pin.digest}"


def _download(
    options: list[str], target: Target, house: str | None, folder: str, told: Users
) -> tuple[str, ...]:
    destination = os.path.join(folder, "fetched")
    with reported(destination):
        os.makedirs(destination, mode=0o700, exist_ok=True)
    command = [
        *pip_command(), "download", "--only-binary=:all:", "--dest", destination, "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--no-color", *target.pip_options(),
        *options, *(_trust(told) if house is None else ()),
    ]  # fmt: skip
    if house is not None:
        command += ["--isolated", "--no-index", "--find-links", house, *_NO_NETWORK]
    variables = _variables(house, told)
    try:
        ask(tuple(command), folder, house, _FAILED, told, variables)
    except BuildFailed as error:
        raise _why(error, command, folder, house, told, variables) from error
    with reported(destination):
        return tuple(os.path.join(destination, file) for file in sorted(os.listdir(destination)))


def _variables(house: str | None, told: Users) -> dict[str, str]:
    if house is not None:
        return {"NO_PROXY": "", "no_proxy": ""}
    # Constraints choose versions: they are given where there is something to choose.
    found = {"PIP_CONSTRAINT": os.devnull}
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
