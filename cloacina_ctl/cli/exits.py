"""The exit statuses; their numbers are defined here alone."""

from __future__ import annotations

from cloacina_ctl.errors import (
    BuildFailed,
    CloacinaError,
    FileProblem,
    Incompatible,
    NetworkProblem,
    NotTrusted,
    Refused,
    UsageError,
)

DONE = 0
NO = 1
USAGE = 2
BUG = 70
INTERRUPTED = 130
_SIGNALLED = 128

_FAMILIES: tuple[tuple[type[CloacinaError], int, str], ...] = (
    (UsageError, USAGE, "the command line is wrong"),
    (Refused, 3, "refused: not a package, damaged, unsafe, or contradictory"),
    (
        NotTrusted,
        4,
        "not trusted: a signature is missing or fails, too few keys signed, or a key is unusable",
    ),
    (BuildFailed, 5, "the build failed"),
    (Incompatible, 6, "nothing in the package fits this platform or release"),
    (NetworkProblem, 7, "network or server"),
    (FileProblem, 8, "input or output: no space, no permission, exists already"),
)

MEANINGS: tuple[tuple[str, str], ...] = (
    ("0", "success"),
    ("1", "completed with a negative result: errors found, a failed run, a declined prompt"),
    *((str(number), meaning) for _, number, meaning in _FAMILIES),
    ("70", "a bug in cloacina-ctl"),
    ("130, 143", "interrupted, terminated; no partial result is left"),
)


def exit_status(error: CloacinaError) -> int:
    """Return the exit status for ``error``."""
    return next((number for family, number, _ in _FAMILIES if isinstance(error, family)), BUG)


def status_of_signal(number: int) -> int:
    """Return the exit status after the signal ``number``."""
    return _SIGNALLED + number
