"""What the real packer makes and takes, and what ours does with the same trees."""

import bz2
import io
import json
import os
import shutil
import tarfile

import pytest

from tests.engines import made
from tests.engines.crates import FIXTURES
from tests.engines.matrix import SINCE_0_6
from tests.reference.cloacinactl import needed, start

pytestmark = [pytest.mark.slow, pytest.mark.reference]


@pytest.fixture(autouse=True)
def packer():
    return needed()


@pytest.fixture
def tree(tmp_path):
    """A project in the layout of a package."""
    return shutil.copytree(FIXTURES / "python_tree", tmp_path / "tree")


@pytest.fixture
def whole(tree, cli):
    """The same with a whole manifest: packed as it lies there, not by way of a filtered copy."""
    assert cli("package", tree, "--runtime", "0.10", "-o", "ours.cloacina").status == 0
    assert cli("unpack", "ours.cloacina", "-o", "whole", "--allow-unsigned").status == 0
    return tree.parent / "whole"


@pytest.fixture
def real(tmp_path, tree):
    """The real packer's package of the tree."""
    assert start(tmp_path, "package", "pack", tree, "--out", "real.cloacina").status == 0
    return tmp_path / "real.cloacina"


def _members(package):
    """Return the names and contents of the files, in order, as plain tar reads them."""
    with tarfile.open(package, "r:bz2") as archive:
        return [(one.name, archive.extractfile(one).read()) for one in archive if one.isfile()]


def _normalised(raw):
    """Return the tar with mode, owner, time and device of each header as we write them."""
    out = bytearray(raw)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        places = [one.offset for one in archive]
    for place in places:
        mode = int(out[place + 100 : place + 107], 8) & 0o777
        out[place + 100 : place + 124] = b"%07o\0" % mode + b"0000000\0" * 2
        out[place + 136 : place + 148] = b"00000000000\0"
        out[place + 329 : place + 345] = bytes(16)
        out[place + 148 : place + 156] = b" " * 8
        out[place + 148 : place + 156] = b"%07o\0" % sum(out[place : place + 512])
    return bytes(out)


def test_ours_reads_what_the_real_packer_made(cli, real, tmp_path):
    shown = cli("inspect", real, "--json")
    assert shown.status == 0, shown.err
    result = shown.json["result"]
    assert result["format"] == "source"
    (workflow,) = result["manifest"]["workflows"]
    assert {task["id"] for task in workflow["tasks"]} == {"fetch", "clean", "average"}
    assert cli("validate", real).status == 0
    assert cli("unpack", real, "-o", "there", "--allow-unsigned").status == 0
    for name, data in _members(real):
        assert (tmp_path / "there" / name.partition("/")[2]).read_bytes() == data


def test_the_members_are_those_of_ours_but_for_the_order_of_keys(cli, real, tree, tmp_path):
    assert cli("package", tree, "--runtime", "0.10", "-o", "ours.cloacina").status == 0
    ours, theirs = _members(tmp_path / "ours.cloacina"), _members(real)
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    (_, mine), (_, other) = ours.pop(0), theirs.pop(0)  # package.toml
    assert sorted(mine.splitlines()) == sorted(other.splitlines())
    assert ours == theirs


def test_the_stream_is_ours_byte_for_byte_once_the_headers_are_alike(whole, tmp_path):
    packed = start(tmp_path, "package", "pack", whole, "--out", "theirs.cloacina")
    assert packed.status == 0, packed.err
    theirs = (tmp_path / "theirs.cloacina").read_bytes()
    raw = bz2.decompress(theirs)
    assert bz2.compress(raw, 9) == theirs
    assert bz2.compress(_normalised(raw), 9) == (tmp_path / "ours.cloacina").read_bytes()


@pytest.mark.parametrize("release", SINCE_0_6)
@pytest.mark.parametrize("make", [made.python, made.converted, made.vendored, made.padded])
def test_the_real_validate_takes_ours(make, release, tmp_path):
    said = start(tmp_path, "package", "validate", make(release, tmp_path).package)
    assert said.status == 0, said.err
    assert said.out.startswith("ok: ")


def test_the_real_validate_takes_a_crate_of_ours(tmp_path):
    said = start(tmp_path, "package", "validate", made.crate("0.10.0", tmp_path).package)
    assert said.status == 0, said.err


def test_the_real_validate_wants_a_graph_name_of_a_workflow_that_invokes_a_graph(tmp_path):
    """It searches the text of the entry module; the engines run such a package all the same."""
    said = start(tmp_path, "package", "validate", made.graph_task("0.10.0", tmp_path).package)
    assert said.status == 1
    assert "a computation-graph package must declare graph_name" in said.err


def test_what_it_packs_and_should_not_is_told(cli, whole, tmp_path):
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE=\n"
    module = "workflow/sensor_readings"
    stray = {
        ".env": "TOKEN=abc\n",
        "id_ed25519": key + "-----END OPENSSH PRIVATE KEY-----\n",
        ".venv/pyvenv.cfg": "home = /usr/bin\n",
        f"{module}/__pycache__/tasks.cpython-311.pyc": "x",
        "old.cloacina.sig": "{}",
    }
    for name, text in stray.items():
        (whole / name).parent.mkdir(exist_ok=True)
        (whole / name).write_text(text)
    secret = tmp_path / "elsewhere.txt"
    secret.write_text("not of the project\n")
    os.symlink(secret, whole / "workflow" / "notes.txt")
    assert start(tmp_path, "package", "pack", whole, "--out", "real.cloacina").status == 0
    packed = {name.partition("/")[2]: data for name, data in _members(tmp_path / "real.cloacina")}
    assert set(stray) <= set(packed)
    # A link was followed: the file is there, and nothing says where it came from.
    assert packed["workflow/notes.txt"] == secret.read_bytes()
    found = _found(cli, tmp_path / "real.cloacina")
    for name in (".env", "id_ed25519", ".venv/", f"{module}/__pycache__/", "old.cloacina.sig"):
        assert any(where.startswith(f"{name} ") for where in found), (name, found)


def test_the_copy_of_its_own_output_is_told(cli, whole):
    """It makes the output first and looks for files then."""
    assert start(whole, "package", "pack", ".", "--out", "own.cloacina").status == 0
    names = [name.partition("/")[2] for name, _ in _members(whole / "own.cloacina")]
    assert "own.cloacina" in names
    assert any(where.startswith("own.cloacina ") for where in _found(cli, whole / "own.cloacina"))


def _found(cli, package):
    """Return where something was found, with its message."""
    listed = json.loads(cli("validate", package, "--json").out)["diagnostics"]
    return {f"{one['where']} {one['message']}" for one in listed if one["code"] != "S001"}
