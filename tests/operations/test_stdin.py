"""A package on standard input: from a pipe or a file, refused early where it is none."""

import os
import subprocess
import sys

from tests.support.packages import make


def inspect(stdin, **how):
    return subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", "inspect", "-", "--json"], stdin=stdin,
        capture_output=True, timeout=60, check=False, **how,
    )  # fmt: skip


def test_a_pipe_and_a_file_say_the_same(tmp_path):
    path = make(tmp_path / "x.cloacina")
    with path.open("rb") as file:
        from_file = inspect(file)
    cat = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE)
    from_pipe = inspect(cat.stdout)
    cat.stdout.close()
    cat.wait()
    assert from_file.returncode == from_pipe.returncode == 0
    assert from_file.stdout == from_pipe.stdout


def test_what_is_no_package_is_refused_before_the_end_comes():
    read, write = os.pipe()
    os.write(write, b"<!doctype html><html>" + b" " * 1000)
    with os.fdopen(read) as stdin:
        refused = inspect(stdin)  # the writing end stays open
    os.close(write)
    assert refused.returncode == 3
    assert b"HTML" in refused.stdout
