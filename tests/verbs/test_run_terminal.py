"""What `run` shows on a terminal while it lasts, on a real one."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from tests.verbs.test_run import made

__all__ = ["made"]

SHOWN, HIDDEN = b"\x1b[?25h", b"\x1b[?25l"


class Terminal:
    """A program on a terminal; what it says is read until something is there."""

    def __init__(self, *words):
        folder = os.path.dirname(words[1])  # what a package waits for is beside it
        self.main, terminal = pty.openpty()
        self.said = b""
        self.program = subprocess.Popen(
            [sys.executable, "-m", "cloacina_ctl", *map(str, words), "--allow-read", folder],
            stdout=subprocess.PIPE, stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        )  # fmt: skip
        os.close(terminal)

    def read(self, until=None):
        with contextlib.suppress(OSError):  # what Linux says at the end
            while until is None or until not in self.said:
                piece = os.read(self.main, 4096)
                if not piece:
                    break
                self.said += piece
        assert until is None or until in self.said

    def go_on(self):
        """Continue it, however late it is suspended, if it is at all in this group."""
        while self.said.count(HIDDEN) < 2:
            self.program.send_signal(signal.SIGCONT)
            ready, _, _ = select.select([self.main], [], [], 0.02)
            if ready:
                self.said += os.read(self.main, 4096)

    def end(self):
        self.read()
        out, _ = self.program.communicate(timeout=30)
        os.close(self.main)
        return out.decode()


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
    terminal = Terminal("run", path)
    terminal.read(b"loading flow")
    go.touch()
    assert terminal.end().startswith("✓ flow completed")
    assert terminal.said.count(SHOWN) == terminal.said.count(HIDDEN), "the cursor is back"


def test_who_suspends_it_has_a_cursor(waits):
    path, go = waits("task")
    terminal = Terminal("run", path)
    terminal.read(b"0 of 1 task ended")
    assert SHOWN not in terminal.said
    terminal.program.send_signal(signal.SIGTSTP)
    terminal.read(SHOWN)
    terminal.go_on()
    go.touch()
    assert terminal.end().startswith("✓ flow completed")
    assert terminal.said.count(SHOWN) == terminal.said.count(HIDDEN), "the cursor is back"


def test_ctrl_c_takes_the_table_away_and_shows_how_far_it_came(waits):
    path, _ = waits("task")
    terminal = Terminal("run", path)
    terminal.read(b"0 of 1 task ended")
    terminal.program.send_signal(signal.SIGINT)
    out = terminal.end()
    assert terminal.program.returncode == 130
    assert out.startswith("✗ flow cancelled")
    assert "✗ a  cancelled" in out
    assert terminal.said.count(SHOWN) == terminal.said.count(HIDDEN), "the cursor is back"
