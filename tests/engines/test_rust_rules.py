"""rustc refuses what our rules refuse, and takes what they take: each small crate is built.

All crates of a release are members of one workspace, in the target folder that the other tests fill
with what the crates depend on. A refused crate ends before any code is made of it.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from cloacina_ctl.project.build.compiler_errors import explain
from cloacina_ctl.project.rust.cargo_toml import read_crate
from tests.engines.crates import target_folder
from tests.engines.rust_cases import CASES, EXPLAINED, Case, changes, files_of, releases_of
from tests.support.cache import cache_folder, locked
from tests.support.machine import need
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

# With all cases; of the other releases only those that are not the same everywhere.
WHOLE = ("0.6.1", "0.12.0")
_PROFILE = '[profile.release]\nopt-level = 0\n\n[workspace]\nresolver = "2"\n'

Messages = dict[str, list[dict[str, Any]]]


@pytest.mark.slow
@pytest.mark.parametrize("release", ["0.5.1", "0.6.1", "0.8.0", "0.9.0", "0.10.0", "0.12.0"])
def test_rustc_says_what_the_rules_say(release: str) -> None:
    need("cargo")
    cases = [case for case in CASES if release in releases_of(case)]
    cases = [case for case in cases if release in WHOLE or changes(case)]
    folder = cache_folder() / "crates" / f"rules-{release}"
    with locked("cargo"):
        built, said = build(folder, release, cases)
    wrong = {
        case.name: [one["message"]["message"] for one in said.get(case.name, [])]
        for case in cases
        if (case.name in built) == (case.is_refused(release) and not case.builds)
    }
    assert wrong == {}
    for case in cases:
        if case.name in EXPLAINED and case.is_refused(release):
            crate = read_crate(str(folder / case.name))
            causes = explain(said[case.name], crate, str(folder))
            assert EXPLAINED[case.name] in " ".join(f"{one.message} {one.hint}" for one in causes)


def build(folder: Path, release: str, cases: list[Case]) -> tuple[set[str], Messages]:
    """Return the names of the cases that rustc takes, and what it says of the others."""
    members = json.dumps([case.name for case in cases])
    files = {"Cargo.toml": f"{_PROFILE}members = {members}\n"}
    for case in cases:
        files |= {f"{case.name}/{path}": text for path, text in files_of(case, release).items()}
    plant(folder, {path: text for path, text in files.items() if not _is(folder / path, text)})
    done = subprocess.run(
        ["cargo", "build", "--release", "--lib", "--workspace", "--keep-going", "--quiet",
         "--ignore-rust-version", "--message-format=json"],
        cwd=folder, env={**os.environ, "CARGO_TARGET_DIR": str(target_folder())},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    built: set[str] = set()
    said: Messages = {}
    for line in done.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        name = os.path.basename(os.path.dirname(message.get("manifest_path", "")))
        if message.get("reason") == "compiler-artifact" and "cdylib" in message["target"]["kind"]:
            built.add(name)
        elif message.get("message", {}).get("level") == "error":
            said.setdefault(name, []).append(message)
    assert built, done.stderr[-4000:]
    return built, said


def _is(path: Path, text: str) -> bool:
    """Tell whether a file is there already: cargo goes by the time of it."""
    return path.exists() and path.read_text() == text
