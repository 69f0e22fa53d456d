"""What `run` shows on a terminal while it lasts, on a real one."""

import os
import select
import signal

import pytest

from tests.support.cli import PROGRAM
from tests.support.terminals import HIDDEN, SHOWN, Terminal, cursor_is_back


def watched(path):
    """Run the package on a terminal; what it waits for is beside it, and may be read."""
    return Terminal(*PROGRAM, "run", path, "--allow-read", path.parent)


def go_on(terminal):
    """Continue the program, however late it is suspended, if it is at all in this group."""
    while terminal.said.count(HIDDEN) < 2:
        terminal.program.send_signal(signal.SIGCONT)
        ready, _, _ = select.select([terminal.main], [], [], 0.02)
        if ready:
            terminal.said += os.read(terminal.main, 4096)


@pytest.fixture
def waits(made, tmp_path):
    """Return a package of which the import, or its task, waits for a file, and what makes it."""

    def make(where):
        go = tmp_path / "go"
        wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        text = "import os, time\n" + (wait if where == "import" else "")
        text += "@cloaca.task(id='a')\ndef a(context):\n    "
        text += wait if where == "task" else "...\n"
        return made(text), go

    return make


def test_a_package_that_takes_long_to_load_says_so(waits):
    path, go = waits("import")
    terminal = watched(path)
    terminal.read(b"loading flow")
    go.touch()
    ended = terminal.end()
    assert ended.out.startswith("✓ flow completed")
    assert cursor_is_back(ended.err)


def test_who_suspends_it_has_a_cursor(waits):
    path, go = waits("task")
    terminal = watched(path)
    terminal.read(b"0 of 1 task ended")
    assert SHOWN not in terminal.said
    terminal.program.send_signal(signal.SIGTSTP)
    terminal.read(SHOWN)
    go_on(terminal)
    go.touch()
    ended = terminal.end()
    assert ended.out.startswith("✓ flow completed")
    assert cursor_is_back(ended.err)


def test_ctrl_c_takes_the_table_away_and_shows_how_far_it_came(waits):
    path, _ = waits("task")
    terminal = watched(path)
    terminal.read(b"0 of 1 task ended")
    terminal.program.send_signal(signal.SIGINT)
    ended = terminal.end()
    assert ended.status == 130
    assert ended.out.startswith("✗ flow cancelled")
    assert "✗ a  cancelled" in ended.out
    assert cursor_is_back(ended.err)
