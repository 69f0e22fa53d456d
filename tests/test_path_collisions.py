"""Which paths cannot stand side by side."""

from __future__ import annotations

import itertools
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.paths import Collision, collisions
from tests.support.member_names import COLLISIONS, NO_COLLISIONS

ONE_NAME = "some file systems take them for one name"
MIXED = "one is a file, the other a folder"

CLASHES = [
    (["a", "A"], "a", "A", ONE_NAME),
    (["A/x", "a/y"], "A", "a", ONE_NAME),
    (["q/A/x", "q/a/y"], "q/A", "q/a", ONE_NAME),
    (["k", "\u212a"], "k", "\u212a", ONE_NAME),
    (["x\uff0fa", "x/a"], "x/a", "x\uff0fa", ONE_NAME),
    (["a", "a"], "a", "a", "listed twice"),
    (["a", "a/b"], "a", "a/b", MIXED),
    (["a/b", "a"], "a", "a/b", MIXED),
    (["d/a", "d/a/b/c"], "d/a", "d/a/b/c", MIXED),
    (["A", "a/b"], "A", "a", ONE_NAME),
]


@pytest.mark.parametrize(("paths", "first", "second", "rule"), CLASHES)
def test_finds_what_a_file_system_cannot_hold(
    paths: list[str], first: str, second: str, rule: str
) -> None:
    assert collisions(paths) == (Collision(first, second, rule),)


@pytest.mark.parametrize("pair", COLLISIONS.values(), ids=COLLISIONS)
def test_finds_two_names_that_some_file_system_takes_for_one(pair: tuple[str, str]) -> None:
    (found,) = collisions(pair)
    assert found.rule in {ONE_NAME, MIXED, "listed twice"}


@pytest.mark.parametrize("paths", [(), ("a",), ("a.txt", "a/x", "a-x"), *NO_COLLISIONS.values()])
def test_leaves_alone_what_every_file_system_holds(paths: tuple[str, ...]) -> None:
    assert collisions(paths) == ()


def test_one_clash_of_folders_is_told_once() -> None:
    paths = [f"{'Aa'[n % 2]}/{n:04}" for n in range(1000)]
    assert set(collisions(paths)) <= {Collision("A", "a", ONE_NAME), Collision("a", "A", ONE_NAME)}


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _clash(first: str, second: str) -> bool:
    """Compare two paths in the plain and slow way: every folder, and the whole."""
    one, two = first.split("/"), second.split("/")
    for depth in range(1, max(len(one), len(two)) + 1):
        a, b = "/".join(one[:depth]), "/".join(two[:depth])
        if depth <= min(len(one), len(two)) and a != b and _fold(a) == _fold(b):
            return True
    return (
        first == second
        or _fold(first) == _fold(second)
        or second.startswith(first + "/")
        or first.startswith(second + "/")
    )


PARTS = st.sampled_from(
    ["a", "A", "b", "é", "É", "ß", "ss", "a-", "ab", "ﬁ", "fi", "x\uff0fa", "x"]
)


@given(st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=8))
def test_finds_a_clash_exactly_where_two_paths_clash(paths: list[str]) -> None:
    expected = any(_clash(a, b) for a, b in itertools.combinations(paths, 2))
    assert bool(collisions(paths)) == expected


def test_time_and_memory_grow_with_the_length_of_the_paths_alone() -> None:
    plain = [f"workflow/p{n % 500}/m{n}.py" for n in range(100_000)]
    deep = ["/".join([f"{n:08}", *["d" * 29] * 30, "x"]) for n in range(20_000)]
    started = time.process_time()
    assert collisions(plain) == ()
    assert collisions(deep) == ()
    assert time.process_time() - started < 4


@given(st.lists(st.text(st.sampled_from("aAb/"), min_size=1, max_size=5)))
def test_what_is_clearly_apart_has_no_collision(paths):
    from cloacina_ctl import paths as module

    paths = [path for path in paths if module.check_path(path) is None]
    if module._clearly_apart(paths):
        entries = sorted((module._folded(path), n, path) for n, path in enumerate(paths))
        compared = [
            module._compare(a, fa, b, fb) for fa, _, a in entries for fb, _, b in entries if a != b
        ]
        assert set(compared) <= {None}
        assert len(set(paths)) == len(paths)
