"""Input that is no project, no package or no key, and what the command says of it."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import struct

import pytest

from tests.support.builder import Recipe, build
from tests.support.machine import need
from tests.support.projects import FIXTURES

READERS = (("inspect",), ("verify",), ("unpack", "-o", "there"))


# Projects


def test_no_project_there(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    told = refused("package", "empty", status=3, code="P001")
    assert "neither Cargo.toml, pyproject.toml with [project], nor package.toml" in told.err
    refused("validate", "empty", status=1, code="P001")
    refused("package", "nowhere", status=8, code="I002")
    refused("validate", "nowhere", status=8, code="I002")


def test_two_kinds_of_project(refused, project):
    shutil.copy(FIXTURES / "rust_etl" / "Cargo.toml", project)
    told = refused("package", project, status=3, code="P002")
    assert "Cargo.toml for Rust and pyproject.toml for Python" in told.err
    refused("validate", project, status=1, code="P002")


def test_cargo_is_not_installed(refused, tmp_path):
    (tmp_path / "bin").mkdir()
    told = refused(
        "package", FIXTURES / "rust_etl", "-o", "x", status=5, code="R001", PATH=tmp_path / "bin"
    )
    assert "install Rust with rustup" in told.err


def test_the_build_fails_and_cargo_says_why(refused, tmp_path_factory):
    need("cargo")
    crate = tmp_path_factory.mktemp("crate")
    (crate / "src").mkdir()
    (crate / "Cargo.toml").write_text(
        '[package]\nname = "broken"\nversion = "1.0.0"\nedition = "2021"\n'
        '[lib]\ncrate-type = ["cdylib"]\n[features]\npackaged = []\ndefault = ["packaged"]\n'
    )
    (crate / "Cargo.lock").write_text(
        'version = 3\n\n[[package]]\nname = "broken"\nversion = "1.0.0"\n'
    )
    (crate / "src" / "lib.rs").write_text(
        '#[workflow(name = "broken")]\npub mod broken {\n'
        '    #[task(id = "a", dependencies = [])]\n'
        '    pub async fn a(context: &mut Context) -> u32 { "text" }\n}\n'
    )
    told = refused(
        "package", crate, "--offline", "-o", "x", status=5, code="R002", CARGO_TERM_COLOR="never"
    )
    assert "cannot find attribute `workflow`" in told.err


def test_the_output_exists(refused, project, tmp_path):
    (tmp_path / "x.cloacina").write_text("mine")
    told = refused("package", project, "--no-sign", "-o", "x.cloacina", status=8, code="I001")
    assert "--force" in told.err
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("x.cloacina")
    os.mkfifo(tmp_path / "fifo")
    for taken in ("folder/", "link", "fifo"):
        refused("package", project, "--no-sign", "--force", "-o", taken, status=8, code="I005")
    assert (tmp_path / "x.cloacina").read_text() == "mine"


def test_the_folder_of_the_output_is_not_there(refused, project):
    told = refused("package", project, "--no-sign", "-o", "no/x", status=8, code="I002")
    assert "no/x: the folder to put it into is not there" in told.err


NO_NAMES = {
    "a link": ("P007", lambda at: os.symlink("/etc/hostname", at + b"/host.txt")),
    "a link to a folder": ("P007", lambda at: os.symlink("/etc", at + b"/etc")),
    "a dangling link": ("P007", lambda at: os.symlink("gone", at + b"/gone")),
    "a pipe": ("P008", lambda at: os.mkfifo(at + b"/pipe")),
    "a newline": ("P009", lambda at: touch(at + b"/new\nline.txt")),
    "an escape": ("P009", lambda at: touch(at + b"/\x1b[31mred.txt")),
    "text turned around": ("P009", lambda at: touch(at + "/a\u202etxt.py".encode())),
    "no UTF-8": ("P009", lambda at: touch(at + b"/bad\xff.txt")),
    "a device of Windows": ("P009", lambda at: touch(at + b"/aux.py")),
    "a space at the end": ("P009", lambda at: touch(at + b"/end ")),
    "two names that differ by case": ("P009", lambda at: touch(at + b"/Aa", at + b"/aA")),
    "two spellings of one letter": (
        "P009",
        lambda at: touch(at + "/caf\u00e9".encode(), at + "/cafe\u0301".encode()),
    ),
}


def touch(*paths):
    for path in paths:
        with open(path, "xb"):
            pass


def test_names_that_no_package_may_hold(refused, project):
    """All in one project: every one of them is named at once."""
    for _, plant in NO_NAMES.values():
        plant(os.fsencode(project / "src" / "daily_report"))
    told = refused("package", project, "-o", "x", status=3, code="P009")
    codes = [line.split("]")[0].removeprefix("error[") for line in told.err.splitlines()]
    assert sorted(codes) == sorted(code for code, _ in NO_NAMES.values())
    for shown in ("new\\nline.txt", "\\x1b[31mred", "a\\u202etxt.py", "bad\\udcff.txt", "aux.py"):
        assert shown in told.err
    refused("validate", project, status=1, code="P007")


def test_names_that_look_odd_and_are_fine(cli, program, project):
    names = ("🐚 shell and spaces.txt", "Ünïcödé.txt", "日本語.txt", "it's - & $HOME.txt")
    for name in names:
        (project / "src" / "daily_report" / name).write_text("x")
    made = program("package", project, "--no-sign", "-o", "x", LC_ALL="C")
    assert made.status == 0, made.err
    shown = cli("inspect", "x", "--files").out
    assert all(name in shown for name in names)
    assert program("unpack", "x", "-o", "there", "--allow-unsigned", LC_ALL="C").status == 0
    assert cli("validate", "x").status == 0


# Packages


def signed_bytes(signed):
    data = signed.read_bytes()
    (size,) = struct.unpack_from("<I", data, 4)
    return data, 8 + size


def changed(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_package_cut_short(refused, signed, tmp_path):
    data, block = signed_bytes(signed)
    for size in (30, block + 10, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:size])
        for verb in READERS if size == len(data) - 1 else READERS[:1]:
            told = refused(*verb, "cut", status=3, code="A004")
            assert "cut short" in told.err
    refused("validate", "cut", status=1, code="A004")


def test_an_empty_file(refused, tmp_path):
    (tmp_path / "empty").touch()
    told = refused("inspect", "empty", status=3, code="A001")
    assert "the file is empty" in told.err
    refused("unpack", "-", "-o", "there", status=3, code="A001")


def test_a_byte_after_the_end(refused, signed, tmp_path):
    (tmp_path / "more").write_bytes(signed.read_bytes() + b"\n")
    for verb in (*READERS, ("sign", "--key", "default")):
        told = refused(*verb, "more", status=3, code="A005")
        assert "1 byte follows the end of the package" in told.err
    refused("validate", "more", status=1, code="A005")


def test_two_signature_frames(refused, signed, unsigned, tmp_path):
    data, block = signed_bytes(unsigned)
    (tmp_path / "two").write_bytes(data[:block] + data)
    told = refused("inspect", "two", status=3, code="A007")
    assert "only the signature frame" in told.err
    refused("validate", "two", status=1, code="A007")
    refused("unpack", "two", "-o", "d", "--allow-unsigned", status=3, code="A007")
    data, block = signed_bytes(signed)
    (tmp_path / "two").write_bytes(data[:block] + data)
    refused("verify", "two", status=4, code="S003")  # the signature is judged before the head


def test_a_newer_format(refused, tmp_path):
    (tmp_path / "new").write_bytes(build(Recipe(format_version=4)))
    for verb in READERS:
        told = refused(*verb, "new", status=3, code="A003")
        assert "made by a newer version" in told.err
    refused("validate", "new", status=1, code="A003")


def test_packages_of_other_generations(refused, tmp_path):
    (tmp_path / "old.tar.gz").write_bytes(gzip.compress(b"x" * 512))
    (tmp_path / "source.tar.bz2").write_bytes(bz2.compress(b"x" * 512))
    for name in ("old.tar.gz", "source.tar.bz2"):
        assert "checksum of a header" in refused("verify", name, status=3, code="A011").err
    unsigned = ("-o", "there", "--allow-unsigned")
    refused("unpack", "old.tar.gz", *unsigned, status=3, code="A011")
    refused("validate", "source.tar.bz2", status=1, code="A011")


def test_files_that_are_no_package(refused, tmp_path):
    (tmp_path / "page").write_text("\n<!DOCTYPE html>\n<html><title>Log in\x1b[2J</title></html>")
    told = refused("inspect", "page", status=3, code="A001")
    assert "an HTML or XML page, perhaps a login page" in told.err
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nCANARY\n")
    assert "CANARY" not in refused("verify", "key", status=3, code="A001").err
    refused("verify", "nowhere", status=8, code="I002")
    refused("verify", "page/x", status=8, code="I002")


def test_things_that_are_no_file(refused, tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    refused("inspect", "./folder", status=3, code="P001")  # of a project's folder it shows that
    for verb in READERS:
        if verb != ("inspect",):
            assert "a folder" in refused(*verb, "folder", status=8, code="I005").err
        assert "a FIFO" in refused(*verb, "fifo", status=8, code="I005").err
    refused("validate", "fifo", status=1, code="I005")
    refused("inspect", "/dev/zero", status=8, code="I005")


def test_a_tampered_frame(refused, signed, tmp_path):
    data, block = signed_bytes(signed)
    (tmp_path / "frame").write_bytes(changed(data, len(data) - 30))
    told = refused("verify", "frame", status=3, code="A012")
    assert "damaged or tampered with" in told.err
    refused("unpack", "frame", "-o", "there", status=3, code="A012")
    refused("sign", "frame", "--key", "default", status=3, code="A012")
    refused("validate", "frame", status=1, code="A012")
    (tmp_path / "head").write_bytes(changed(data, block + 40))
    refused("verify", "head", status=4, code="S003")
    refused("verify", "head", "--allow-unsigned", status=4, code="S003")


# Keys and trust


def test_a_wrong_key(refused, cli, signed, tmp_path):
    cli("key", "generate", "other")
    refused("verify", signed, "--key", "other", status=4, code="S002")
    refused("verify", signed, "--key", "nobody", status=4, code="S010")
    (tmp_path / "page").write_text("<html>")
    (tmp_path / "page").chmod(0o600)
    told = refused("verify", signed, "--key", "./page", status=4, code="S005")
    assert "page" in told.err
    refused("sign", signed, "--key", "./page", status=4, code="S005")


@pytest.mark.slow
def test_a_key_from_a_pipe_that_nobody_opens_is_waited_for_ten_seconds(refused, signed, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    refused("verify", signed, "--key", "./fifo", status=4, code="S005")


def test_a_key_file_that_others_can_read(refused, signed, project, config, tmp_path):
    key = tmp_path / "k.pem"
    shutil.copy(config / "keys" / "default.pem", key)
    for mode in (0o640, 0o604):
        key.chmod(mode)
        told = refused("sign", signed, "--key", key, status=4, code="S006")
        assert f"its mode is {mode:04o}" in told.err
        assert "chmod 600" in told.err
    refused("package", project, "-o", "x", "--sign", key, status=4, code="S006")


def test_an_unsigned_package_where_trust_exists(refused, cli, unsigned):
    cli("key", "generate")
    told = refused("verify", unsigned, status=4, code="S001")
    assert "--allow-unsigned" in told.err
    refused("unpack", unsigned, "-o", "there", status=4, code="S001")


# Destinations


def test_a_destination_that_is_taken(refused, signed, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "dangling").symlink_to("gone")
    for destination, code in (
        ("full", "I007"),
        ("link", "I005"),
        ("link/", "I005"),
        ("signed.cloacina", "I001"),
        ("signed.cloacina/x", "I002"),
    ):
        refused("unpack", signed, "-o", destination, status=8, code=code)
    told = refused("unpack", signed, "-o", "a/b", status=8, code="I002")
    assert "a/b: the folder to put it into is not there" in told.err
    for here in (".", "../empty/"):
        refused("unpack", signed, "-o", here, cwd=tmp_path / "empty", status=8, code="I001")


def test_an_empty_folder_takes_a_package(cli, signed, tmp_path):
    (tmp_path / "empty").mkdir(mode=0o750)
    assert cli("unpack", signed, "-o", "empty/").status == 0
    assert (tmp_path / "empty").stat().st_mode & 0o777 == 0o750
