"""Runs uv, which evaluates markers for any Python and platform, to choose wheels.

Its output is a lock (PEP 751): versions, and for each wheel the digest and the URL or path. uv has
no command that downloads the files themselves.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, Code, FileProblem, Refused
from cloacina_ctl.vendoring.declared.requirements import ENGINES
from cloacina_ctl.vendoring.installers.programs import Question, ask, write_lines
from cloacina_ctl.vendoring.locks.pylock import Pylock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloacina_ctl.vendoring.installers.configuration import Users
    from cloacina_ctl.vendoring.locks.project_lock import LockedVersion
    from cloacina_ctl.vendoring.target import PythonTarget

_ANSWER = "pylock.toml"
_FAILED = ("uv", "uv cannot choose versions")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def choose_with_uv(
    uv: str, question: Question, target: PythonTarget, folder: str, user: Users
) -> Mapping[str, LockedVersion]:
    """Return uv's choice, by name; ``folder`` is a scratch folder.

    Distributions of the engine are overridden by nothing, so that they need not be available. A
    file overrides each requirement on its name, also one with a URL, and its extras: the
    requirements of these have to be requested. Without a house the user's own indexes are used.
    Raises ``BuildFailed`` with uv's own words where there is no solution, ``NetworkProblem`` where
    an index does not answer.
    """
    never = [f"{name}; python_version < '0'" for name in sorted(ENGINES)]
    overrides = write_lines(folder, "overrides.in", (*never, *question.overrides, *question.files))
    constraints = write_lines(folder, "constraints.in", question.constraints)
    options = [f"--overrides={overrides}", f"--constraints={constraints}", *question.options]
    if question.house is None:
        options += [f"--constraints={one}" for one in user.constraints]
    listed = write_lines(folder, "requirements.in", question.requirements)
    # uv takes the nearest settings file above it: in a temporary folder that may be another user's.
    write_lines(folder, "uv.toml", ())
    answer = os.path.join(folder, _ANSWER)
    arguments = [
        "pip", "compile", listed, "--format=pylock.toml", f"--output-file={answer}",
        "--only-binary=:all:", "--generate-hashes", "--no-header", "--no-annotate", "--quiet",
        "--color=never", f"--python-version={target.release}",
        f"--python-platform={target.uv_platform()}", "--no-python-downloads", *options,
    ]  # fmt: skip
    if question.house is not None:
        arguments += ["--offline", "--no-index", "--no-config", f"--find-links={question.house}"]
    else:
        arguments += _trust(user)
    if sys.executable:
        arguments.append(f"--python={sys.executable}")
    ask((uv, *arguments), folder, question.house, _FAILED, user, _from_pip(user))
    try:
        return Pylock(folder, _ANSWER).select(target)
    except (FileProblem, Refused) as error:
        message = f"uv's answer cannot be used: {error.diagnostics[0].message}"
        raise BuildFailed.of(Code.RESOLVING, message, hint="update uv") from error


def _trust(user: Users) -> list[str]:
    """Return the options for trust that are configured for pip only."""
    options = [f"--allow-insecure-host={one}" for one in user.pip.hosts]
    if user.pip.keyring and not user.uv.keyring:
        options.append("--keyring-provider=subprocess")
    return options


def _from_pip(user: Users) -> dict[str, str]:
    """Return the variables that give uv the settings that are configured for pip only."""
    found = {}
    if user.pip.authority and not (user.uv.authority or os.environ.get("SSL_CERT_DIR")):
        found["SSL_CERT_FILE"] = user.pip.authority
    if user.pip.client and not user.uv.client:
        found["SSL_CLIENT_CERT"] = user.pip.client
    if user.pip.proxy and not any(map(os.environ.get, _PROXIES)):
        found["ALL_PROXY"] = user.pip.proxy
    return found
