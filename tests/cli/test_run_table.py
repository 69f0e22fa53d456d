"""The table of a run, drawn on a terminal that only exists in memory, and on a real one."""

import io
import sys

import pytest
from rich.console import Console

from cloacina_ctl.cli.terminal.run_table import RunTable
from cloacina_ctl.cli.terminal.units import seconds
from cloacina_ctl.operations.run import TaskEnded, TaskRetrying, TaskStarted
from tests.support.terminals import Terminal, cursor_is_back

EVENTS = (
    TaskStarted("read", 1, 0.0),
    TaskEnded("read", "completed", 1, 0.1, 0.1),
    TaskStarted("check", 1, 0.1),
    TaskRetrying("check", 1, 0.2, "disk \x1b[2J full", 1.5),
    TaskStarted("send", 1, 0.2),
)


def drawn(table, *, width=100, height=25):
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=False)
    console.print(table.drawn(console))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture
def table():
    made = RunTable(["read", "check", "send", "tell"], color=False)
    made._opening.cancel()
    yield made
    made.close()


def test_every_task_has_a_line_with_its_state_attempt_and_time(table):
    for event in EVENTS:
        table.take(event)
    lines = drawn(table)
    assert [line.split()[:3] for line in lines[:3]] == [
        ["✓", "read", "completed"], ["↻", "check", "retrying"], ["▶", "send", "running"],
    ]  # fmt: skip
    assert "100 ms" in lines[0]
    assert "disk \\x1b[2J full" in lines[1]
    assert lines[3].split() == ["tell", "waiting"]
    assert lines[4].startswith("1 of 4 tasks ended, ")


def test_a_task_that_is_tried_again_says_when(table):
    table.take(TaskStarted("check", 1, 0.0))
    table.take(TaskRetrying("check", 1, 0.2, "disk full", 90.0))
    (line,) = [line for line in drawn(table) if "check" in line]
    assert line.split()[2:4] == ["retrying", "in"]


def test_a_second_attempt_is_numbered(table):
    for event in (*EVENTS, TaskStarted("check", 2, 2.0)):
        table.take(event)
    assert "running 2" in drawn(table)[1]


def test_of_more_tasks_than_lines_those_that_move_or_failed_are_shown():
    table = RunTable([f"t{number}" for number in range(500)], color=False)
    table._opening.cancel()
    table.take(TaskStarted("t400", 1, 0.0))
    table.take(TaskEnded("t450", "failed", 3, 0.0, 0.1, "no"))
    lines = drawn(table, height=10)
    assert len(lines) == 7
    assert any("t400" in line for line in lines)
    assert any("t450" in line for line in lines)
    table.close()


def test_what_ended_last_and_what_is_next_is_shown_before_what_ended_long_ago():
    table = RunTable([f"t{number}" for number in range(100)], color=False)
    table._opening.cancel()
    for number in range(50):
        table.take(TaskEnded(f"t{number}", "completed", 1, 0.0, 0.1))
    table.take(TaskStarted("t50", 1, 0.0))
    lines = drawn(table, height=10)
    assert [line.split()[1] for line in lines[:4]] == ["t47", "t48", "t49", "t50"]
    assert [line.split()[0] for line in lines[4:6]] == ["t51", "t52"]
    table.close()


def test_on_a_narrow_terminal_each_task_and_the_last_line_have_one_line():
    table = RunTable(["a", "b"], color=False)
    table._opening.cancel()
    words = "ConnectionError: connection refused by the upstream of a service that explains a lot"
    table.take(TaskRetrying("a", 1, 0.2, words, 1.5))
    lines = drawn(table, width=58)
    assert len(lines) == 3
    assert lines[0].endswith("…")
    assert "..." not in lines[0]
    assert lines[2].startswith("0 of 2 tasks ended, ")
    table.close()


def test_a_short_run_shows_no_table(table):
    table.close()
    assert not table.print("a line")
    table._open()
    assert table._live is None


SCRIPT = """
import sys, time
from cloacina_ctl.cli.terminal.run_table import RunTable
from cloacina_ctl.operations.run import TaskEnded, TaskStarted
table = RunTable(["a", "b"], color=True)
table.take(TaskStarted("a", 1, 0.0))
while not table.print("printed by a"):
    time.sleep(0.01)
table.take(TaskEnded("a", "completed", 1, 0.5, 0.5))
table.close()
print("done", file=sys.stderr)
"""


def test_on_a_terminal_lines_stand_above_the_table_which_is_gone_at_the_end():
    ended = Terminal(sys.executable, "-c", SCRIPT).end()
    assert (ended.status, ended.out) == (0, "")
    text = ended.err
    assert "printed by a" in text
    assert "of 2 tasks ended" in text
    assert text.index("printed by a") < text.index("done")
    assert cursor_is_back(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.0123, "12 ms"),
        (0.9999, "1.0 s"),
        (12.34, "12.3 s"),
        (125, "2 min 5 s"),
    ],
)
def test_times_are_told_in_the_unit_that_fits(number, text):
    assert seconds(number) == text
