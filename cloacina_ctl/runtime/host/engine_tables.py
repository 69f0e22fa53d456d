"""Reads what an engine records about a run from its SQLite tables, in a process of its own.

Only the tables show skipped tasks, attempts and coming retries; they are nearly the same from 0.4
to 0.12. They are in WAL mode: a reader blocks no writer. The wheel contains its own SQLite, and two
in one process do not see each other's locks: engines hang and readers see rows that do not exist.
So another process reads, forked before the wheel is loaded; it ends when its pipe is closed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import IO, NoReturn

# Before 0.5 a run of a workflow was called a pipeline.
_RUNS = "workflow_executions", "pipeline_executions"


class Reader:
    """The process that reads; callers in several threads must hold a lock."""

    def __init__(self) -> None:
        """Start the process, before anything is loaded that a fork would break."""
        asked, ask = os.pipe()
        answer, answered = os.pipe()
        if not os.fork():
            _serve(asked, answered)
        os.close(asked)
        os.close(answered)
        self._ask, self._answers = os.fdopen(ask, "wb", 0), os.fdopen(answer, "rb")

    def begin(self, path: str, prefix: str) -> None:
        """Read the database at ``path`` from now on; it may not exist yet.

        ``prefix`` is the engine's prefix before the id of each task.
        """
        self._ask_process({"path": path, "prefix": prefix})

    def look(self) -> dict[str, Any]:
        """Return whether the engine has ``scheduled`` the workflow, and the ``changes`` since."""
        return self._ask_process({"look": True})

    def end(self) -> dict[str, Any]:
        """Return the same, and the status of all ``tasks``."""
        return self._ask_process({"look": True, "end": True})

    def _ask_process(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer; empty where the package ended the process or closed its pipes."""
        try:
            self._ask.write(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(self._answers.readline())
        except (OSError, ValueError):
            return {}
        return answer


def _serve(asked: int, answered: int) -> NoReturn:
    """Answer until the pipe is closed, and end the process."""
    for fd in range(1 << 10):
        if fd not in (asked, answered):
            with contextlib.suppress(OSError):
                os.close(fd)
    try:
        _answer(os.fdopen(asked, "rb"), os.fdopen(answered, "wb", 0))
    finally:
        os._exit(0)


def _answer(asked: IO[bytes], answered: IO[bytes]) -> None:
    tables = None
    for line in asked:
        request, answer = json.loads(line), {}
        if "path" in request:
            tables = Tables(request["path"], request["prefix"])
        elif tables is not None:
            answer = {"scheduled": tables.is_scheduled(), "changes": tables.changes()}
            if "end" in request:
                answer |= {"tasks": tables.tasks(), "context_of": tables.context_of()}
        answered.write(json.dumps(answer).encode() + b"\n")


class Tables:
    """The tables of one run."""

    def __init__(self, path: str, prefix: str) -> None:
        self._path = path
        self._prefix = prefix
        self._connection: sqlite3.Connection | None = None
        self._last = 0

    def is_scheduled(self) -> bool:
        """Return whether the engine has scheduled the workflow."""
        return bool(self._rows("select 1 from task_executions limit 1"))

    def changes(self) -> list[dict[str, Any]]:
        """Return the changes of tasks since the last call, in order."""
        rows = self._rows(
            "select e.sequence_num, e.event_type, e.event_data, e.created_at, t.task_name,"
            " t.attempt, t.last_error, t.error_details from execution_events e"
            " join task_executions t on t.id = e.task_execution_id where e.sequence_num > ?"
            " order by e.sequence_num",
            self._last,
        )
        found = []
        for number, kind, data, at, name, attempt, error, details in rows:
            self._last = number
            change = {"task": self._id(name), "attempt": attempt, "error": error or details}
            if kind == "task_retry_scheduled":
                found.append({**change, **_retry(data, at), "event": "retrying"})
            elif kind in ("task_completed", "task_failed", "task_skipped"):
                found.append({**change, "event": "ended", "status": kind.removeprefix("task_")})
        return found

    def tasks(self) -> list[dict[str, Any]]:
        """Return the status of each task."""
        rows = self._rows("select task_name, status, attempt, last_error from task_executions")
        return [
            {"task": self._id(name), "status": status, "attempt": attempt, "error": error}
            for name, status, attempt, error in rows
        ]

    def context_of(self) -> str | None:
        """Return the task whose context is that of the run."""
        for runs in _RUNS:
            rows = self._rows(
                f"select m.task_name from task_execution_metadata m join {runs} r"  # noqa: S608 - ours
                " on r.context_id = m.context_id limit 1"
            )
            if rows:
                return self._id(rows[0][0])
        return None

    def _id(self, name: str) -> str:
        return name.removeprefix(self._prefix)

    def _rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows, none where the table does not exist yet."""
        if self._connection is None:
            # Until it is in WAL mode, a reader can block the engine.
            if not os.path.exists(f"{self._path}-wal"):
                return []
            self._connection = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []


def _retry(data: str, at: str) -> dict[str, Any]:
    """Return which attempt failed and how long the engine waits for the next one."""
    said = json.loads(data)
    seconds = _seconds(said["retry_at"]) - _seconds(at)
    return {"attempt": said["attempt"] - 1, "delay": max(seconds, 0.0)}


def _seconds(text: str) -> float:
    """Return the time of a text such as ``2026-11-29T18:06:36.740537522+00:00``."""
    whole, _, fraction = text.partition("+")[0].rstrip("Z").partition(".")
    moment = dt.datetime.fromisoformat(whole).replace(tzinfo=dt.timezone.utc)
    return moment.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)
