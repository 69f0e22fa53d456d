"""A user of a test's own: a folder for keys and settings, and no variable that says anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SPEAKING = ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "SSL_CERT_FILE")


def be_user(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let the user's folder be ``folder``, and take away what else the environment says."""
    ours = [name for name in os.environ if name.startswith("CLOACINA_CTL_")]
    for name in (*SPEAKING, *(one for one in ours if not one.startswith("CLOACINA_CTL_TEST_"))):
        patch.delenv(name, raising=False)
    patch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder))
