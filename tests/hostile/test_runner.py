"""The runner sees what it is there to see: verbs that misbehave, each in one way."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import Code, FileProblem, Refused
from tests.hostile import verbs
from tests.hostile.case import Case, of
from tests.hostile.runner import Sandbox, expected_tree, run
from tests.support.builder import FILES, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

BAD = of("A6-example", "a bad package", codes=("A005",), parts_patch=lambda p: [*p, b"\0"])
GOOD = of("OK-example", "a good package", expected="accept")


def _refuse(path: str, destination: str, key: str) -> None:
    raise Refused.of(Code.TRAILING_BYTES, "longer than its index says")


def _accept(path: str, destination: str, key: str) -> None:
    return None


def _with_another_family(path: str, destination: str, key: str) -> None:
    raise FileProblem.of(Code.TRAILING_BYTES, "longer than its index says")


def _for_another_reason(path: str, destination: str, key: str) -> None:
    raise Refused.of(Code.BAD_TAR, "something else")


def _bare(path: str, destination: str, key: str) -> None:
    raise KeyError("x")


def _loudly(path: str, destination: str, key: str) -> None:
    sys.stdout.write("hello\n")
    _refuse(path, destination, key)


def _slowly(path: str, destination: str, key: str) -> None:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    _refuse(path, destination, key)


def _after(effect: Callable[[str, str], object]) -> verbs.Verb:
    def verb(path: str, destination: str, key: str) -> None:
        effect(path, destination)
        _refuse(path, destination, key)

    return verb


def _touch(path: str) -> None:
    with open(path, "wb") as file:
        file.write(b"x")


def _unpack(change: Callable[[dict[str, bytes]], object]) -> verbs.Verb:
    def verb(path: str, destination: str, key: str) -> None:
        files = expected_tree(GOOD)
        change(files)
        for name, data in files.items():
            target = os.path.join(destination, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(data)
            os.chmod(target, 0o644)

    return verb


MISTAKES: dict[str, tuple[Case, verbs.Verb]] = {
    "ACCEPTED": (BAD, _accept),
    "REJECTED": (GOOD, _refuse),
    "EXITCODE": (BAD, _with_another_family),
    "REASON": (BAD, _for_another_reason),
    "TRACEBACK": (BAD, _bare),
    "NOISY": (BAD, _loudly),
    "TIMEOUT": (of("A6-fast", "quick", seconds=0.1, build=lambda: b"x"), _slowly),
    "DESTINATION": (BAD, _after(lambda path, to: os.mkdir(to))),
    "OUTSIDE": (BAD, _after(lambda path, to: _touch(to + "-evil"))),
    "LEFTOVER": (BAD, _after(lambda path, to: _touch(path + ".part"))),
    "RESULT": (GOOD, _unpack(lambda files: files.pop("package.toml"))),
}


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return Sandbox(str(tmp_path_factory.mktemp("sandbox")))


def _try(case: Case, verb: verbs.Verb, sandbox: Sandbox, patch: pytest.MonkeyPatch) -> list[str]:
    patch.setitem(verbs.VERBS, "unpack", verb)
    return run(case, "unpack", sandbox)


@pytest.mark.parametrize("word", MISTAKES)
def test_each_mistake_is_found(
    word: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, verb = MISTAKES[word]
    found = _try(case, verb, sandbox, monkeypatch)
    assert [line.split(": ")[1].split()[0] for line in found] == [word]


@pytest.mark.parametrize("where", ["HOME", "TMPDIR"])
def test_what_is_left_in_a_folder_of_the_environment_is_found(
    where: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb = _after(lambda path, to: _touch(os.path.join(os.environ[where], "left")))
    assert "LEFTOVER" in _try(BAD, verb, sandbox, monkeypatch)[0]


def test_what_is_left_in_the_current_folder_is_found(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "LEFTOVER" in _try(BAD, _after(lambda path, to: _touch("left")), sandbox, monkeypatch)[0]


def test_a_verb_that_does_all_as_it_must_has_no_finding(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _try(BAD, _refuse, sandbox, monkeypatch) == []
    assert _try(GOOD, _unpack(lambda files: None), sandbox, monkeypatch) == []
    assert _try(BAD, _refuse, sandbox, monkeypatch) == []


def test_a_line_with_a_control_character_is_found(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "render", lambda error: "refused: \x1b[2J\n")
    assert "CONTROL" in _try(BAD, _refuse, sandbox, monkeypatch)[0]


def test_a_verdict_that_the_head_cannot_show_is_free_for_inspect() -> None:
    deep = of("D9-example", "padding", recipe=Recipe(files=FILES))
    assert deep.verdict("inspect") == "any"
    assert deep.verdict("verify") == "refuse"
