"""Several runs change one file at the same moment: nothing is lost, or one of them says so."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files import locks
from cloacina_ctl.files.staging import Replaced, StagedFile, write_all
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.keys import ExportRequest, export_key, signing_keys
from cloacina_ctl.operations.sign import SignRequest, sign
from cloacina_ctl.operations.verify import verify
from cloacina_ctl.signing.sidecar import find_sidecar
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.cli import Outcome
from tests.support.legacy import source
from tests.support.refusals import check_words, leftovers

# Each waits for the same moment, so that none has ended before the last has started.
RUN = (
    "import sys, runpy; sys.stdin.read(1); sys.argv = sys.argv[1:];"
    "runpy.run_module('cloacina_ctl', run_name='__main__')"
)


def at_once(folder, *lines):
    """Start all command lines, let them go together, and return how they ended."""
    reading, writing = os.pipe()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, "cloacina-ctl", *map(str, words)], cwd=folder, text=True,
            stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for words in lines
    ]  # fmt: skip
    os.close(reading)
    os.write(writing, b"x" * len(lines))
    os.close(writing)
    ends = [child.communicate(timeout=60) for child in children]
    found = [Outcome(child.returncode, *end) for child, end in zip(children, ends, strict=True)]
    for end in found:
        check_words(end)
    return found


def people(count):
    """Give the user so many keys, and return their names."""
    names = [f"key{number}" for number in range(count)]
    for name in names:
        keys.generate_key(name)
    return names


def fingerprints(names):
    return sorted(keys.show_key(name).fingerprint for name in names)


def signers(path):
    with open_any(str(path)) as package:
        return sorted(envelope.keyid for envelope in package.block.envelopes)


# Signatures


def test_six_that_sign_one_package_at_once_are_all_in_it(unsigned, tmp_path):
    names = people(6)
    ends = at_once(tmp_path, *[("sign", unsigned, "--key", name) for name in names])
    assert [end.status for end in ends] == [0] * 6, ends
    assert signers(unsigned) == fingerprints(names)
    assert verify(str(unsigned), VerificationPolicy(threshold=6)).complete
    assert leftovers(tmp_path) == []


@pytest.mark.slow
def test_adding_removing_and_replacing_signatures_at_once_loses_none(unsigned, tmp_path):
    names = people(6)
    sign(SignRequest(str(unsigned), signing_keys(names[:4])))
    ends = at_once(
        tmp_path,
        ("sign", unsigned, "--key", names[4]),
        ("sign", unsigned, "--key", names[5]),
        ("sign", unsigned, "--remove", fingerprints(names[:1])[0]),
        ("sign", unsigned, "--remove", fingerprints(names[1:2])[0]),
        ("sign", unsigned, "--replace", fingerprints(names[2:3])[0], "--key", names[2]),
    )
    assert [end.status for end in ends] == [0] * 5, ends
    assert signers(unsigned) == fingerprints(names[2:])
    assert verify(str(unsigned), VerificationPolicy(threshold=4)).complete


@pytest.mark.slow
def test_the_same_package_under_another_path_is_the_same_package(unsigned, tmp_path):
    names = people(4)
    other = tmp_path / "project" / ".." / unsigned.name
    lines = [("sign", unsigned, "--key", name) for name in names[:2]]
    lines += [("sign", unsigned, "--key", name, "--force", "-o", other) for name in names[2:]]
    assert [end.status for end in at_once(tmp_path, *lines)] == [0] * 4
    assert signers(unsigned) == fingerprints(names)


def test_of_those_that_make_one_sidecar_at_once_one_succeeds_and_the_others_say_so(tmp_path):
    path = tmp_path / "x.cloacina"
    path.write_bytes(source())
    names = people(4)
    ends = at_once(tmp_path, *[("sign", path, "--key", name) for name in names])
    assert sorted(end.status for end in ends) == [0, 8, 8, 8], ends
    assert all("error[I001]" in end.err for end in ends if end.status)
    (made,) = [name for name, end in zip(names, ends, strict=True) if end.status == 0]
    assert find_sidecar(str(path)).keyid == keys.show_key(made).fingerprint
    assert leftovers(tmp_path) == []


@pytest.mark.slow
def test_those_that_replace_one_sidecar_at_once_name_what_each_replaced(tmp_path):
    path = tmp_path / "x.cloacina"
    path.write_bytes(source())
    names = people(4)
    ends = at_once(tmp_path, *[("sign", path, "--key", one, "--force", "--json") for one in names])
    assert [end.status for end in ends] == [0] * 4, ends
    added = [end.json["result"]["added"][0] for end in ends]
    removed = [one for end in ends for one in end.json["result"]["removed"]]
    assert sorted(added) == fingerprints(names)
    # Each took the place of the one before: all but the last were replaced, each by one.
    assert sorted([*removed, find_sidecar(str(path)).keyid]) == fingerprints(names)


@contextmanager
def held(path):
    """Hold the lock on a file, as a run does that changes it."""
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_who_does_not_let_go_is_waited_for_and_told_of(unsigned, monkeypatch):
    (name,) = people(1)
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.1)
    before = unsigned.read_bytes()
    waited = []

    @contextmanager
    def waits():
        waited.append("from")
        yield
        waited.append("to")

    with held(unsigned), pytest.raises(FileProblem) as caught:
        sign(SignRequest(str(unsigned), signing_keys((name,))), waits=waits)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.where) == (Code.FILE_HELD, str(unsigned))
    assert waited == ["from"]
    assert unsigned.read_bytes() == before
    sign(SignRequest(str(unsigned), signing_keys((name,))))
    assert signers(unsigned) == fingerprints([name])


def replace_by_a_copy(path):
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.replace(copy, path)


def write_into(path):
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(first)


@pytest.mark.parametrize(
    "change", [replace_by_a_copy, write_into, lambda path: path.unlink()],
    ids=["is replaced", "is written to", "is removed"],
)  # fmt: skip
@pytest.mark.parametrize("generation", ["native", "sidecar"])
def test_a_file_that_changes_by_somebody_who_takes_no_lock(unsigned, tmp_path, change, generation):
    (name,) = people(1)
    package = target = unsigned
    if generation == "sidecar":
        package = tmp_path / "x.cloacina"
        package.write_bytes(source())
        sign(SignRequest(str(package), signing_keys((name,))))
        target = package.with_name("x.cloacina.sig")
    after = []

    def progress(*_):
        if not after:
            change(target)
            after.append(target.read_bytes() if target.exists() else None)

    with pytest.raises(FileProblem) as caught:
        sign(SignRequest(str(package), signing_keys((name,))), progress)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.where) == (Code.FILE_CHANGED, str(target))
    assert (target.read_bytes() if target.exists() else None) == after[0]
    assert leftovers(tmp_path) == []


# Files that are replaced


@pytest.mark.slow
def test_a_packer_waits_for_who_signs_the_package_that_it_replaces(unsigned, tmp_path, cli):
    """Replacing is last, so no signature comes into a package that it is not of."""
    (name,) = people(1)
    ends = at_once(
        tmp_path,
        ("sign", unsigned, "--key", name),
        ("package", "project", "--force", "--no-sign", "--level", "1", "-o", unsigned),
    )
    assert ends[1].status == 0, ends
    assert ends[0].status == 0 or "error[I012]" in ends[0].err, ends
    assert signers(unsigned) in ([], fingerprints([name]))
    assert verify(str(unsigned), VerificationPolicy(allow_unsigned=True)).complete
    assert leftovers(tmp_path) == []


def test_a_file_that_somebody_holds_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.1)
    (name,) = people(1)
    path = tmp_path / "key"
    path.write_bytes(b"old")
    with held(path), pytest.raises(FileProblem) as caught:
        export_key(ExportRequest(name, str(path), overwrite=True))
    assert caught.value.diagnostics[0].code is Code.FILE_HELD
    assert path.read_bytes() == b"old"
    export_key(ExportRequest(name, str(path), overwrite=True))
    assert path.read_bytes() != b"old"


def test_a_file_that_cannot_be_read_is_replaced_by_who_may_write_to_its_folder(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0)
    with StagedFile(path, replace=True) as staged:
        write_all(staged.fd, b"new")
        staged.commit()
    assert path.read_bytes() == b"new"


def test_only_the_very_file_that_was_read_is_replaced(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    fd = os.open(path, os.O_RDONLY)
    try:
        staged = StagedFile(path, replaced=Replaced.of(fd))
        path.rename(tmp_path / "gone")
        path.write_bytes(b"old")
        with staged, pytest.raises(FileProblem) as caught:
            staged.commit()
        assert caught.value.diagnostics[0].code is Code.FILE_CHANGED
    finally:
        os.close(fd)
