"""What the user set: the folder with keys and trust, ``config.toml`` in it, the environment.

Flags win over the environment, the environment over the file. Nothing of a project or a package
has a say in any of it.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from cloacina_ctl.errors import Code, Diagnostic, UsageError

CONFIG_FILE = "config.toml"
ENV_FOLDER = "CLOACINA_CTL_CONFIG_DIR"
ENV_SIGNING_KEY = "CLOACINA_CTL_SIGNING_KEY"
ENV_PASSPHRASE_FILE = "CLOACINA_CTL_PASSPHRASE_FILE"


class Settings(NamedTuple):
    """The user's configuration; None where nothing is set."""

    signing_key: str | None = None


def config_folder() -> str:
    """Return the folder of the user's keys, trust and configuration; it need not exist yet."""
    chosen = os.environ.get(ENV_FOLDER)
    if chosen:
        return os.path.abspath(chosen)
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "cloacina-ctl")
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):  # the XDG specification: a relative path is ignored
        base = os.path.join(home, ".config")
    return os.path.join(base, "cloacina-ctl")


def load_settings() -> Settings:
    """Return what the user set, the environment before the file.

    Raises ``UsageError`` for a file with keys or values that this version does not know.
    """
    from_file = _read_file(os.path.join(config_folder(), CONFIG_FILE))
    key = os.environ.get(ENV_SIGNING_KEY) or from_file.signing_key
    return Settings(signing_key=key)


def _read_file(path: str) -> Settings:
    if not os.path.lexists(path):
        return Settings()
    from cloacina_ctl.toml import read_toml, suggest

    table = read_toml(path)
    problems = []
    for key, value in table.items():
        if key not in Settings._fields:
            hint = suggest(key, Settings._fields)
            problems.append(Diagnostic(Code.USAGE, f"no such setting: {key}", path, hint))
        elif not isinstance(value, str):
            problems.append(Diagnostic(Code.USAGE, f"`{key}` must be a text", path))
    if problems:
        raise UsageError(*problems)
    return Settings(**table)
