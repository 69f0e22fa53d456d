"""Input that is no project, no package or no key, and what the command says of it."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from tests.hostile.builder import Recipe, build
from tests.tools import need
from tests.verbs.conftest import FIXTURES
from tests.verbs.refusals import check_object, check_words, leftovers, refused, tree

__all__ = ["refused"]

READERS = ("inspect", "verify", "unpack", "sign")


def reading(verb, path):
    return (verb, path, "-o", "there") if verb == "unpack" else (verb, path)


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


def test_the_build_fails_and_cargo_says_why(refused, tmp_path):
    need("cargo")
    crate = tmp_path / "crate"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text(
        '[package]\nname = "broken"\nversion = "1.0.0"\nedition = "2021"\n'
        '[lib]\ncrate-type = ["cdylib"]\n[features]\npackaged = []\ndefault = ["packaged"]\n'
    )
    (crate / "Cargo.lock").write_text(
        'version = 3\n\n[[package]]\nname = "broken"\nversion = "1.0.0"\n'
    )
    (crate / "src" / "lib.rs").write_text(
        '#[workflow(name = "broken")]\npub mod broken {\n'
        '    #[task(id = "a", dependencies = [])]\n    pub async fn a() -> u32 { "text" }\n}\n'
    )
    (crate / "target").mkdir()  # cargo's own folder is no leftover
    told = refused(
        "package", crate, "--offline", "-o", "x", status=5, code="R002", CARGO_TERM_COLOR="never"
    )
    assert "mismatched types" in told.err
