"""uv and pip: which versions, and their wheels. Nothing of what they fetch is run.

uv chooses where it is installed, for it judges markers for any Python and platform; else pip. pip
fetches, also for uv, which has no command that keeps the files. Both are told to take wheels alone
(building a source distribution would run it), and both keep the user's own settings: indexes,
certificates, credentials. A wheelhouse takes the place of all of these: what is meant to come from
there never comes from an index that has another file of that name.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import BuildFailed, Code
from cloacina_ctl.project.programs import Program, clean_environment, find_program, run
from cloacina_ctl.project.vendoring.requirements import ENGINES
from cloacina_ctl.staging import reported, write_file
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cloacina_ctl.project.vendoring.target import Target

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)")
_SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_KEPT_MESSAGES = 200
_MOST_WORDS = 800
# Settings of the two programs, beside those that every program gets. They see credentials for an
# index, since nothing that they fetch is run.
_SETTINGS = ("PIP_", "UV_")
# What would make them do something else than they are asked for.
_NOT_OURS = frozenset(
    {
        "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_DEST", "PIP_REQUIREMENT",
        "PIP_EDITABLE", "PIP_PYTHON", "PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_PLATFORM", "PIP_ABI",
        "PIP_IMPLEMENTATION", "PIP_PYTHON_VERSION", "PIP_QUIET", "PIP_VERBOSE", "PIP_LOG",
        "PIP_REPORT", "PIP_NO_DEPS", "PIP_REQUIRE_HASHES", "UV_PYTHON", "UV_NO_BINARY",
        "UV_NO_BUILD", "UV_CUSTOM_COMPILE_COMMAND", "UV_PYTHON_PLATFORM", "UV_OVERRIDE",
        "UV_WORKING_DIRECTORY", "UV_PROJECT",
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


class Pin(NamedTuple):
    """A version that was chosen, and the SHA-256 of each file that it may be.

    ``url`` is where the one file is, where a lock says it.
    """

    name: str
    version: str
    digests: frozenset[Digest]
    url: str | None = None


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


def _pip() -> tuple[str, ...]:
    found = find_pip()
    if found is None:
        raise BuildFailed.of(
            Code.NO_RESOLVER,
            "pip is not there to fetch wheels with, and neither is uv",
            hint="install one of them, or take the locked wheels from a folder: --wheelhouse",
        )
    return found


def choose_with_uv(uv: str, question: Question, target: Target, folder: str) -> tuple[Pin, ...]:
    """Return the versions that uv chooses; ``folder`` is a scratch folder.

    What the engine brings is overridden by nothing, so that it need not be had. Without a house
    the user's own indexes are asked. Raises ``BuildFailed`` with uv's own words where there is no
    solution.
    """
    listed = _write(folder, "requirements.in", question.requirements)
    # uv takes the nearest settings file above it: in a folder for temporary files, anybody's.
    _write(folder, "uv.toml", ())
    never = [f"{name}; python_version < '0'" for name in sorted(ENGINES)]
    overrides = _write(folder, "overrides.in", (*never, *question.overrides))
    constraints = _write(folder, "constraints.in", (*question.constraints, *question.files))
    arguments = [
        "pip", "compile", listed, f"--overrides={overrides}", f"--constraints={constraints}",
        "--only-binary=:all:", "--generate-hashes", "--no-header",
        "--no-annotate", "--quiet", "--color=never", f"--python-version={target.python}",
        f"--python-platform={target.uv_platform()}", "--no-python-downloads", *question.options,
    ]  # fmt: skip
    house = question.house
    if house is not None:
        arguments += ["--offline", "--no-index", "--no-config", f"--find-links={house}"]
    if sys.executable:
        arguments.append(f"--python={sys.executable}")
    lines = _run((uv, *arguments), folder, house, "uv cannot choose versions")
    return tuple(_pins(lines))


def fetch_with_pip(question: Question, target: Target, folder: str) -> tuple[str, ...]:
    """Return the paths of the wheels that pip chooses, and of all that they need.

    Files are required as such: pip 23.0 loses constraints of this kind where an extra is required.
    """
    listed = _write(folder, "requirements.txt", (*question.requirements, *question.files))
    constraints = _write(folder, "constraints.txt", question.constraints)
    options = ("--requirement", listed, "--constraint", constraints)
    return _download(options, target, question.house, folder)


def fetch_pinned(pins: Iterable[Pin], target: Target, folder: str) -> tuple[str, ...]:
    """Return the paths of the wheels for ``pins``, which pip compares with their digests."""
    listed = _write(folder, "pinned.txt", [_line(pin) for pin in pins])
    options = ("--no-deps", "--require-hashes", "--requirement", listed)
    return _download(options, target, None, folder)


def _line(pin: Pin) -> str:
    digests = (f" --hash=sha256:{digest}" for digest in sorted(pin.digests))
    what = f"{pin.name}=={pin.version}" if pin.url is None else f"{pin.name} @ {pin.url}"
    return f"{what}{''.join(digests)}"


def _download(
    options: tuple[str, ...], target: Target, house: str | None, folder: str
) -> tuple[str, ...]:
    destination = os.path.join(folder, "fetched")
    with reported(destination):
        os.makedirs(destination, mode=0o700, exist_ok=True)
    command = [
        *_pip(), "download", "--only-binary=:all:", "--dest", destination, "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--no-color", *target.pip_options(),
        *options,
    ]  # fmt: skip
    if house is not None:
        command += ["--isolated", "--no-index", "--find-links", house]
    _run(tuple(command), folder, house, "pip cannot have the wheels")
    with reported(destination):
        return tuple(os.path.join(destination, file) for file in sorted(os.listdir(destination)))


def _run(command: tuple[str, ...], folder: str, house: str | None, failure: str) -> list[str]:
    """Run to the end and return the lines of output; on failure raise with the program's words."""
    lines: list[str] = []
    messages: list[str] = []

    def on_message(line: str) -> None:
        messages.append(line)
        del messages[:-_KEPT_MESSAGES]

    program = Program(command[0], command[1:], folder, _environment(house))
    status = run(program, lambda line: lines.append(line.decode("utf-8", "replace")), on_message)
    if status:
        raise BuildFailed.of(
            Code.RESOLVING, f"{failure}: {_words([*lines, *messages], status)}",
            hint=_hint(house),
        )  # fmt: skip
    return lines


def _words(messages: Sequence[str], status: int) -> str:
    """Return what a program said that tells most, on one line: from its first error on."""
    lines = [line.strip(" │├╰╴×─▶") for line in messages]
    said = [line for line in lines if line and not line.upper().startswith("WARNING")]
    first = next((n for n, line in enumerate(said) if line.lower().startswith("error")), 0)
    text = re.sub(r"\s+", " ", " ".join(said[first:])) or f"exit status {status}"
    text = re.sub(r"\berror: ?", "", text, flags=re.IGNORECASE)[:_MOST_WORDS]
    unreached = any("connection" in line.lower() for line in lines)
    return f"no connection to the index: {text}" if unreached else text


def _hint(house: str | None) -> str:
    if house is not None:
        return "only wheels of this folder are taken: put what is missing there"
    return (
        "only wheels are taken; of what is published as source alone, build a wheel where you "
        "trust it (`pip wheel -w FOLDER …`) and name the folder with --wheelhouse"
    )


def _environment(house: str | None) -> Mapping[str, str]:
    """Return what the program sees: with a wheelhouse, none of the user's settings."""
    if house is not None:
        return clean_environment()
    own = {
        name: value
        for name, value in os.environ.items()
        if name.upper().startswith(_SETTINGS) and name.upper() not in _NOT_OURS
    }
    return clean_environment(own)


def _write(folder: str, name: str, lines: Sequence[str]) -> str:
    path = os.path.join(folder, name)
    write_file(path, "".join(f"{line}\n" for line in lines).encode(), replace=True)
    return path


def _pins(lines: Sequence[str]) -> list[Pin]:
    """Read what uv writes: a version on a line of its own, its digests on those that follow."""
    found: list[Pin] = []
    current: str | None = None  # a file that is given by its path is none that has to be found
    for line in lines:
        text = line.strip().rstrip("\\").strip()
        match = _PIN.match(text)
        if match is not None:
            found.append(Pin(match[1], match[2], frozenset()))
        if not text.startswith("--hash"):
            current = match[1] if match is not None else None
        digests = frozenset(Digest(one) for one in _SHA256.findall(text))
        if digests and current is not None:
            found[-1] = found[-1]._replace(digests=found[-1].digests | digests)
    return found
