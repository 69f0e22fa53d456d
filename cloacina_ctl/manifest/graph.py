"""Graphs of tasks: cycles and order. Linear and without recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def find_cycle(dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """Return ids that wait for each other in this order, or an empty list.

    Every dependency must be a key. The cycle begins with its smallest id, so that the answer does
    not depend on the order of the mapping.
    """
    order = _order(dependencies)
    if len(order) == len(dependencies):
        return []
    left = dependencies.keys() - set(order)
    # Every remaining task waits for a remaining one, so following the edges must reach a cycle.
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
    """Return the tasks in layers, each sorted: a task needs only tasks of earlier ones.

    Every dependency must be a key. Tasks of a cycle, and what waits for them, are left out.
    """
    depth: dict[str, int] = {}
    for task in _order(dependencies):
        depth[task] = max((depth[need] + 1 for need in dependencies[task]), default=0)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for task in sorted(depth):
        found[depth[task]].append(task)
    return found


def _order(dependencies: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the tasks that can be done, each after all that it needs."""
    waiting: dict[str, int] = {}
    needed_by: dict[str, list[str]] = {}
    done = []
    for task, needs in dependencies.items():
        if not needs:
            done.append(task)
            continue
        waiting[task] = len(needs)  # one named twice counts twice, here and below
        for need in needs:
            if need in needed_by:
                needed_by[need].append(task)
            else:
                needed_by[need] = [task]
    for task in done:  # grows while it is walked
        for next_ in needed_by.get(task, ()):
            waiting[next_] -= 1
            if not waiting[next_]:
                done.append(next_)
    return done
