"""What the user set: the folder with keys and trust, ``config.toml`` in it, the environment.

Flags win over the environment, the environment over the file. A project, a package and the
current folder never change a setting.
"""

from __future__ import annotations

import os
import sys

from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused, UsageError
from cloacina_ctl.files.ownership import is_there, refuse_shared
from cloacina_ctl.redaction import refuse_key_text, refuse_secret_text, shown_word
from cloacina_ctl.values import NamedTuple

CONFIG_FILE = "config.toml"
REGISTRY_FOLDER = "registry"
ENV_FOLDER = "CLOACINA_CTL_CONFIG_DIR"
ENV_REGISTRY = "CLOACINA_CTL_REGISTRY"
ENV_SIGNING_KEY = "CLOACINA_CTL_SIGNING_KEY"
ENV_PASSPHRASE_FILE = "CLOACINA_CTL_PASSPHRASE_FILE"  # noqa: S105 (the name of a variable)
ENV_TOKEN = "CLOACINA_CTL_TOKEN"  # noqa: S105 (the name of a variable)
_NAME_REGISTRY = f"name the registry with --registry or {ENV_REGISTRY}"
KEY_FILE_SUFFIXES = (".pem", ".pub", ".key")
OPENSSH_FINGERPRINT = "SHA256:"
# What a key may come from besides a file: standard input, a file descriptor, a variable.
STDIN_SOURCE, FD_SOURCE, ENV_SOURCE = "-", "fd:", "env:"


class Settings(NamedTuple):
    """The user's configuration; None where nothing is set."""

    signing_key: str | None = None
    registry: str | None = None


def config_folder() -> str:
    """Return the folder of the user's keys, trust and configuration; it need not exist yet.

    Raises ``FileProblem`` where the environment sets neither the folder nor a home. So call it
    only where a key's name, a trusted key or the configuration is needed: containers and services
    often have no home.
    """
    chosen = os.environ.get(ENV_FOLDER)
    if chosen:
        return os.path.abspath(chosen)
    if sys.platform == "darwin":
        return os.path.join(home_folder(), "Library", "Application Support", "cloacina-ctl")
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):  # the XDG specification: a relative path is ignored
        base = os.path.join(home_folder(), ".config")
    return os.path.join(base, "cloacina-ctl")


def names_a_source(key: str) -> bool:
    """Return whether ``key`` is a source of a key, not the name or fingerprint of a stored one.

    A source is the path of a key file, `-`, `fd:N` or `env:NAME`. The text alone
    decides. A file of that name in the current folder does not: the author of the project there
    could then choose the key.
    """
    if key.startswith(OPENSSH_FINGERPRINT):  # which may have a slash in it
        return False
    return is_one_shot(key) or os.sep in key or key.endswith(KEY_FILE_SUFFIXES)


def is_one_shot(key: str) -> bool:
    """Return whether ``key`` is `-`, `fd:N` or `env:NAME`: no file, and not there a second time."""
    return key == STDIN_SOURCE or key.startswith((FD_SOURCE, ENV_SOURCE))


def signing_key() -> str | None:
    """Return the key that the user set to sign with: from the environment, else from the file.

    Raises ``UsageError`` for a file that is not TOML, or with keys or values that this version
    does not know; ``FileProblem`` for one that cannot be read.
    """
    refuse_key_text(os.environ.get(ENV_SIGNING_KEY, ""), ENV_SIGNING_KEY)
    return os.environ.get(ENV_SIGNING_KEY) or _configured().signing_key


def registry_folder() -> str:
    """Return the folder of the local registry; it need not exist yet. Raises as the others do."""
    refuse_secret_text(os.environ.get(ENV_REGISTRY, ""), ENV_REGISTRY)
    chosen = os.environ.get(ENV_REGISTRY) or _configured().registry
    if chosen:
        return os.path.abspath(chosen)
    if sys.platform == "darwin":
        return os.path.join(config_folder(), REGISTRY_FOLDER)
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(home_folder(_NAME_REGISTRY), ".local", "share")
    return os.path.join(base, "cloacina-ctl", REGISTRY_FOLDER)


def daemon_folder() -> str:
    """Return the folder that Cloacina's daemon watches by default."""
    return os.path.join(home_folder("name the daemon's folder"), ".cloacina", "packages")


def home_folder(instead: str = f"set {ENV_FOLDER} to the folder for keys and trust") -> str:
    """Return the user's home folder; ``FileProblem`` where none is known.

    ``instead`` is what the user can do without one. A process has none where HOME is not set and
    the system does not list its user, as is usual for containers that run under a random user id.
    """
    home = os.path.expanduser("~") if os.environ.get("HOME", "/") else ""
    if os.path.isabs(home):
        return home
    raise FileProblem.of(
        Code.NO_HOME,
        "there is no home folder: HOME is not set to one, and the system knows none",
        hint=f"set HOME, or {instead}",
    )


def expanded(path: str) -> str:
    """Return ``path`` with a leading ``~`` as the home folder, never as a folder called ``~``."""
    if path == "~" or path.startswith("~/"):
        return home_folder() + path[1:]
    return os.path.expanduser(path)


def _configured() -> Settings:
    """Return the settings of the file; without a home there is no file."""
    try:
        folder = config_folder()
    except FileProblem:
        return Settings()
    return _read_file(folder)


def _read_file(folder: str) -> Settings:
    path = os.path.join(folder, CONFIG_FILE)
    if not is_there(path):
        return Settings()
    refuse_shared(path)
    from cloacina_ctl.toml import read_toml

    try:
        table = read_toml(path)
    except Refused as error:  # a wrong setting of the user, not a wrong package or project
        raise UsageError(*(one._replace(code=Code.USAGE) for one in error.diagnostics)) from error
    problems = [problem for key in table if (problem := _check(key, table[key], path))]
    if problems:
        raise UsageError(*problems)
    refuse_key_text(table.get("signing_key", ""), f"{path}: signing_key")
    refuse_secret_text(table.get("registry", ""), f"{path}: registry")
    key, registry = table.get("signing_key"), table.get("registry")
    return Settings(
        signing_key=_from_folder(key, folder) if key else None,
        registry=os.path.join(folder, expanded(registry)) if registry else None,
    )


def _check(key: str, value: object, path: str) -> Diagnostic | None:
    if key not in Settings._fields:
        from cloacina_ctl.suggestions import did_you_mean

        hint = did_you_mean(key, Settings._fields) or f"known are: {', '.join(Settings._fields)}"
        return Diagnostic(Code.USAGE, f"no such setting: {shown_word(key)}", path, hint)
    if not isinstance(value, str) or not value:
        return Diagnostic(Code.USAGE, f"`{key}` must be a text that is not empty", path)
    return None


def _from_folder(key: str, folder: str) -> str:
    """Read a path as one under the file's own folder, and `~` as the home."""
    if is_one_shot(key) or not names_a_source(key):
        return key
    return os.path.join(folder, expanded(key))
