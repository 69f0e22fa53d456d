"""Exit statuses: the one place that knows the numbers."""

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
    (Refused, 3, "refused: not a package, damaged, unsafe, or it contradicts itself"),
    (
        NotTrusted,
        4,
        "not trusted: a signature is missing, wrong or by too few; a key cannot be used",
    ),
    (BuildFailed, 5, "the build failed"),
    (Incompatible, 6, "nothing in the package fits this platform or runtime"),
    (NetworkProblem, 7, "network or server"),
    (FileProblem, 8, "input or output: no space, no permission, exists already"),
)

MEANINGS: tuple[tuple[str, str], ...] = (
    ("0", "done; for a question: yes"),
    ("1", "the question was answered, and the answer is no"),
    *((str(number), meaning) for _, number, meaning in _FAMILIES),
    ("70", "a bug in cloacina-ctl"),
    ("130, 143", "interrupted, terminated; nothing half-done is left"),
)


def exit_status(error: CloacinaError) -> int:
    """Return the exit status for ``error``."""
    return next((number for family, number, _ in _FAMILIES if isinstance(error, family)), BUG)


def status_of_signal(number: int) -> int:
    """Return the exit status after the signal ``number``."""
    return _SIGNALLED + number
