"""What holds for every run that ends badly: one place that looks at all of it."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cli import Outcome

STAGING = ".cloacina-ctl-"


def tree(root: Path) -> dict[str, str]:
    """Return everything below ``root``: its path and what it is."""
    found = {}
    for at, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            path = os.path.join(at, name)
            status = os.lstat(path)
            size = status.st_size if stat.S_ISREG(status.st_mode) else 0
            found[os.fsdecode(os.path.relpath(path, os.fsencode(root)))] = (
                f"{status.st_mode:o} {size}"
            )
    return found


def leftovers(*folders: Path) -> list[str]:
    """Return what this program staged and did not take away."""
    return [path for folder in folders for path in tree(folder) if STAGING in path]


def check_words(outcome: Outcome) -> None:
    """Nobody meets a traceback, a control character, or a line that a package wrote."""
    text = outcome.out + outcome.err
    assert "Traceback" not in text
    assert "this is a bug in" not in text, outcome
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)


def check_object(outcome: Outcome, verb: str) -> dict[str, Any]:
    """Standard output is one object of the documented shape, and says that it failed."""
    answer: dict[str, Any] = json.loads(outcome.out, parse_constant=pytest.fail)
    assert list(answer) == ["schema", "ok", "result", "diagnostics"]
    assert answer["schema"] == f"cloacina-ctl/{verb.replace(' ', '-')}/1"
    assert answer["ok"] is False
    assert answer["diagnostics"]
    for diagnostic in answer["diagnostics"]:
        assert list(diagnostic) == [
            "code", "severity", "message", "where", "file", "line", "column", "hint", "doc_url"
        ]  # fmt: skip
        assert diagnostic["severity"] in {"error", "warning", "note"}
    return answer


def refuse(cli: Callable[..., Outcome], folder: Path) -> Callable[..., Outcome]:
    """Return what runs a verb that must end badly, for people and for programs, in ``folder``.

    All that the runs did is looked at; returned is what people were told.
    """

    def run(*words: object, status: int, code: str, cwd: Path | None = None, **env: str) -> Outcome:
        verb = " ".join(map(str, words[: 2 if words[0] in {"key", "trust"} else 1]))
        spare = folder / "spare"
        spare.mkdir(exist_ok=True)
        env.setdefault("TMPDIR", str(spare))
        before = tree(folder)
        told, answered = (cli(*words, *more, cwd=cwd, **env) for more in ((), ("--json",)))
        check_words(told)
        said = told.out if status == 1 else told.err  # the answer no is an answer
        assert (told.status, code in said) == (status, True), told
        assert status == 1 or not told.out
        check_words(answered)
        assert answered.status == status, answered
        answer = check_object(answered, verb)
        assert code in {one["code"] for one in answer["diagnostics"]}, answer
        assert tree(folder) == before
        return told

    return run
