"""Graphs of tasks: whether some wait for each other. Linear and without recursion."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def find_cycle(dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """Return ids that wait for each other in this order, or an empty list.

    Every dependency must be a key. The cycle begins with its smallest id, so that the answer does
    not depend on the order of the mapping.
    """
    waiting = {task: len(set(needs)) for task, needs in dependencies.items()}
    needed_by: dict[str, list[str]] = {task: [] for task in dependencies}
    for task, needs in dependencies.items():
        for need in set(needs):
            needed_by[need].append(task)
    ready = deque(task for task, count in waiting.items() if not count)
    while ready:
        done = ready.popleft()
        for task in needed_by[done]:
            waiting[task] -= 1
            if not waiting[task]:
                ready.append(task)
    left = {task for task, count in waiting.items() if count}
    if not left:
        return []
    # Whoever is left waits for somebody who is left: walking on must come round.
    path: list[str] = []
    seen: dict[str, int] = {}
    task = min(left)
    while task not in seen:
        seen[task] = len(path)
        path.append(task)
        task = min(need for need in dependencies[task] if need in left)
    cycle = path[seen[task] :]
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]


def layers(dependencies: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the tasks in layers: each needs only tasks of earlier ones. Without cycles only."""
    depth: dict[str, int] = {}
    waiting = {task: len(set(needs)) for task, needs in dependencies.items()}
    needed_by: dict[str, list[str]] = {task: [] for task in dependencies}
    for task, needs in dependencies.items():
        for need in set(needs):
            needed_by[need].append(task)
    ready = deque(task for task, count in waiting.items() if not count)
    depth.update(dict.fromkeys(ready, 0))
    while ready:
        done = ready.popleft()
        for task in needed_by[done]:
            waiting[task] -= 1
            depth[task] = max(depth.get(task, 0), depth[done] + 1)
            if not waiting[task]:
                ready.append(task)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for task in sorted(depth):
        found[depth[task]].append(task)
    return found
