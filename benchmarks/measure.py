"""Run two commands in turn and compare them pair by pair."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """One run of a whole process: wall and processor seconds, peak memory in bytes."""

    wall: float
    cpu: float
    peak: int


class Paired(NamedTuple):
    """The medians of paired runs; ``ratio`` is the median of the pairs' own ratios."""

    ratio: float
    wall: float
    anchor: float
    peak: int


def run(command: Sequence[str] | str, cwd: str | None = None) -> Run:
    """Run ``command`` (a shell line where it is a string) and return what it took."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        shell=isinstance(command, str),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(
            f"failed ({process.returncode}): {command}\n{errors.decode(errors='replace')}"
        )
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def paired(
    ours: Callable[[], Run], anchor: Callable[[], Run], runs: int = 5, figure: str = "wall"
) -> Paired:
    """Run both in turn, once to warm up and then ``runs`` times."""
    ours(), anchor()
    pairs = [(ours(), anchor()) for _ in range(runs)]
    return Paired(
        ratio=statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in pairs),
        wall=statistics.median(getattr(a, figure) for a, _ in pairs),
        anchor=statistics.median(getattr(b, figure) for _, b in pairs),
        peak=max(a.peak for a, _ in pairs),
    )
