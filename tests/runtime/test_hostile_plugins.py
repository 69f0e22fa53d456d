"""Libraries that lie, crash, hang, flood and escape: an ordinary error each, and nothing stays."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from cloacina_ctl.errors import Code, FileProblem, Incompatible, Refused
from cloacina_ctl.runtime import load_library
from cloacina_ctl.runtime.process.child import HostOptions
from tests.support.machine import need
from tests.support.plugins import plugin, raw, session_of
from tests.support.waiting import wait_until


@pytest.fixture
def lines():
    return []


@pytest.fixture
def session(lines, tmp_path):
    options = HostOptions(
        on_output=lambda _, line: lines.append(line), allow_write=(str(tmp_path),)
    )
    with session_of(plugin(500), options=options, stop_seconds=0.3) as session:
        yield session


def do(session, what, timeout=20.0, **more):
    return session.run_task("after", {"do": what, **more}, timeout=timeout)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def assert_that_nobody_writes(mark):
    """A process that writes every 20 ms, were it there, would soon have written again."""
    mark.write_text("")
    with pytest.raises(AssertionError, match="did not happen"):
        wait_until(mark.read_text, seconds=0.1)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("crash", "SIGSEGV, an invalid memory access; it said: about to touch"),
        ("abort", "SIGABRT"),
        ("exit", "it ended with status 7"),
        ("close", "it closed its pipe for answers"),
        ("forge", "its result is larger than 32 MiB, the limit for one result"),
        ("babble", "it broke the protocol: it is not an object"),
    ],
)
def test_a_task_that_takes_its_process_down_is_an_outcome(session, what, words):
    outcome = do(session, what)
    assert not outcome.succeeded
    assert outcome.crashed
    assert words in outcome.error
    assert do(session, "").succeeded, "the next task has a process of its own"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("panic", "it panicked: index out of bounds"),
        ("refuse", "CONTEXT_ERROR: not like this"),
        ("odd status", "an unknown status: 77"),
        ("minus two", "cannot read the request"),
        ("cut", "returns malformed data: cut short"),
        ("garbage", "status -3 and 2 unreadable bytes"),
        ("nothing", "returns malformed data: cut short"),
        ("list", "the result is not a JSON object"),
        ("nan", "the result is not a JSON object"),
        ("fail", "Task 'after' failed: as it should"),
        ("silent", "it gave no reason"),
    ],
)
def test_a_call_that_fails_says_what_the_plugin_said(session, what, words):
    outcome = do(session, what)
    assert not outcome.succeeded
    assert not outcome.crashed
    assert words in outcome.error


def test_who_ran_beside_a_task_that_crashes_is_told_to_all_of_them(session):
    ended = []
    other = threading.Thread(
        target=lambda: ended.append(session.run_task("sleep", {"n": 20000}, timeout=60))
    )
    other.start()
    wait_until(lambda: session._host._asked)
    outcome = do(session, "abort")
    other.join()
    for one in (outcome, ended[0]):
        assert one.crashed
        assert "`after` and `sleep` ran in it, and one of them may be why" in one.error
    assert "ran in it" not in do(session, "abort").error


def test_a_task_that_returns_no_context_gives_none(session):
    outcome = do(session, "keep")
    assert outcome.succeeded
    assert outcome.context is None


def test_an_endless_loop_ends_with_its_time_and_harms_no_other_task(session):
    slow = []
    other = threading.Thread(
        target=lambda: slow.append(session.run_task("sleep", {"n": 600}, timeout=20))
    )
    other.start()
    wait_until(lambda: session._host._asked)
    outcome = do(session, "loop", timeout=0.2)
    assert outcome.timed_out
    assert outcome.error == "not done within 0.2 seconds"
    assert do(session, "").succeeded
    other.join()
    assert slow[0].succeeded


def test_a_flood_of_output_ends_the_process(lines):
    options = HostOptions(on_output=lambda _, line: lines.append(line))
    with session_of(plugin(500), options=options, output=1 << 20) as session:
        outcome = do(session, "flood")
    assert outcome.crashed
    assert "it printed more than 1 MiB, all tasks in the process together" in outcome.error
    assert sum(len(line) + 1 for line in lines) <= (1 << 20) + 100


@pytest.mark.parametrize("how", ["linger", "escape"])
@pytest.mark.parametrize("crashes", [False, True])
def test_a_process_that_the_plugin_forked_ends_with_the_plugin(session, tmp_path, how, crashes):
    """One that escapes has a session of its own, so that no signal to the group reaches it."""
    mark = tmp_path / "alive"
    mark.write_text("")
    assert do(session, f"{how} {mark}\0").succeeded
    wait_until(mark.read_text)
    if crashes:
        assert do(session, "crash").crashed
    session.close()
    assert_that_nobody_writes(mark)


def test_a_plugin_that_ignores_the_request_to_end_is_ended(lines):
    options = HostOptions(on_output=lambda _, line: lines.append(line))
    session = session_of(plugin(500), options=options, stop_seconds=0.2)
    assert do(session, "stubborn", timeout=0.3).timed_out
    began = time.monotonic()
    session.close()
    assert time.monotonic() - began < 5
    assert "I stay" in lines


def test_closing_while_a_task_runs_is_an_outcome_of_that_task():
    session = session_of(plugin(500), stop_seconds=0.2)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(do(session, "", n=1)))
    sleeping = threading.Thread(
        target=lambda: outcomes.append(session.run_task("sleep", {"n": 30_000}))
    )
    sleeping.start()
    wait_until(lambda: session._host._asked)
    session.close()
    sleeping.join(10)
    assert not thread.is_alive()
    assert outcomes[0].error == "the session was closed"


def test_the_environment_has_nothing_of_this_process(session, lines, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    session.close()
    options = HostOptions(
        on_output=lambda _, line: lines.append(line), environment={"CLOACINA_VAR_X": "1"}
    )
    with session_of(plugin(500), options=options) as fresh:
        do(fresh, "environment")
    names = {line.partition("=")[0] for line in lines if "=" in line}
    assert names <= {
        "PATH", "HOME", "TMPDIR", "LANG", "RUST_BACKTRACE", "PYTHONDONTWRITEBYTECODE",
        "GIT_CONFIG_NOSYSTEM",
        "CLOACINA_VAR_X", "LC_CTYPE",
    }  # fmt: skip
    assert "CLOACINA_VAR_X=1" in lines
    assert "RUST_BACKTRACE=0" in lines


def test_no_descriptor_of_this_process_is_open_there(session, lines, tmp_path):
    with open(tmp_path / "mine", "w") as mine:
        os.set_inheritable(mine.fileno(), True)
        session.close()
        options = HostOptions(on_output=lambda _, line: lines.append(line))
        with session_of(plugin(500), options=options) as fresh:
            do(fresh, "descriptors")
    assert not [line for line in lines if line.startswith("open ")]


def test_there_is_no_network_unless_it_is_allowed(session):
    if not session.network_is_closed:
        pytest.skip("this kernel lets nobody make a network of its own")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert do(session, "connect", n=port).context == {"connects": False}
        with session_of(plugin(500), options=HostOptions(allow_network=True)) as open_session:
            assert not open_session.network_is_closed
            assert do(open_session, "connect", n=port).context == {"connects": True}


def test_memory_has_a_limit(lines):
    options = HostOptions(on_output=lambda _, line: lines.append(line))
    with session_of(plugin(500), options=options, memory=2 << 30) as session:
        do(session, "memory")
    assert "refused" in lines


def test_processor_time_has_a_limit():
    with session_of(plugin(500), cpu_seconds=1) as session:
        outcome = do(session, "loop", timeout=30)
    assert outcome.crashed
    assert "SIGXCPU" in outcome.error or "SIGKILL" in outcome.error


def test_a_plugin_that_deletes_its_own_folder_gains_nothing(session):
    assert do(session, "remove").succeeded
    assert do(session, "").succeeded


@pytest.mark.parametrize(
    ("broken", "code", "words"),
    [
        ("NULL_REGISTRY", Code.PLUGIN_ANSWER, "returns no registry"),
        ("BAD_MAGIC", Code.UNKNOWN_ABI, "a registry of an unknown kind"),
        ("NO_PLUGINS", Code.NO_PLUGIN, "registers 0 plugins"),
        ("EMPTY_ENTRY", Code.PLUGIN_ANSWER, "an empty entry"),
        ("UNKNOWN_ABI", Code.UNKNOWN_ABI, "the ABI of the plugin is not supported: 900"),
        ("BAD_SIZE", Code.UNKNOWN_ABI, "a descriptor of 128 bytes where ABI 500 has 120"),
        ("STRATEGY", Code.UNKNOWN_ABI, "buffers of strategy 0"),
        ("NO_METHODS", Code.PLUGIN_ANSWER, "claims 0 methods"),
        ("OTHER_INTERFACE", Code.NO_PLUGIN, "no plugin of the interface CloacinaPlugin"),
        ("METADATA_FAILS", Code.LOAD_FAILED, "BROKEN: no tasks today (why not)"),
        ("METADATA_CUT", Code.LOAD_FAILED, "returns malformed data"),
        ("METADATA_UTF8", Code.LOAD_FAILED, "not UTF-8"),
        ("METADATA_HUGE", Code.LOAD_FAILED, "returns 4294967295 bytes"),
        ("TWICE", Code.PLUGIN_ANSWER, "two tasks with the same id"),
        ("WILD_DESCRIPTOR", Code.CRASHED, "SIGSEGV"),
        ("WILD_NAME", Code.CRASHED, "SIGSEGV"),
    ],
)
def test_a_descriptor_that_lies_is_refused(broken, code, words):
    with pytest.raises((Refused, Incompatible)) as refused:
        load_library(plugin(500, BROKEN=broken))
    (found,) = refused.value.diagnostics
    assert found.code is code
    assert words in found.message


@pytest.mark.parametrize(
    ("broken", "code", "words"),
    [
        ("NULL_METADATA", Code.PLUGIN_ANSWER, "no metadata"),
        ("MANY", Code.PLUGIN_ANSWER, "claims 4000000000 tasks"),
        ("NO_EXECUTE", Code.NO_PLUGIN, "cloacina_execute_task"),
        ("UTF8", Code.PLUGIN_ANSWER, "the description of `collect` is not UTF-8"),
        ("BAD_JSON", Code.PLUGIN_ANSWER, "the dependencies of `collect` are not JSON"),
        ("WILD", Code.CRASHED, "SIGSEGV"),
    ],
)
def test_a_struct_that_lies_is_refused(broken, code, words):
    with pytest.raises(Refused) as refused:
        load_library(raw(3, BROKEN=broken))
    (found,) = refused.value.diagnostics
    assert found.code is code
    assert words in found.message


def test_a_library_that_is_not_loaded_in_time_is_ended():
    with pytest.raises(Refused) as refused:
        session_of(plugin(500, BROKEN="LONG_LOAD"), load_seconds=0.5)
    assert str(refused.value) == "not loaded within 0.5 seconds; it said: thinking"


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 5000, b"just a text\n" * 99, b"\x7fELF" + b"\0" * 99]
)
def test_a_file_that_is_no_library_is_called_what_it_is(tmp_path, data):
    path = tmp_path / "x.so"
    path.write_bytes(data)
    with pytest.raises(Refused) as refused:
        load_library(path)
    assert refused.value.diagnostics[0].code in (Code.NOT_A_LIBRARY, Code.DAMAGED_LIBRARY)


def test_a_library_of_another_machine_is_incompatible(tmp_path):
    data = bytearray(plugin(500).read_bytes())
    data[18:20] = (183).to_bytes(2, "little") if os.uname().machine == "x86_64" else b"\x3e\0"
    path = tmp_path / "x.so"
    path.write_bytes(data)
    with pytest.raises(Incompatible) as refused:
        load_library(path)
    (found,) = refused.value.diagnostics
    assert found.code is Code.PLATFORM_MISMATCH
    assert os.uname().machine in found.message


def test_a_library_without_a_plugin_says_what_is_missing():
    import _struct  # any shared library of the interpreter

    with pytest.raises(Refused) as refused:
        load_library(_struct.__file__)
    assert refused.value.diagnostics[0].code is Code.NO_PLUGIN


def test_a_library_that_is_not_there_is_a_file_problem(tmp_path):
    with pytest.raises(FileProblem):
        load_library(tmp_path / "none.so")


def test_the_child_ends_when_whoever_started_it_is_killed(tmp_path):
    program = (
        "import os, sys\n"
        "from tests.support.plugins import session_of\n"
        "from pathlib import Path\n"
        "s = session_of(Path(sys.argv[1]))\n"
        "os.makedirs(s._material.folder + '/package/workflow')\n"
        "open(s._material.folder + '/package/x', 'w').close()\n"
        "os.symlink('/etc', s._material.folder + '/package/link')\n"
        "print(s._host.child._pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(plugin(500))],
        capture_output=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not is_there(int(done.stdout)))
    assert os.listdir(tmp_path) == [], "it tidies up behind the one that could not"


def test_what_takes_the_output_may_fail_and_the_session_still_ends():
    def broken(_stream, _line):
        raise BrokenPipeError

    caught = []
    before, threading.excepthook = threading.excepthook, lambda told: caught.append(told.exc_type)
    try:
        with session_of(plugin(500), options=HostOptions(on_output=broken)) as session:
            outcome = do(session, "print")
            assert outcome.crashed
            assert "its output could not be delivered" in outcome.error
    finally:
        threading.excepthook = before
    assert caught[0] is BrokenPipeError


@pytest.mark.parametrize(
    ("denied", "closed"),
    [
        (("pid",), True),
        (("user",), True),
        (("user", "net"), True),
    ],
)
def test_what_the_kernel_does_not_allow_is_done_without_and_told(tmp_path, denied, closed):
    """In containers and on locked-down machines some namespaces cannot be had, or none."""
    program = (
        "import sys, os\n"
        "from pathlib import Path\n"
        "from tests.support.plugins import session_of\n"
        "from cloacina_ctl.runtime.process.child import HostOptions\n"
        "options = HostOptions(allow_write=(os.path.dirname(sys.argv[2]),))\n"
        "with session_of(Path(sys.argv[1]), options=options, stop_seconds=0.3) as session:\n"
        "    print(session.network_is_closed)\n"
        "    print(session.run_task('after', {'do': 'linger ' + sys.argv[2]}).succeeded)\n"
    )
    limits = " && ".join(f"echo 0 > /proc/sys/user/max_{kind}_namespaces" for kind in denied)
    mark = tmp_path / "alive"
    mark.write_text("")
    command = [sys.executable, "-c", program, str(plugin(500)), str(mark)]
    done = subprocess.run(
        [need("unshare"), "-Ur", "sh", "-c", f'{limits} && exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip("no namespace at all can be had here")
    assert done.stdout.split() == [str(closed), "True"], done.stderr
    assert_that_nobody_writes(mark)
