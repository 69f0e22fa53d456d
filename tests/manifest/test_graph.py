"""Graphs of tasks: cycles and layers, in linear time."""

from __future__ import annotations

import time
from graphlib import CycleError, TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.manifest import Manifest, canonical, find_cycle, layers, parse
from tests.support.manifests import changed, document, task

KEYS = "abcdef"
GRAPHS = st.fixed_dictionaries({key: st.lists(st.sampled_from(KEYS), max_size=3) for key in KEYS})


@given(GRAPHS)
def test_finds_a_cycle_exactly_where_there_is_one(needs: dict[str, list[str]]) -> None:
    cycle = find_cycle(needs)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError:
        assert cycle
        assert cycle[0] == min(cycle)
        assert len(set(cycle)) == len(cycle)
        for task_, need in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert need in needs[task_]
    else:
        assert cycle == []
    assert find_cycle(dict(reversed(needs.items()))) == cycle


@given(GRAPHS)
def test_layers_hold_each_task_after_all_that_it_needs(needs: dict[str, list[str]]) -> None:
    found = layers(needs)
    place = {name: number for number, layer in enumerate(found) for name in layer}
    for name, number in place.items():
        assert number == max((place[need] + 1 for need in needs[name]), default=0)
    assert all(layer == sorted(layer) for layer in found)
    assert (len(place) == len(needs)) == (not find_cycle(needs))


def test_an_empty_graph_has_no_layer() -> None:
    assert layers({}) == []
    assert find_cycle({}) == []


def _parse(tasks: list[dict[str, object]]) -> tuple[Manifest, float]:
    data = canonical.encode(changed(document(), "/workflows/0/tasks", tasks))
    started = time.process_time()
    manifest = parse(data)
    return manifest, time.process_time() - started


def test_a_chain_of_a_hundred_thousand_tasks_is_read_without_recursion() -> None:
    chain = [task(f"t{n:06}", *([f"t{n - 1:06}"] if n else [])) for n in range(100_000)]
    manifest, seconds = _parse(chain)
    assert len(manifest.workflows[0].tasks) == 100_000
    assert seconds < 3


def test_a_dense_graph_takes_time_for_its_edges_alone() -> None:
    dense = [task(f"t{n:03}", *(f"t{k:03}" for k in range(n))) for n in range(700)]
    manifest, seconds = _parse(dense)
    assert len(manifest.workflows[0].tasks[-1].dependencies) == 699
    assert seconds < 2


def test_a_fan_of_a_hundred_thousand_tasks_is_read() -> None:
    fan = [task("a"), *(task(f"t{n:06}", "a") for n in range(99_998))]
    assert _parse(fan)[1] < 3
