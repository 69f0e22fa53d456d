"""How sessions end: in time, whatever the code in them does, and with nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent

import pytest

from cloacina_ctl.errors import Code
from cloacina_ctl.files.folders import PrivateFolder
from tests.runtime.python_sessions import NONE, do, opened, parts_of, state_of
from tests.support.machine import need
from tests.support.waiting import wait_until

STOP = "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(600)"
GIL = "re.match(r'(a+)+$', 'a' * 60 + 'b')"


class Call(threading.Thread):
    """A call in a thread of its own; ``outcome`` waits for how it ended."""

    def __init__(self, *arguments, **named):
        super().__init__(daemon=True)
        self._call = lambda: do(*arguments, **named)
        self._outcome = None
        self.start()

    def run(self):
        self._outcome = self._call()

    def outcome(self):
        self.join(30)
        assert not self.is_alive()
        return self._outcome


def all_gone(processes):
    return wait_until(lambda: not any(map(state_of, processes)))


def closes(session):
    """Close a session, within a bound that is far above what it takes."""
    closing = threading.Thread(target=session.close, daemon=True)
    closing.start()
    closing.join(30)
    return not closing.is_alive()


def test_closing_does_not_wait_for_a_message_that_nobody_takes():
    session = opened(stop_seconds=0.2)
    processes, folder = parts_of(session), session._material.folder
    stopped = Call(session, STOP)
    assert wait_until(lambda: state_of(processes[-1]) == "T")
    stuck = Call(session, "pass", more="x" * (1 << 20))
    assert wait_until(session._host.child._sending.locked)
    assert closes(session)
    assert stopped.outcome().error == stuck.outcome().error == "the session was closed"
    assert all_gone(processes)
    assert not os.path.exists(folder)


def test_closing_does_not_wait_for_a_package_that_is_loaded_again():
    session = opened(stop_seconds=0.2)
    folder = session._material.folder
    assert do(session, "open(SECOND, 'w').close(); os._exit(1)").crashed
    again = Call(session, "pass")
    assert wait_until(session._loading.locked)
    assert closes(session)
    assert again.outcome().error == "the session was closed"
    assert not os.path.exists(folder)


def test_an_interrupt_while_closing_leaves_nothing_behind():
    session = opened(stop_seconds=60)
    processes, folder = parts_of(session), session._material.folder
    Call(session, STOP)
    assert wait_until(lambda: state_of(processes[-1]) == "T")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            session.close()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert all_gone(processes)
    assert not os.path.exists(folder)


def test_closing_does_not_wait_for_whoever_takes_the_output():
    holding, taken = threading.Event(), threading.Event()

    def hold(_stream, _line):
        taken.set()
        holding.wait(60)

    session = opened(on_output=hold, stop_seconds=0.2)
    processes = parts_of(session)
    Call(session, "print('hello', flush=True); time.sleep(600)")
    assert taken.wait(10)
    try:
        assert closes(session)
        assert all_gone(processes)
    finally:
        holding.set()


def test_an_attempt_that_a_stopped_process_does_not_take_ran_out_of_time():
    with opened(stop_seconds=0.2) as session:
        Call(session, STOP)
        assert wait_until(lambda: state_of(parts_of(session)[-1]) == "T")
        began = time.monotonic()
        outcome = do(session, "pass", timeout=0.5, more="x" * (1 << 20))
        assert time.monotonic() - began < 0.5 + 0.4
    assert outcome.timed_out
    assert not outcome.crashed
    assert outcome.error == "not done within 0.5 seconds"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('"ok": []', "the result of an answer is not an object"),
        ('"failed": "no"', "a failure without a message"),
        ('"neither": 1', "an answer without a result and without a failure"),
        ('"ok": {"succeeded": 1}', "a result without success or failure"),
    ],
)
def test_an_answer_that_code_forges_says_what_is_wrong_with_it(answer, words):
    with opened(stop_seconds=0.2) as session:
        outcome = do(session, f"say('{{\"id\": 1, {answer}}}'); time.sleep(600)")
    assert outcome.error == f"it broke the protocol: {words}"


def test_an_answer_to_true_is_an_answer_to_nothing():
    said = '{"id": true, "ok": {"succeeded": true, "context": "{}"}}'
    with opened() as session:
        assert do(session, f"say({said!r})").context["do"]


def test_what_would_become_gigabytes_of_objects_is_not_parsed():
    with opened() as session:
        say = "say('{\"id\": 1, \"ok\": [' + '[],' * 300_000 + '0]}'); time.sleep(600)"
        outcome = do(session, say)
    assert outcome.crashed
    assert "a message of more than 200000 lists, objects and commas" in outcome.error


def test_the_group_is_ended_before_its_number_is_given_back(monkeypatch):
    session = opened()
    pid, true_kill, held = session._host.child._pid, os.killpg, []

    def kill(group, number):
        if group == pid and number == signal.SIGKILL:
            held.append(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))
        true_kill(group, number)

    monkeypatch.setattr(os, "killpg", kill)
    session.close()
    assert held[0].si_pid == pid


KILLED = """
    import os, sys, threading
    from tests.runtime.python_sessions import do, family, opened, state_of
    from tests.support.waiting import wait_until
    session = opened(stop_seconds=0.2)
    print(*family(session._host.child._pid), flush=True)
    call = lambda: do(session, sys.argv[1], mark=sys.argv[2])
    threading.Thread(target=call, daemon=True).start()
    worker = family(session._host.child._pid)[-1]
    wait_until(lambda: session._host._asked)
    wait_until(lambda: state_of(worker) == "T" or "STOP" not in sys.argv[1])
    os.kill(os.getpid(), 9)
"""
# What left its group goes on while everything else in the group is stopped.
ESCAPE_AND_STOP = """
if os.fork() == 0:
    os.setsid()
    os.execv("/bin/sleep", ["sleep", context["mark"]])
time.sleep(0.2)
os.kill(0, signal.SIGSTOP)
"""


@pytest.fixture(params=[True, False], ids=["namespaces", "no namespaces"])
def around(request):
    """The words that go before a command, so that it has namespaces or none."""
    if request.param:
        return []
    line = [need("unshare"), *NONE[1:], "sh"]
    tried = subprocess.run([*line, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("no namespace at all can be had here")
    return line


def named(mark):
    """Return the processes whose command line ends with a mark."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += [pid] if mark.encode() == words[-2 if len(words) > 1 else 0] else []
    return found


@pytest.mark.parametrize(
    "what",
    [STOP, GIL, "os.close(3); time.sleep(600)", "time.sleep(600)", ESCAPE_AND_STOP],
    ids=["stops itself", "holds the interpreter", "closes", "sleeps", "stops its group"],
)
def test_the_code_ends_with_a_program_that_was_killed(tmp_path, around, what):
    """Whatever its own threads do: a process beside it looks after it."""
    mark = f"600.{os.getpid()}{time.monotonic_ns()}"
    done = subprocess.run(
        [*around, sys.executable, "-c", dedent(KILLED), what, mark],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    processes = done.stdout.split()
    assert len(processes) == 3
    assert all_gone(processes)
    assert wait_until(lambda: not named(mark))
    assert wait_until(lambda: not os.listdir(tmp_path))


ENDED_FIRST = """
    import os
    from tests.runtime.python_sessions import opened, parts_of
    session = opened(stop_seconds=0.2)
    print(*parts_of(session), flush=True)
    input()
    os.kill(os.getpid(), 9)
"""


def test_the_folder_goes_with_a_killed_program_also_where_the_code_ends_first(tmp_path, around):
    """The code sees that nobody asks any more; its guardian may be slower to see that."""
    with subprocess.Popen(
        [*around, sys.executable, "-c", dedent(ENDED_FIRST)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as program:  # fmt: skip
        guardian, *code = program.stdout.readline().split()
        os.kill(int(guardian), signal.SIGSTOP)
        program.communicate("\n")
    assert all_gone(code)
    assert os.listdir(tmp_path)
    os.kill(int(guardian), signal.SIGCONT)
    assert all_gone([guardian])
    assert os.listdir(tmp_path) == []


def test_the_code_ends_with_its_guardian():
    with opened(stop_seconds=0.2) as session:
        processes = parts_of(session)
        os.kill(int(processes[0]), signal.SIGKILL)
        assert all_gone(processes)
        assert do(session, "pass").error is None, "the next call has a guardian of its own"


FLOODED = """
    from tests.runtime.python_sessions import do, opened
    flood = (
        "if os.fork() == 0:\\n os.setsid()\\n if os.fork():\\n  os._exit(0)\\n"
        " while True:\\n  os.write(4, b'\\\\x02\\\\0\\\\0\\\\0{}' * 600)\\n"
        "time.sleep(0.3)\\n" + {"die": "os._exit(3)", "live": ""}["HOW"]
    )
    session = opened(stop_seconds=0.2)
    print(do(session, flood).error)
    session.close()
"""


@pytest.mark.parametrize(
    ("how", "error"), [("die", "the process died: it ended with status 3"), ("live", "None")]
)
def test_one_that_escaped_cannot_hold_the_session_by_what_it_says(around, how, error):
    program = dedent(FLOODED).replace("HOW", how)
    done = subprocess.run(
        [*around, sys.executable, "-c", program],
        stdout=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == error


UNREADABLE = """
    from tests.runtime.python_sessions import do, opened
    session = opened(stop_seconds=0.2)
    hidden = "here = os.environ['TMPDIR'] + '/a'; os.makedirs(here + '/b/c'); os.chmod(here, 0)"
    print(do(session, hidden).error)
    session.close()
"""

FORK = """
r, w = os.pipe()
n = 0
try:
    while n < 200:
        if os.fork() == 0:
            os.close(w)
            os.read(r, 1)
            os._exit(0)
        n += 1
except BlockingIOError:
    pass
context["n"] = n
"""


def test_what_nobody_may_look_into_is_removed_all_the_same(tmp_path):
    # Who is root here is made somebody else, whom the system refuses something.
    line = [] if os.getuid() else [need("unshare"), "--map-user=1000", "--map-group=1000"]
    done = subprocess.run(
        [*line, sys.executable, "-c", dedent(UNREADABLE)],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "None\n", done.stderr
    assert os.listdir(tmp_path) == []


def test_the_number_of_processes_has_a_limit():
    """Those that count are its own: the user has more of them running."""
    if not os.getuid():
        pytest.skip("for root the system has no such limit")
    with opened(stop_seconds=0.2, processes=50) as session:
        if not has_own_numbers(session):
            pytest.skip("this kernel does not count them by namespaces")
        assert 30 < do(session, FORK).context["n"] < 50


def has_own_numbers(session):
    """Return whether a session's code is the second process of a kernel that counts by them."""
    pid = do(session, "context['pid'] = os.getpid()").context["pid"]
    return pid == 2 and tuple(map(int, os.uname().release.split(".")[:2])) >= (5, 14)


def test_what_cannot_be_removed_is_told(monkeypatch):
    session = opened(stop_seconds=0.2)
    folder = session._material.folder
    monkeypatch.setattr(PrivateFolder, "remove", lambda _: False)
    session.close()
    assert [one.code for one in session.warnings][-1:] == [Code.IO]
    assert folder in session.warnings[-1].message
    shutil.rmtree(folder)


def test_lines_have_a_limit_too():
    lines = []
    flood = "[os.write(1, b'\\n' * 65536) for _ in range(16)]; time.sleep(600)"
    with opened(on_output=lambda _, line: lines.append(line), lines=1000) as session:
        outcome = do(session, flood)
    assert outcome.crashed
    assert "it printed more than 1000 lines, all tasks in the process" in outcome.error
    assert len(lines) == 1000


def test_the_process_around_it_is_out_of_reach_of_the_code():
    look = """
found = []
for name in ("environ", "mem", "fd/0"):
    try:
        with open(f"/proc/{context['pid']}/{name}", "rb") as file:
            found.append(name)
    except OSError as error:
        pass
context["found"] = found
"""
    with opened(stop_seconds=0.2) as session:
        if not session.network_is_closed:
            pytest.skip("this kernel lets nobody make a namespace of users")
        assert do(session, look, pid=os.getpid()).context["found"] == []
