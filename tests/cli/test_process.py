"""The process: streams that are closed or full, no locale, signals."""

import os
import pty
import select
import signal
import subprocess
import sys

import pytest

PROBE = """
import sys
from cloacina_ctl.cli import main
from cloacina_ctl.cli.parsing.declaration import Command, Options
from cloacina_ctl.errors import Code, Refused

def body(options, reporter):
    {body}
    return 0

main.find = lambda words: ("probe", list(words))
main.load = lambda name: Command("probe", "A probe.", Options, body)
sys.exit(main.run(sys.argv[1:]))
"""


def probe(body):
    return PROBE.format(body=body.replace("\n", "\n    "))


def test_the_version_survives_every_kind_of_output(process):
    assert process("$RUN --version") == (0, "cloacina-ctl 0.1.0\n", "")
    assert process("$RUN --version >&-").err == ""
    assert process("set -o pipefail; $RUN --version | true").err == ""
    full = process("$RUN --version >/dev/full")
    assert (full.status, full.err.count("\n")) == (8, 1)


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["schema"], ["key", "--help"]])
def test_a_pipe_that_was_closed_before_is_silent_too(words):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", *words], stdout=write, stderr=subprocess.PIPE,
        env=environment, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_pipe_is_silent_and_changes_no_status(process):
    many = probe("for n in range(20000): reporter.line('x' * 80)")
    assert process("set -o pipefail; $RUN | head -1", many) == (0, "x" * 80 + "\n", "")
    refused = probe(
        "for n in range(20000): reporter.line('x')\nraise Refused.of(Code.BAD_HEAD, 'bad')"
    )
    ended = process("set -o pipefail; $RUN | head -1 >/dev/null", refused)
    assert (ended.status, ended.err) == (3, "error[A008] bad\n")
    assert process("set -o pipefail; $RUN 2>&1 | true", refused).status == 3
    assert process("set -o pipefail; $RUN --json 2>/dev/null | true", refused).status == 3


def test_a_full_disk_behind_standard_output_is_an_error(process):
    for flags in ("", "--json"):
        ended = process(f"$RUN {flags} >/dev/full", probe("reporter.line('x')"))
        assert ended.status == 8
        assert ended.err.startswith("error[I004] standard output: no space left on the device — ")
        assert ended.err.count("\n") == 1
    refused = probe("raise Refused.of(Code.BAD_HEAD, 'bad')")
    assert process("$RUN --json >/dev/full", refused).status == 3


def test_closed_streams_are_no_trap_for_the_files_that_are_opened(process, tmp_path):
    made = str(tmp_path / "made")
    code = probe(f"f = open({made!r}, 'wb')\nprint('to nobody')\nassert f.fileno() > 2")
    assert process("$RUN <&- >&- 2>&-", code).status == 0
    assert (tmp_path / "made").read_bytes() == b""
    assert process("$RUN 2>&-", probe("raise Refused.of(Code.BAD_HEAD, 'bad')")) == (3, "", "")


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_what_an_encoding_cannot_hold_is_escaped(process, environment):
    code = probe(
        "reporter.line('caf\\u00e9 \\u2605 \\u2713 b \\u2190 a')\nreporter.note('\\u2713')\n"
        "reporter.result({'x': '\\u2713'})"
    )
    shown = process("$RUN", code, **environment)
    assert shown.status == 0
    assert shown.out.endswith(" \\u2605 ok b <- a\n")  # our own symbols have words
    assert shown.err == "ok\n"
    assert process("$RUN --json", code, **environment).json["result"] == {"x": "✓"}
    assert process("$RUN --help | cat", None, **environment).status == 0


def start(tmp_path, body, **options):
    code = tmp_path / "code.py"
    code.write_text(probe(body))
    child = subprocess.Popen(
        [sys.executable, str(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


# Until the signal it waits for a pipe that stays open, and then, if it is to, for one that closes.
WAITS = """import os
silent = os.pipe()
try:
    os.write(1, b"ready\\n")
    os.read(silent[0], 1)
finally:
    os.write(1, b"cleaning\\n")
    os.read(0, 1)
    os.write(1, b"cleaned\\n")"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_cleans_up_and_says_so(tmp_path, name, status):
    child = start(tmp_path, WAITS)
    child.send_signal(getattr(signal, name))
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (status, "cleaning\ncleaned\n")
    assert err == f"error[X002] stopped by {name}\n"


def test_a_second_signal_does_not_stop_the_cleaning_up(tmp_path):
    child = start(tmp_path, WAITS)
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "cleaning\n"
    for _ in range(4):
        child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, "cleaned\n")


def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    body = "import os\nprint('ready', flush=True)\nos.read(0, 1)"
    child = start(tmp_path, body, preexec_fn=ignore)
    child.send_signal(signal.SIGHUP)
    assert child.communicate(timeout=30)[1] == ""
    assert child.returncode == 0


def on_a_terminal(tmp_path, body, typed=b"", flags=(), code=PROBE):
    """Run a probe with a terminal of its own; return what stood on it and the status."""
    file = tmp_path / "code.py"
    file.write_text(probe(body))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, str(file), *flags])
    shown, answered = b"", 0
    while select.select([terminal], [], [], 15)[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
        if typed and shown[answered:].rstrip().endswith(b":"):
            line, _, typed = typed.partition(b"|")
            os.write(terminal, line + b"\n")
            answered = len(shown)
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_colour_and_progress_are_for_terminals(tmp_path):
    body = (
        "import time\nreport = reporter.progress()\nreport('reading', 1, 100)\ntime.sleep(0.6)\n"
        "report('reading', 50, 100)\nreport('reading', 100, 100)\n"
        "reporter.line(reporter.paint('green', 'ok'))"
    )
    shown, status = on_a_terminal(tmp_path, body)
    assert status == 0
    assert "reading" in shown
    assert "\x1b[32mok\x1b[0m" in shown
    quick, _ = on_a_terminal(
        tmp_path, "reporter.progress()('reading', 1, 100)\nassert 'rich' not in sys.modules"
    )
    assert quick == ""
    quiet, _ = on_a_terminal(tmp_path, "assert reporter.progress() is None", flags=["-q"])
    assert quiet == ""


def test_a_passphrase_is_asked_on_the_terminal_and_not_shown(tmp_path):
    body = (
        "from cloacina_ctl.cli.terminal.prompt import new_passphrase, provider\n"
        "assert provider(None)('my\\x1bkey') == b'sesame'\nassert new_passphrase(None) == b'new'"
    )
    shown, status = on_a_terminal(tmp_path, body, b"sesame|new|new|")
    assert status == 0, shown
    assert "Passphrase of my\\x1bkey: " in shown
    assert "sesame" not in shown
    shown, status = on_a_terminal(tmp_path, body, b"sesame|new|old|")
    assert status == 4
    assert "error[S007]" in shown.replace("\x1b[31m", "")
