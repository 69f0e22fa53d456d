"""What the real server accepts with a 201 and never loads, refused before a byte leaves."""

from __future__ import annotations

import bz2 as bzip2
import os

import pytest

from cloacina_ctl.operations import keys
from tests.publish.crate import CRATE
from tests.support import archives
from tests.support.legacy import version_of as source

TOML = archives.PACKAGE_TOML


def crate(**files: bytes) -> bytes:
    tree = {**CRATE, **files}
    tree = {path: data for path, data in tree.items() if data}
    return archives.bz2(archives.source_tar(tree, "crate-demo-1.0.0"))


def without(path: str) -> bytes:
    tree = {name: data for name, data in archives.SOURCE.items() if not name.startswith(path)}
    return archives.bz2(archives.source_tar(tree))


def toml(old: bytes, new: bytes) -> bytes:
    assert old in TOML
    return source(**{"package.toml": TOML.replace(old, new)})


PACKAGE_MACRO = b"cloacina_workflow_plugin::package!();"
MINIMAL = b'[package]\nname = "demo"\nversion = "1.0.0"\n'
TWO_STREAMS = bzip2.compress(archives.source_tar()[:1024]) + bzip2.compress(
    archives.source_tar()[1024:]
)
REFUSED = {
    "no workflow folder": (without("workflow"), 3),
    "an empty name": (toml(b'name = "demo"\nversion', b'name = ""\nversion'), 3),
    "a name that is a path": (toml(b'name = "demo"\nversion', b'name = "../x"\nversion'), 3),
    "a version that is none": (toml(b'version = "1.0.0"', b'version = "banana"'), 3),
    "a language in capitals": (toml(b'"python"', b'"Python"'), 6),
    "several bzip2 streams": (TWO_STREAMS, 3),
    "a minimal manifest": (source(**{"package.toml": MINIMAL}), 6),
    "no name of the workflow": (toml(b'workflow_name = "demo"\n', b""), 6),
    "a key that the server refuses": (
        toml(b"[metadata]\n", b'[metadata]\npackage_type = ["workflow"]\n'), 6,
    ),
    "no task": (source(**{"workflow/demo/tasks.py": b"import cloaca\n"}), 3),
    "a task that depends on none": (
        source(**{"workflow/demo/tasks.py": archives.TASKS_PY.replace(b'["extract"]', b'["no"]')}),
        3,
    ),
    "a folder that shadows the standard library": (
        source(**{"workflow/json/__init__.py": b""}), 3,
    ),
    "a gzip package of 0.2": (archives.gz(archives.v1_tar()), 6),
    "a gzip package with a Python tree": (archives.gz(archives.v2_tar()), 6),
    "ten times as large as the file": (
        source(**{"workflow/demo/zeros.bin": bytes(1 << 20)}), 6,
    ),
    "a crate without its lock file": (crate(**{"Cargo.lock": b""}), 6),
    "a crate of another release": (
        crate(**{"Cargo.toml": CRATE["Cargo.toml"].replace(b'"0.12"', b'"0.10"')}), 6,
    ),
    "a crate without package!()": (
        crate(**{"src/lib.rs": CRATE["src/lib.rs"].replace(PACKAGE_MACRO, b"")}),
        3,
    ),
    "nothing": (b"", 3),
    "text": (b"not a package at all\n", 3),
    "half of it": (source()[:-50], 3),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_to_send(publish, server, package, name):
    data, status = REFUSED[name]
    package.write_bytes(data)
    done = publish()
    assert done.status == status, done.err
    assert server.asked == []
    assert done.json["result"] is None


def test_a_crate_that_the_server_would_build_is_sent(publish, server, package):
    server.asleep, server.tasks = False, ["only"]
    package.write_bytes(crate())
    assert publish().status == 0
    assert len(server.uploads) == 1


def test_more_than_the_server_takes_is_refused_by_its_size(publish, server, package):
    """Nothing else of it is looked at, since reading so much takes a minute."""
    package.write_bytes(source(**{"workflow/demo/blob.bin": os.urandom(9 << 18)}))
    assert publish("--runtime", "0.4").codes == ["A024"]
    os.truncate(package, (100 << 20) + 1)
    assert publish().codes == ["A024"]
    assert server.asked == []


def test_an_unsigned_package_needs_leave(run, server, package, token_file):
    words = ("--server", server.url, "--token-file", token_file, "--json")
    done = run("publish", package, *words)
    assert (done.status, done.codes) == (4, ["S001"])
    assert server.asked == []


def test_a_package_that_was_changed_after_it_was_signed_is_refused(run, publish, server, package):
    keys.generate_key()
    assert run("sign", package).status == 0
    package.write_bytes(source(**{"workflow/demo/more.py": b"MORE = 1\n"}))
    assert publish().codes == ["S003"]
    assert server.asked == []


@pytest.mark.parametrize(
    "words", [("--name", "other"), ("--version", "2.0.0"), ("--content", "sha256:" + "0" * 64)]
)
def test_a_pin_that_does_not_hold_is_refused(publish, server, words):
    assert publish(*words).codes == ["S008"]
    assert server.asked == []


def test_an_absent_file_is_no_question_for_a_server(publish, server, tmp_path):
    assert publish(path=tmp_path / "absent").status == 8
    assert server.asked == []
