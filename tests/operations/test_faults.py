"""What the system does to a run: no space, signals, rivals, odd terminals and environments."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.verify import verify
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.cli import PROGRAM, Outcome
from tests.support.machine import small_disk
from tests.support.refusals import check_object, check_words, leftovers, tree
from tests.support.waiting import wait_until

MIB = 1 << 20


def blob(project, megabytes=6, name="blob.bin"):
    """Give the project data that does not get smaller."""
    path = project / "src" / "daily_report" / name
    path.write_bytes(os.urandom(MIB) * megabytes)
    return path


@pytest.fixture
def limited(tmp_path):
    """Run the command in a process with limits, or another odd state, of its own."""

    def run(*words, prepare, cwd=None, **env):
        done = subprocess.run(
            [*PROGRAM, *map(str, words)], cwd=cwd or tmp_path, preexec_fn=prepare,
            capture_output=True, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
            timeout=60, check=False,
        )  # fmt: skip
        return Outcome.of(done)

    return run


# Space and permission


def test_a_full_disk(refused, project, tmp_path, signed):
    blob(project)
    package(PackageRequest(str(project), str(tmp_path / "big.cloacina")))
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        (disk / "old").write_text("mine")
        told = refused("package", project, "-o", "disk/x", status=8, code="I004")
        assert "no space left on the device — free some space" in told.err
        refused("package", project, "--force", "-o", "disk/old", status=8, code="I004")
        assert (disk / "old").read_text() == "mine"
        refused("unpack", "big.cloacina", "--allow-unsigned", "-o", "disk/d", status=8, code="I004")
        refused("package", project, cwd=disk, status=8, code="I004")
        (disk / "fill").write_bytes(b"")
        with pytest.raises(OSError, match="No space"):
            (disk / "fill").write_bytes(bytes(2 * MIB))
        refused("key", "export", "default", "-o", "disk/k", status=8, code="I004")
        refused("sign", signed, "--remove", signer(signed), "-o", "disk/s", status=8, code="I004")


def signer(path):
    return verify(str(path)).trusted_signers[0]


def test_a_file_may_not_get_that_large(limited, project, tmp_path):
    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))

    blob(project)
    package(PackageRequest(str(project), str(tmp_path / "big.cloacina")))
    before = tree(tmp_path)
    for words in (
        ("package", project, "-o", "x"),
        ("unpack", "big.cloacina", "--allow-unsigned", "-o", "d"),
    ):
        told = limited(*words, prepare=prepare)
        assert (told.status, "error[I004]" in told.err) == (8, True), told
        check_words(told)
    assert tree(tmp_path) == before


def test_a_folder_that_may_not_be_written(refused, project, signed, tmp_path, config):
    with small_disk(tmp_path / "disk", "size=1m,mode=755") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused("package", project, "-o", "disk/x", status=8, code="I003")
        refused("unpack", signed, "-o", "disk/d", status=8, code="I003")
        refused("key", "generate", "new", status=8, code="I003", CLOACINA_CTL_CONFIG_DIR=str(disk))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_the_user_may_not_write(refused, project, signed, tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    refused("package", project, "-o", "shut/x", status=8, code="I003")
    refused("unpack", signed, "-o", "shut/d", status=8, code="I003")


def test_a_mount_point_is_no_destination(refused, signed, tmp_path):
    with small_disk(tmp_path / "disk", "size=1m"):
        told = refused("unpack", signed, "-o", "disk", status=8, code="I001")
        assert "a mount point" in told.err
        assert "name a folder in it" in told.err


@pytest.mark.parametrize("files", [5, 7])
def test_few_files_may_be_open(limited, project, signed, tmp_path, files):
    """Python itself does not start with fewer; a command may do with what it gets."""

    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    for words in (("package", project, "-o", "x"), ("unpack", signed, "-o", "d")):
        told = limited(*words, prepare=prepare)
        if "Fatal Python error" in told.err:
            pytest.skip("Python does not start")
        check_words(told)
        assert told.status in {0, 8}, told
        assert told.status == 0 or "too many open files" in told.err
    # With two to spare not even a folder in a folder can be opened in order to remove it.
    assert files > 5 or leftovers(tmp_path) == []


# Signals


@pytest.fixture
def slow_project(project):
    """Two hundred megabytes that take long to compress; on the disk they are one file."""
    first = blob(project, 2)
    for number in range(99):
        os.link(first, first.with_name(f"{number}.bin"))
    return project


@contextmanager
def started(tmp_path, *words):
    """Start the command and wait until it stages something."""
    child = subprocess.Popen(
        [*PROGRAM, *map(str, words)], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_until(lambda: child.poll() or leftovers(tmp_path) or writes_unnamed(child, tmp_path))
        assert child.poll() is None, child.communicate()
        yield child
    finally:
        child.kill()
        child.communicate()


def writes_unnamed(child, folder):
    """Tell whether the process has a file in the folder open that has no name."""
    found = Path(f"/proc/{child.pid}/fd")
    with suppress(OSError):  # it may close one just now
        names = [os.readlink(one) for one in found.iterdir()]
        return any(name.startswith(str(folder)) and "(deleted)" in name for name in names)
    return False


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_stopped_while_packing(slow_project, tmp_path, name, status):
    old = name == "SIGTERM"
    if old:
        (tmp_path / "x").write_text("old")
    before = tree(tmp_path)
    words = ("package", slow_project, "-o", "x", "--force", "--level", "19")
    with started(tmp_path, *words) as child:
        child.send_signal(getattr(signal, name))
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (status, "", f"error[X002] stopped by {name}\n")
    assert tree(tmp_path) == before
    assert not old or (tmp_path / "x").read_text() == "old"


def test_stopped_while_packing_is_said_in_json_too(slow_project, tmp_path):
    words = ("package", slow_project, "-o", "x", "--json", "--level", "19")
    with started(tmp_path, *words) as child:
        child.send_signal(signal.SIGINT)
        answered = Outcome(-1, *child.communicate(timeout=20))
    assert child.returncode == 130
    answer = check_object(answered, "package")
    assert [one["code"] for one in answer["diagnostics"]] == ["X002"]


def test_stopped_while_unpacking(slow_project, tmp_path):
    package(PackageRequest(str(slow_project), str(tmp_path / "big"), level=1))
    before = tree(tmp_path)
    with started(tmp_path, "unpack", "big", "-o", "there", "--allow-unsigned") as child:
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (143, "", "error[X002] stopped by SIGTERM\n")
    assert tree(tmp_path) == before


def test_killed_while_packing_leaves_the_old_file_and_nothing_else(cli, slow_project, tmp_path):
    (tmp_path / "x").write_text("old")
    words = ("package", slow_project, "-o", "x", "--force", "--level", "19")
    with started(tmp_path, *words) as child:
        child.kill()
        child.wait()
    assert (tmp_path / "x").read_text() == "old"
    assert leftovers(tmp_path) == []
    assert cli("package", slow_project, "-o", "x", "--force", "--level", "1").status == 0


def test_a_progress_bar_on_a_terminal_and_ctrl_c(slow_project, tmp_path):
    columns, shown = 40, b""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ.update(TERM="xterm", COLUMNS=str(columns))
        os.execv(
            sys.executable,
            [*PROGRAM, "package", str(slow_project), "-o", "x", "--level", "15", "--jobs", "2"],
        )
    pressed = False
    while select.select([terminal], [], [], 30)[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        shown += data
        if not pressed and b"%" in shown:
            os.write(terminal, b"\x03")
            pressed = True
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    bar = shown.partition(b"packing")[2].partition(b"%")[0]
    assert b"\n" not in bar
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")  # the cursor is back
    assert b"stopped by SIGINT" in shown
    assert leftovers(tmp_path) == []


# Others at work


def at_once(tmp_path, *lines):
    """Start all command lines together and return how they ended."""
    children = [
        subprocess.Popen(
            [*PROGRAM, *map(str, words)], cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for words in lines
    ]  # fmt: skip
    ends = [child.communicate(timeout=60) for child in children]
    return [Outcome(child.returncode, *end) for child, end in zip(children, ends, strict=True)]


def test_of_packers_to_one_output_one_wins_whole(project, tmp_path):
    blob(project)
    words = ("package", project, "--no-sign", "-o", "x")
    ends = at_once(tmp_path, *[(*words, "--level", level) for level in range(1, 5)])
    for end in ends:
        check_words(end)
    assert sorted(end.status for end in ends) == [0, 8, 8, 8]
    assert all("error[I001]" in end.err for end in ends if end.status)
    assert verify(str(tmp_path / "x"), VerificationPolicy(allow_unsigned=True)).complete
    assert leftovers(tmp_path) == []


def test_packers_that_may_replace_leave_a_whole_package(project, tmp_path):
    blob(project)
    words = ("package", project, "--no-sign", "--force", "-o", "x")
    ends = at_once(tmp_path, *[(*words, "--level", level) for level in range(1, 5)])
    assert [end.status for end in ends] == [0, 0, 0, 0]
    assert verify(str(tmp_path / "x"), VerificationPolicy(allow_unsigned=True)).complete
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("exists", [False, True])
def test_of_unpackers_to_one_destination_one_wins(project, tmp_path, exists):
    blob(project)
    package(PackageRequest(str(project), str(tmp_path / "big")))
    if exists:
        (tmp_path / "there").mkdir()
    ends = at_once(tmp_path, *[("unpack", "big", "-o", "there", "--allow-unsigned")] * 4)
    for end in ends:
        check_words(end)
    assert sorted(end.status for end in ends) == [0, 8, 8, 8]
    assert all("I007" in end.err for end in ends if end.status), ends
    assert leftovers(tmp_path) == []
    assert (tmp_path / "there" / "workflow/daily_report/blob.bin").stat().st_size == 6 * MIB


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def replace(path):
    path.with_name("other").write_bytes(bytes(path.stat().st_size))
    os.replace(path.with_name("other"), path)


def rewrite(path):
    with path.open("r+b") as file:
        file.write(b"other")


def swap(path):
    path.unlink()
    path.symlink_to("/etc/hostname")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


CHANGES = {
    "grows": grow,
    "gets shorter": lambda path: os.truncate(path, 5),
    "is written to": rewrite,
    "is gone": lambda path: path.unlink(),
    "becomes a link": swap,
    "becomes a pipe": pipe,
}


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "is written to"])
def test_a_file_that_changes_before_it_is_read(project, tmp_path, change):
    later = blob(project, 1, "z.bin")
    refuse_change(project, tmp_path, later, CHANGES[change])


@pytest.mark.parametrize("change", ["grows", "gets shorter", "is written to"])
def test_a_file_that_changes_while_it_is_read(project, tmp_path, change):
    path = blob(project, 8, "a.bin")
    refuse_change(project, tmp_path, path, CHANGES[change], after=3 * MIB)


def refuse_change(project, tmp_path, path, change, after=0):
    """Change ``path`` as soon as so many bytes of the project were read."""
    changed = []

    def at(stage, done, _total):
        if stage == "packing" and done > after and not changed:
            changed.append(path)
            change(path)

    request = PackageRequest(str(project), str(tmp_path / "x"), jobs=2)
    with pytest.raises(FileProblem) as caught:
        package(request, at)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.where) == (Code.CHANGED, str(path))
    assert changed
    assert not (tmp_path / "x").exists()
    assert leftovers(tmp_path) == []


def test_a_project_that_somebody_writes_to_all_the_time(cli, project, tmp_path):
    path = blob(project, 8)
    writer = subprocess.Popen(
        [sys.executable, "-c",
         "import sys\nwhile True: open(sys.argv[1], 'ab', 0).write(b'x')", str(path)],
    )  # fmt: skip
    try:
        ends = [cli("package", project, "--force", "--no-sign", "-o", "x") for _ in range(3)]
    finally:
        writer.kill()
        writer.wait()
    for end in ends:
        check_words(end)
        assert (end.status, "error[P010]" in end.err) in {(8, True), (0, False)}
    assert leftovers(tmp_path) == []


# Environments


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
def test_the_umask_decides_of_modes_and_of_nothing_else(limited, project, tmp_path, mask):
    package(PackageRequest(str(project), str(tmp_path / "usual")))

    def prepare():
        os.umask(mask)

    made = limited("package", project, "-o", "x", prepare=prepare)
    if mask == 0o777 and os.geteuid():
        assert made.status in {0, 8}
        return
    assert made.status == 0, made
    assert (tmp_path / "x").read_bytes() == (tmp_path / "usual").read_bytes()
    assert (tmp_path / "x").stat().st_mode & 0o7777 == 0o644 & ~mask
    unpacked = limited("unpack", "x", "-o", "d", "--allow-unsigned", prepare=prepare)
    assert unpacked.status == 0
    assert (tmp_path / "d").stat().st_mode & 0o7777 == 0o777 & ~mask
    assert (tmp_path / "d" / "package.toml").stat().st_mode & 0o7777 == 0o644 & ~mask


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o640])
def test_a_package_that_is_signed_keeps_its_mode_and_its_owner(cli, signed, mode):
    assert cli("key", "generate", "other").status == 0
    signed.chmod(mode)
    if os.geteuid() == 0:
        os.chown(signed, 4711, 4712)
    before = signed.stat()
    assert cli("sign", signed, "--key", "other").status == 0
    after = signed.stat()
    assert after.st_ino != before.st_ino
    assert after[0] == before[0]
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_a_package_runs_where_a_link_leads_to_the_folder_for_scratch_files(cli, signed, tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "scratch")
    text = json.dumps({"text": "17, AT, 1250"})
    made = cli("run", signed, "--context", text, TMPDIR=str(tmp_path / "link"))
    assert made.status == 0, made
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_home(refused, cli, signed, tmp_path, monkeypatch):
    config = os.environ["CLOACINA_CTL_CONFIG_DIR"]
    monkeypatch.delenv("HOME")
    assert cli("verify", signed).status == 0
    for home in ("", "relative"):
        told = refused(
            "key", "generate", "x", status=8, code="I014", HOME=home, CLOACINA_CTL_CONFIG_DIR="",
            XDG_CONFIG_HOME="",
        )  # fmt: skip
        assert "set HOME, or set CLOACINA_CTL_CONFIG_DIR" in told.err
    assert cli("key", "list", HOME="/nonexistent", CLOACINA_CTL_CONFIG_DIR=config).status == 0


def test_the_current_folder_is_gone(limited, project, signed, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()

    def prepare():
        if gone.exists():
            gone.rmdir()

    def run(*words):
        gone.mkdir(exist_ok=True)
        ended = limited(*words, prepare=prepare, cwd=gone)
        check_words(ended)
        return ended

    for words in (("package", project), ("unpack", signed, "-o", "d"), ("package",), ("validate",)):
        told = run(*words)
        assert told.status == 8, told
        assert "error[I002] the current folder: no such file or folder" in told.err
    assert run("package", project, "-o", tmp_path / "x").status == 0
    assert run("verify", signed).status == 0
    assert run("unpack", signed, "-o", tmp_path / "d").status == 0
    answered = run("package", project, "--json")
    check_object(answered, "package")


def test_no_locale_and_names_beyond_ascii(cli, refused, project, tmp_path):
    names = {"LC_ALL": "C", "LANG": "C"}
    made = cli("package", project, "--no-sign", "-o", "päckchen 🐚.cloacina", **names)
    assert made.status == 0, made
    assert (tmp_path / "päckchen 🐚.cloacina").is_file()
    check_words(made)
    refused("verify", "päckchen 🐚.cloacina", status=4, code="S001", **names)
    refused("verify", "nö", status=8, code="I002", PYTHONIOENCODING="ascii:strict", **names)
    assert cli(
        "unpack", "päckchen 🐚.cloacina", "-o", "dört", "--allow-unsigned", **names
    ).status == 0  # fmt: skip


@pytest.fixture
def shell(tmp_path):
    """Run a line of bash in which `$RUN` is the command."""

    def run(line, **env):
        done = subprocess.run(
            ["bash", "-c", line.replace("$RUN", " ".join(PROGRAM))], cwd=tmp_path,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
            env={**os.environ, **env},
        )  # fmt: skip
        ended = Outcome.of(done)
        check_words(ended)
        return ended

    return run


def test_streams_that_are_closed(shell, signed, tmp_path):
    assert shell("$RUN package project --no-sign -o x <&- >&- 2>&-") == (0, "", "")
    assert (tmp_path / "x").stat().st_size > 1000
    assert shell("$RUN verify signed.cloacina >&-") == (0, "", "")
    assert shell("$RUN verify project >&-").status == 8
    assert shell("$RUN verify project --json 2>&- >&-") == (8, "", "")
    assert shell("$RUN inspect - <&-").status == 3
    told = shell("$RUN inspect signed.cloacina >/dev/full")
    assert (told.status, told.out) == (8, "")
    assert "standard output: no space left" in told.err


def test_a_closed_pipe_is_silent(shell, signed):
    line = "set -o pipefail; $RUN {} | true"
    assert shell(line.format("inspect signed.cloacina")) == (0, "", "")
    assert shell(line.format("package project --list -v")).status == 0
    assert shell(line.format("verify project --json")).status == 8
    assert shell("set -o pipefail; $RUN package project --no-sign -o x | true").status == 0


def test_a_package_on_standard_input(shell, signed):
    assert shell("cat signed.cloacina | $RUN verify -").status == 0
    told = shell("cat signed.cloacina | $RUN verify -", TMPDIR="/nonexistent")
    assert (told.status, "/nonexistent: no such file" in told.err) == (8, True)
    assert shell("head -c -1 signed.cloacina | $RUN unpack - -o d").status == 3
    assert shell("yes | $RUN inspect -").status == 3


@pytest.mark.parametrize("env", [{"NO_COLOR": "1", "COLUMNS": "1"}, {"TERM": ""}])
def test_odd_terminals(shell, signed, env):
    for words in ("inspect signed.cloacina", "package --help", "package project --list"):
        assert shell(f"$RUN {words}", **env).status == 0
    assert shell("$RUN --frobnicate", **env).status == 2
