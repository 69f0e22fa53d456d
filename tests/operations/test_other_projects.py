"""Other people's projects, through validate, package, inspect and verify: no wrong verdict.

`CLOACINA_CTL_TEST_PROJECTS` names a folder with projects at any depth, such as a checkout of
somebody's examples; `make projects` prints a row for each. A project is a folder with `Cargo.toml`
(of a workspace each member), `pyproject.toml` or `package.toml`. Where a project is wrong on
purpose, or needs what this machine has not, `expected.toml` at the top of that folder says so:

    [broken]
    "fixtures/compiler-broken" = "R002"
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from cloacina_ctl.cli import exits
from cloacina_ctl.toml import parse_toml

pytestmark = [pytest.mark.slow, pytest.mark.projects]

SKIPPED = {"target", "node_modules", ".venv", "vendor", "__pycache__"}
NO_VERDICT = {exits.BUG, -6, -9, -11}


class Found(NamedTuple):
    """A project: its folder, and which member of it."""

    folder: Path
    member: str | None

    @property
    def name(self) -> str:
        """The project's name below the top."""
        below = str(self.folder.relative_to(top()))
        return below if self.member is None else f"{below}:{self.member}"


class Row(NamedTuple):
    """What each verb made of it: its exit status, and the codes of errors and warnings."""

    project: str
    verbs: dict[str, tuple[int, tuple[str, ...]]]
    seconds: float


def top() -> Path:
    return Path(os.environ.get("CLOACINA_CTL_TEST_PROJECTS", "."))


def found_in(folder: Path) -> list[Found]:
    """Return the projects in a folder, outermost first; none inside of another one."""
    if (folder / "Cargo.toml").is_file():
        table = parse_toml((folder / "Cargo.toml").read_bytes(), where=str(folder))
        if "workspace" in table and "package" not in table:
            return [Found(folder, name) for name in members(folder)]
        return [Found(folder, None)]
    if any((folder / name).is_file() for name in ("pyproject.toml", "package.toml")):
        return [Found(folder, None)]
    inner = sorted(one for one in folder.iterdir() if one.is_dir() and one.name not in SKIPPED)
    return [one for each in inner if not each.name.startswith(".") for one in found_in(each)]


def members(folder: Path) -> list[str]:
    words = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=True)
    return sorted(one["name"] for one in json.loads(done.stdout)["packages"])


def run(*words: object) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", *map(str, words), "--json"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    answer = json.loads(done.stdout)
    assert done.returncode not in NO_VERDICT, answer
    return done.returncode, answer


def told(answered: tuple[int, dict[str, object]]) -> tuple[int, tuple[str, ...]]:
    status, answer = answered
    codes = {
        one["code"] + ("" if one["severity"] == "error" else "?")
        for one in answer["diagnostics"]
        if one["severity"] != "note"
    }
    return status, tuple(sorted(codes))


def judge(project: Found, folder: Path) -> Row:
    began = time.monotonic()
    which = () if project.member is None else ("--package", project.member)
    made = folder / "x.cloacina"
    verbs = {"validate": told(run("validate", project.folder, *which))}
    verbs["package"] = told(run("package", project.folder, *which, "-o", made, "--no-sign"))
    if verbs["package"][0] == exits.DONE:
        verbs["inspect"] = told(run("inspect", made))
        verbs["verify"] = told(run("verify", made, "--allow-unsigned"))
        verbs["validate it"] = told(run("validate", made))
    return Row(project.name, verbs, time.monotonic() - began)


def shown(row: Row) -> str:
    cells = (
        f"{verb} {status}{' ' if codes else ''}{','.join(codes)}"
        for verb, (status, codes) in row.verbs.items()
    )
    return f"{row.project:<60} {row.seconds:6.1f} s  {'  '.join(cells)}"


def wrong(row: Row, expected: dict[str, str]) -> str | None:
    """Return what is wrong with the verdicts, where somebody has to look."""
    status, codes = row.verbs["validate"]
    built, why = row.verbs["package"]
    told = {code for code in (*codes, *why) if not code.endswith("?")}
    if row.project in expected:
        return None if expected[row.project] in told else f"expected {expected[row.project]}"
    if status == exits.DONE and built != exits.DONE:
        return "validate finds no error, and package does"
    if built != exits.DONE:
        return "refused"
    after = {verb: one for verb, one in row.verbs.items() if verb not in ("validate", "package")}
    return next((verb for verb, one in after.items() if one[0] != exits.DONE), None)


def test_other_peoples_projects_are_judged_right(tmp_path, capsys):
    if "CLOACINA_CTL_TEST_PROJECTS" not in os.environ:
        pytest.skip("CLOACINA_CTL_TEST_PROJECTS names no folder with projects")
    page = top() / "expected.toml"
    expected = parse_toml(page.read_bytes(), where=str(page))["broken"] if page.exists() else {}
    projects = found_in(top())
    assert projects, f"no project below {top()}"
    troubles = []
    for number, project in enumerate(projects):
        folder = tmp_path / str(number)
        folder.mkdir()
        row = judge(project, folder)
        with capsys.disabled():
            sys.stdout.write(f"{shown(row)}\n")
            sys.stdout.flush()
        trouble = wrong(row, expected)
        if trouble is not None:
            troubles.append(f"{row.project}: {trouble}")
    assert troubles == []
