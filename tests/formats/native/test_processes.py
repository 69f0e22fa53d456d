"""A large package is read by several processes, with the outcome of one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused
from cloacina_ctl.formats.extraction import Extraction
from cloacina_ctl.formats.native.processes import can_fork, in_processes
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import DISCARD
from tests.support.packages import make

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems use threads")

MIB = 1 << 20


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A package of 50 MiB: large files that cross frames, and small ones between them."""
    noise = os.urandom(MIB)
    files = {"workflow/demo/tasks.py": b"import cloaca\n", "package.toml": b"[package]\n"}
    for number in range(10):
        files[f"vendor/large/{number}.bin"] = noise * 5 + bytes([number])
        files |= {f"vendor/small{number}/{k}.txt": b"%d" % k * k for k in range(40)}
    return make(tmp_path_factory.mktemp("large") / "large.cloacina", files), files


def _into(said):
    return lambda *at: said.append(at)


def running_children():
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None


def test_several_processes_unpack_what_one_does(large, tmp_path):
    path, files = large
    for jobs in (1, 2, 3, 7):
        said = []
        with open_any(str(path)) as package, Extraction(str(tmp_path / str(jobs))) as folder:
            poured = package.stream(folder, jobs=jobs, progress=_into(said))
            folder.commit()
        found = {
            str(file.relative_to(tmp_path / str(jobs))): file.read_bytes()
            for file in (tmp_path / str(jobs)).rglob("*")
            if file.is_file()
        }
        assert found == files
        assert [str(file.path) for file in poured.files] == sorted(files)
        assert poured.complete
        total = sum(map(len, files.values()))
        assert said == sorted(said)
        assert {at[1] for at in said} == {total}
        assert said[-1][0] > total * 0.8
    assert running_children() is None


def test_a_flipped_bit_is_found_in_whatever_part_it_lies(large, tmp_path):
    path, _ = large
    with open_any(str(path)) as package:
        offsets = [offset for offset in package.offsets() if offset >= 0]
    data = bytearray(path.read_bytes())
    for offset in (offsets[0], offsets[len(offsets) // 2], offsets[-2]):
        spoiled = data.copy()
        spoiled[offset + 100] ^= 1
        bad = tmp_path / "bad.cloacina"
        bad.write_bytes(spoiled)
        with open_any(str(bad)) as package, pytest.raises(Refused) as caught:
            package.stream(DISCARD, jobs=3)
        (found,) = caught.value.diagnostics
        assert found.code is Code.FRAME_DIGEST
        assert f"byte {offset}" in found.message
        assert found.where == str(bad)
    assert running_children() is None


def test_where_other_threads_run_no_process_is_made(large):
    path, _ = large
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert not can_fork()
        with open_any(str(path)) as package:
            assert package.stream(DISCARD, jobs=2).complete
    finally:
        stop.set()
        thread.join()
    assert can_fork()


def test_the_error_of_the_first_part_that_failed_is_raised():
    def work(part, advance):
        if part:
            raise FileProblem.of(Code.NO_SPACE, f"part {part}", where="x", hint="y")

    with pytest.raises(FileProblem) as caught:
        in_processes(work, [0, 1, 2], lambda count: None)
    (found,) = caught.value.diagnostics
    assert found == Diagnostic(Code.NO_SPACE, "part 1", "x", "y")
    assert found.code is Code.NO_SPACE
    assert running_children() is None


def test_a_bug_in_another_process_is_a_bug_here():
    def work(part, advance):
        if part:
            raise ZeroDivisionError

    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        in_processes(work, [0, 1], lambda count: None)


def test_a_process_that_the_system_kills_is_told_of():
    def work(part, advance):
        if part:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(FileProblem, match="ended by the system"):
        in_processes(work, [0, 1], lambda count: None)


def test_no_process_outlives_an_interruption():
    def work(part, advance):
        if part:
            time.sleep(60)
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        in_processes(work, [0, 1, 2], lambda count: None)
    assert time.monotonic() - began < 30
    assert running_children() is None


def test_progress_of_all_processes_is_added_up():
    said = []

    def work(part, advance):
        for _ in range(10):
            advance(MIB)

    in_processes(work, ["a", "b", "c"], said.append)
    assert 22 * MIB <= sum(said) <= 30 * MIB
