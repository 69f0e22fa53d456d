"""What a package's code is kept from: each promise of docs/runtime.md has its probe here.

The probes are harmless: files, sockets and processes of the tests themselves.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from textwrap import dedent

import pytest

from cloacina_ctl.errors import FileProblem, UsageError
from cloacina_ctl.runtime.host.confinement.syscall_numbers import NUMBERS, REFUSED
from cloacina_ctl.runtime.process.child import HostOptions
from cloacina_ctl.runtime.process.grants import current_folder
from tests.runtime.python_sessions import CONNECT, NONE, READ, do, opened, parts_of, said, state_of
from tests.support.machine import folder_for_all, need, python_as_nobody
from tests.support.waiting import wait_until

LINUX = sys.platform == "linux"
pytestmark = pytest.mark.skipif(not LINUX, reason="only Linux isolates")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder to read, one to write, and one that is not given, with a file in each."""
    base = tmp_path_factory.mktemp("places")
    for name in ("read", "write", "hidden"):
        (base / name).mkdir()
        (base / name / "file").write_text(name)
    return base


@pytest.fixture(scope="module")
def session(places):
    options = HostOptions(allow_read=(str(places / "read"),), allow_write=(str(places / "write"),))
    with opened(options=options, stop_seconds=0.3) as session:
        if session.isolation.missing:
            pytest.skip(f"this machine does not give all of it: {session.isolation.missing}")
        yield session


WRITE = "open(context['path'], 'w').write('x'); context['said'] = 'written'"
GONE = (errno.ENOENT, errno.EACCES)


def test_it_reads_what_is_given_to_it_and_the_systems_files(session, places):
    assert said(session, READ, path=str(places / "read" / "file")) == "read"
    assert said(session, READ, path="/etc/passwd")
    assert said(session, "context['said'] = os.listdir('/usr/bin')")


def test_it_writes_what_is_given_to_it_its_own_folder_and_temporary_files(session, places):
    assert said(session, WRITE, path=str(places / "write" / "new")) == "written"
    assert (places / "write" / "new").read_text() == "x"
    for path in ("own", "/tmp/own", "/var/tmp/own", "/dev/shm/own", "/dev/null"):
        assert said(session, WRITE, path=path) == "written"
    assert not os.path.exists("/tmp/own")
    assert not os.path.exists("/dev/shm/own")


def test_it_changes_nothing_of_what_it_may_read(session, places):
    for path in (places / "read" / "file", places / "read" / "new", "/usr/new", "/etc/passwd"):
        assert said(session, WRITE, path=str(path)) in (errno.EROFS, errno.EACCES)
    remove = "os.remove(context['path'])"
    assert said(session, remove, path=str(places / "read" / "file")) in (errno.EROFS, errno.EACCES)


@pytest.mark.parametrize("path", ["{0}/hidden/file", "~/.bashrc", "/etc/shadow", "~", "/run"])
def test_it_sees_nothing_of_what_is_not_given(session, places, path):
    path = os.path.expanduser(path.format(places))
    look = "context['said'] = os.listdir(context['path'])"
    assert said(session, READ, path=path) in (*GONE, errno.EISDIR)
    assert said(session, look, path=path) in (*GONE, errno.ENOTDIR)


def test_its_own_folder_cannot_be_moved_or_removed(session):
    for what in ("os.rmdir(os.environ['HOME'])", "os.rename(os.environ['HOME'], '/tmp/away')"):
        assert said(session, what) in (errno.EBUSY, errno.EACCES, errno.EXDEV)


@pytest.mark.parametrize("kind", ["tcp", "path", "abstract"])
def test_it_reaches_no_socket_of_anybody(session, tmp_path, kind):
    if kind == "tcp":
        listener, family, address = socket.socket(), "AF_INET", ("127.0.0.1", 0)
    else:
        listener, family = socket.socket(socket.AF_UNIX), "AF_UNIX"
        address = str(tmp_path / "s") if kind == "path" else f"\0probe-{os.getpid()}"
    with listener:
        listener.bind(address)
        listener.listen()
        address = listener.getsockname() if kind == "tcp" else address
        found = said(session, CONNECT, family=family, address=address)
    unreached = (errno.ENETUNREACH, errno.ECONNREFUSED, errno.EPERM)
    assert found in (*GONE, *unreached)


def test_with_a_network_it_still_reaches_no_socket_of_the_users_programs(tmp_path):
    with opened(options=HostOptions(allow_network=True)) as session, socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        address = tcp.getsockname()
        assert said(session, CONNECT, family="AF_INET", address=address) == "connected"
        for address in (str(tmp_path / "s"), f"\0probe2-{os.getpid()}"):
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(address)
                listener.listen()
                found = said(session, CONNECT, family="AF_UNIX", address=address)
            assert found in (*GONE, errno.EPERM, errno.ECONNREFUSED)


def test_other_processes_are_out_of_its_sight_and_reach(session):
    with subprocess.Popen([need("sleep"), "60"]) as bystander:
        try:
            before = _adjustment(bystander.pid)
            path = f"/proc/{bystander.pid}/oom_score_adj"
            assert said(session, WRITE.replace("'x'", "'555'"), path=path) in (*GONE, errno.EROFS)
            assert _adjustment(bystander.pid) == before
            kill = "os.kill(context['pid'], 0)"
            assert said(session, kill, pid=bystander.pid) == errno.ESRCH
            numbers = "context['said'] = len([n for n in os.listdir('/proc') if n.isdigit()])"
            assert said(session, numbers) == 2
        finally:
            bystander.kill()


def _adjustment(pid):
    with open(f"/proc/{pid}/oom_score_adj") as file:
        return file.read()


def test_the_kernels_settings_are_out_of_its_reach(session):
    for path in (
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/self/oom_score_adj",
    ):
        assert said(session, f"open({path!r}, 'r+')") in (errno.EROFS, *GONE)


def test_it_leaves_no_shared_memory_behind(session):
    key = 0x5EED0000 | (os.getpid() & 0xFFFF)
    make = "import ctypes; context['said'] = ctypes.CDLL(None).shmget(context['key'], 4096, 0o1600)"
    assert said(session, make, key=key) >= 0
    with open("/proc/sysvipc/shm") as file:
        assert str(key) not in file.read().split()


def test_it_has_no_capability_and_no_way_to_one(session):
    status = said(session, "context['said'] = open('/proc/self/status').read()")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[name], 16) == 0
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
given = [ctypes.c_long(one) for one in context["call"]]
context["said"] = [libc.syscall(*given), ctypes.get_errno()]
"""


def test_what_no_task_needs_is_refused(session):
    column = os.uname().machine == "aarch64"
    for name, numbers in REFUSED.items():
        if numbers[column] >= 0:
            found = said(session, CALL, call=[numbers[column], 0, 0, 0, 0, 0])
            assert found == [-1, errno.EPERM], name


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("clone", [0x10000000 | 17], errno.EPERM),
        ("clone3", [0, 0], errno.ENOSYS),
        ("ioctl", [0, 0x5412, 0], errno.EPERM),
        ("ioctl", [0, 0x541C, 0], errno.EPERM),
        ("ioctl", [0, 0x1_0000_5412, 0], errno.EPERM),
        ("socket", [40, 1, 0], errno.EAFNOSUPPORT),
        ("socket", [38, 5, 0], errno.EAFNOSUPPORT),
    ],
)
def test_what_is_judged_by_its_arguments(session, name, arguments, error):
    number = NUMBERS[name][os.uname().machine == "aarch64"]
    assert said(session, CALL, call=[number, *arguments]) == [-1, error]


def test_a_call_that_no_kernel_has_yet_is_none(session):
    assert said(session, CALL, call=[4000, 0]) == [-1, errno.ENOSYS]


WORKS = """
import asyncio, ctypes, multiprocessing, socket, sqlite3, subprocess, sys, tempfile, threading
one, other = socket.socketpair()
one.send(b"x")
lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
child = multiprocessing.Process(target=queue.put, args=(3,))
child.start()
async def wait():
    await asyncio.sleep(0)
    return await asyncio.to_thread(lambda: 5)
with tempfile.TemporaryFile() as file, sqlite3.connect("x.db") as database:
    database.execute("create table t (n)")
server = socket.socket(socket.AF_UNIX)
server.bind("own.socket")
done = subprocess.run(["/bin/sh", "-c", "echo 7"], capture_output=True)
context["said"] = [other.recv(1).decode(), queue.get(), asyncio.run(wait()), done.stdout.decode()]
"""


def test_what_tasks_do_every_day_works(session):
    assert said(session, WORKS) == ["x", 3, 5, "7\n"]


def test_the_code_leads_a_group_that_its_guardian_is_not_in(session):
    groups = said(session, "context['said'] = [os.getpid(), os.getpgrp(), os.getsid(0)]")
    assert len(set(groups)) == 1
    guardian = session._host.child._pid
    for line in ("os.kill(0, 18)", "os.killpg(os.getpgrp(), 18)"):
        assert said(session, f"{line}; context['said'] = 'done'") == "done"
    assert state_of(guardian) != "T"


GROWS = """
import multiprocessing, time
def hold():
    data = b"x" * (90 << 20)
    time.sleep(20)
held = [multiprocessing.Process(target=hold, daemon=True) for _ in range(6)]
for one in held:
    one.start()
for _ in range(200):
    time.sleep(0.05)
    if any(one.exitcode for one in held):
        break
context["said"] = [one.exitcode for one in held if one.exitcode]
"""


def test_memory_has_one_limit_for_all_processes():
    with opened(memory=300 << 20, stop_seconds=0.3) as session:
        if not session.isolation.memory_together:
            pytest.skip("no group of processes can be made here")
        (group,) = _groups_of(parts_of(session)[-1])
        # The largest is ended: one of the children, or the process of the code itself.
        names = "{'context': context}"
        outcome = do(session, f"exec({GROWS!r}, {names})", timeout=30)
        assert outcome.crashed or set(outcome.context["said"]) == {-9}
    assert wait_until(lambda: not os.path.isdir(group))


def _groups_of(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        lines = [line.strip().split(":", 2) for line in file if "cloacina-ctl-" in line]
    return [f"/sys/fs/cgroup{'/memory' if kind else ''}{path}" for _, kind, path in lines]


def test_what_a_killed_guardian_leaves_of_its_limit_is_removed_by_the_next():
    with opened(stop_seconds=0.3) as session:
        if not session.isolation.memory_together:
            pytest.skip("nobody can make a group for memory here")
        guardian, *_, code = parts_of(session)
        left = _groups_of(code)
        os.kill(int(guardian), signal.SIGKILL)
        assert wait_until(lambda: not any(map(state_of, (guardian, code))))
        assert all(map(os.path.isdir, left))
        with opened(stop_seconds=0.3) as another:
            assert not any(map(os.path.isdir, left))
            held = _groups_of(parts_of(another)[-1])
            assert do(session, "pass").error is None
            assert all(map(os.path.isdir, held)), "one that is held stays"


PROBES = """
    import os, socket, sys
    from cloacina_ctl.runtime.process.child import HostOptions
    from tests.runtime.python_sessions import CONNECT, READ, do, opened, said
    hidden, address = sys.argv[1:]
    with opened(stop_seconds=0.3) as session:
        print(*session.isolation.missing, sep=", ")
        print(session.network_is_closed, [one.code.value for one in session.warnings])
        print(said(session, READ, path=hidden))
        print(said(session, CONNECT, family="AF_UNIX", address=address))
        print(said(session, CONNECT, family="AF_INET", address=["127.0.0.1", 1]))
"""


@pytest.mark.parametrize("how", ["nobody", "no namespaces", "no /proc"])
def test_who_runs_it_and_where_changes_only_what_it_says(how):
    """As another user all of it holds; where namespaces are refused files and sockets still do."""
    with folder_for_all() as folder, socket.socket(socket.AF_UNIX) as listener:
        around, python = [], sys.executable
        if how == "nobody":
            *around, python = python_as_nobody(folder / "python")
        elif how == "no namespaces":
            around = [need("unshare"), *NONE[1:], "sh"]
        else:  # a container covers parts of /proc, and then no other one can be mounted
            cover = 'mount -t tmpfs none /proc/irq && exec "$@"'
            around = [need("unshare"), "-Urmpf", "--mount-proc", "sh", "-c", cover, "sh"]
        (folder / "hidden").write_text("hidden")
        listener.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        listener.listen()
        done = subprocess.run(
            [*around, python, "-c", dedent(PROBES), str(folder / "hidden"), str(folder / "socket")],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    missing, network, read, unix, tcp = done.stdout.splitlines()
    expected = {
        "nobody": "",
        "no namespaces": "process numbers of its own, shared memory of its own, "
        "a file system of its own",
        "no /proc": "a /proc of its own",
    }
    assert missing == expected[how]
    assert network.startswith("True ")
    assert ("T015" in network) >= bool(missing)
    assert int(read) in GONE
    assert int(unix) in GONE
    assert int(tcp) == errno.ENETUNREACH


REQUIRED = """
    from cloacina_ctl.errors import CloacinaError
    from cloacina_ctl.runtime.process.child import HostOptions
    from tests.runtime.python_sessions import opened
    try:
        with opened("print('loaded', flush=True)", HostOptions(require_isolation=True),
                    on_output=lambda _, line: print(line)):
            pass
    except CloacinaError as error:
        print(type(error).__name__, error.diagnostics[0].code, error)
"""


def test_isolation_that_is_required_and_not_there_loads_nothing():
    done = subprocess.run(
        [need("unshare"), *NONE[1:], "sh", sys.executable, "-c", dedent(REQUIRED)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("Incompatible T016 the kernel isolates"), done.stderr
    assert "loaded" not in done.stdout


def test_isolation_that_is_required_and_there_is_no_obstacle(session):
    with opened(options=HostOptions(require_isolation=True)) as other:
        assert other.isolation.missing == ()


def test_a_folder_with_secrets_is_never_given(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config" / "keys").mkdir(parents=True)
    (tmp_path / "link").symlink_to("config")
    for path in ("config", "config/keys", "link", "."):
        with pytest.raises(UsageError, match="holds your keys"):
            opened(options=HostOptions(allow_read=(str(tmp_path / path),)))
    with pytest.raises(UsageError, match="holds your keys"):
        opened(options=HostOptions(allow_write=("/",)))
    with pytest.raises(FileProblem, match="no such file"):
        opened(options=HostOptions(allow_read=(str(tmp_path / "absent"),)))


@pytest.mark.parametrize("path", ["/dev", "/proc", "/proc/self", "/proc/sys/kernel"])
def test_the_code_keeps_devices_and_processes_of_its_own(path):
    """To bind those of the system over them would take the code's own root apart."""
    for given in (HostOptions(allow_read=(path,)), HostOptions(allow_write=(path,))):
        with pytest.raises(UsageError, match="has a /dev and a /proc of its own"):
            opened(options=given)
    with opened(options=HostOptions(allow_write=("/dev/zero",))) as other:
        assert other.isolation.missing == ()


def test_no_common_limit_of_memory_is_said_and_is_no_lack_of_isolation():
    """What is not there is never silently missing; `--require-isolation` is not about limits."""
    around = [need("unshare"), "-Urm", "sh", "-c"]
    around += ['mount -t tmpfs -o ro none /sys/fs/cgroup && exec "$@"', "sh"]
    done = subprocess.run(
        [*around, sys.executable, "-c", dedent(NO_GROUP)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    together, said = done.stdout.splitlines()
    assert together == "False"
    assert said.startswith("T015 note the memory limit holds for each process of the code, not")


NO_GROUP = """
    from cloacina_ctl.runtime.process.child import HostOptions
    from tests.runtime.python_sessions import opened
    with opened(options=HostOptions(require_isolation=True), stop_seconds=0.3) as session:
        print(session.isolation.memory_together)
        for one in session.warnings:
            print(one.code.value, one.severity.value, one.message)
"""


def test_the_current_folder_is_given_unless_it_is_too_much(tmp_path, monkeypatch):
    home, project = tmp_path / "home", tmp_path / "home" / "project"
    project.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(project)
    assert current_folder().path == str(project)
    for folder, why in ((home, "your home folder"), ("/", "of the system"), (tmp_path, "is in it")):
        monkeypatch.chdir(folder)
        assert current_folder().path is None
        assert why in current_folder().why
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(project / ".keys"))
    monkeypatch.chdir(project)
    assert "keys" in current_folder().why


BEFORE_5_12 = """
    import os, sys
    from cloacina_ctl.runtime.host.confinement import confine, root

    def absent(*_):
        raise OSError(38, "no such system call")

    root._change = absent
    folder, given = sys.argv[1:]
    own = confine.Confinement(
        {"folder": folder, "network": False, "grants": [[], [given], []], "engine": None,
         "required": False}
    )
    own.enter_namespaces()
    if os.fork() == 0:
        own.make_root()
        print(own.missing)
        for path in ("/usr/x", "/etc/x", "/proc/self/comm", folder + "/x", given + "/x", "/tmp/x"):
            try:
                open(path, "w").close()
                print("written")
            except OSError as error:
                print(error.errno)
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


def test_an_older_kernel_protects_each_mount_by_itself(session, tmp_path):
    """Before Linux 5.12 there is no `mount_setattr`; this stands in for such a kernel."""
    for name in ("own", "given"):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-c", dedent(BEFORE_5_12), tmp_path / "own", tmp_path / "given"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["[]", *["30"] * 3, *["written"] * 3], done.stderr
