"""What running daemons make of the folder: those that load what is copied, and one that does not.

`make reference` builds them (tests/reference/daemons.py, tests/reference/cloacinactl.py).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.registry.daemon_folder import STAGING
from tests.engines.crates import crate_for, target_folder
from tests.reference import cloacinactl, daemons
from tests.registry.running import Daemon
from tests.support.cache import cache_folder
from tests.support.machine import need
from tests.support.registries import source

pytestmark = [pytest.mark.slow, pytest.mark.reference]

TASKS = """\
import cloaca

@cloaca.task(id="one", dependencies=[])
def one(context):
    context.set("code", "{version}")
    return context
"""
PROJECT = """\
[project]
name = "swapped"
version = "{version}"

[tool.cloacina]
entry_module = "swapped.tasks"
workflow_name = "swapped"
"""


@pytest.fixture(scope="session", params=daemons.RELEASES)
def release(request) -> str:
    daemons.needed(request.param)
    return request.param


@pytest.fixture(scope="session")
def loader(release) -> Path:
    return daemons.needed(release)


@pytest.fixture
def loading(loader, tmp_path):
    """A daemon of a release that loads Python packages and builds Rust ones."""
    home = tmp_path / "daemon"
    started = Daemon(home, loader, home)
    yield started
    started.stop()


@pytest.fixture
def deliver(cli, loading, release, tmp_path):
    """Install a native package of a version into the folder of the running daemon."""

    def install(version: str, *more: str):
        made = tmp_path / f"{version}.cloacina"
        if not made.exists():
            packed(tmp_path / f"project-{version}", version, made)
        minor = release.rpartition(".")[0]
        words = ("--daemon", loading.packages, "--daemon-version", minor, "--allow-unsigned")
        said = cli("install", made, *words, "--json", *more)
        assert said.status == 0, said.out
        return said.json["result"]

    return install


def packed(project: Path, version: str, output: Path) -> Path:
    code = project / "src" / "swapped"
    code.mkdir(parents=True)
    (code / "__init__.py").touch()
    (code / "tasks.py").write_text(TASKS.format(version=version))
    (project / "pyproject.toml").write_text(PROJECT.format(version=version))
    package(PackageRequest(str(project), str(output)))
    return output


# Daemons that load


def test_what_is_delivered_is_picked_up_loaded_and_runs(deliver, loading):
    result = deliver("1.0.0")
    assert (result["source_format"], result["restart"]) == ("native", False)
    assert loading.logs("Loaded package: swapped v1.0.0")
    assert loading.run("swapped") == 'Completed {"code":"1.0.0"}'


def test_another_version_takes_its_place_and_runs_after_a_restart_as_is_said(deliver, loading):
    deliver("1.0.0")
    assert loading.logs("Loaded package: swapped v1.0.0")
    result = deliver("1.1.0")
    assert (result["replaced"], result["restart"]) == (["1.0.0"], True)
    assert loading.logs("Unloaded package: swapped v1.0.0")
    assert loading.logs("Failed to load", "swapped:1.1.0", "No tasks registered")
    assert loading.run("swapped").startswith("Refused")
    loading.again()
    assert loading.logs("Loaded package: swapped v1.1.0")
    assert loading.run("swapped") == 'Completed {"code":"1.1.0"}'
    assert deliver("1.0.0")["replaced"] == ["1.1.0"]  # the way back is the same
    loading.again()
    assert loading.logs("Loaded package: swapped v1.0.0")
    assert loading.run("swapped") == 'Completed {"code":"1.0.0"}'


def test_why_one_version_alone_may_lie_there(deliver, loading, tmp_path):
    """Side by side the log says that both are loaded, and the one before it runs; and if one goes,
    the workflow of both goes.
    """
    first = Path(deliver("1.0.0")["file"])
    assert loading.logs("Loaded package: swapped v1.0.0")
    shutil.copy(first, tmp_path / "kept")
    second = Path(deliver("1.1.0")["file"])
    shutil.copy(second, tmp_path / "other")
    second.unlink()
    shutil.copy(tmp_path / "kept", first)
    loading.again()
    assert loading.logs("Loaded package: swapped v1.0.0")
    os.rename(tmp_path / "other", second)
    assert loading.logs("Loaded package: swapped v1.1.0")
    assert loading.run("swapped") == 'Completed {"code":"1.0.0"}'
    first.unlink()
    assert loading.logs("Unloaded package: swapped v1.0.0")
    assert loading.run("swapped").startswith("Refused")


def test_other_bytes_of_a_version_do_not_run_before_a_restart(
    deliver, loading, cli, release, tmp_path
):
    deliver("1.0.0")
    assert loading.logs("Loaded package: swapped v1.0.0")
    changed = packed(tmp_path / "changed", "1.0.0", tmp_path / "changed.cloacina")
    project = tmp_path / "changed" / "src" / "swapped" / "tasks.py"
    project.write_text(TASKS.format(version="changed"))
    package(PackageRequest(str(tmp_path / "changed"), str(changed), overwrite=True))
    minor = release.rpartition(".")[0]
    words = ("install", changed, "--daemon", loading.packages, "--daemon-version", minor)
    said = cli(*words, "--allow-unsigned", "--json")
    assert (said.status, said.json["diagnostics"][0]["code"]) == (8, "D002")
    said = cli(*words, "--allow-unsigned", "--json", "--force")
    assert said.json["result"]["restart"] is True
    loading.looks_twice()
    assert loading.run("swapped") == 'Completed {"code":"1.0.0"}'
    loading.again()
    assert loading.logs("Loaded package: swapped v1.0.0")
    assert loading.run("swapped") == 'Completed {"code":"changed"}'


def test_it_never_sees_half_a_package(deliver, loading):
    (loading.packages / STAGING).write_text("half")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        deliver(version)
    loading.looks_twice()
    assert not [line for line in loading.lines() if "swapped" in line and "unreadable" in line]
    assert not [line for line in loading.lines() if STAGING in line]


@pytest.fixture(scope="session")
def crates(release, tmp_path_factory) -> dict[str, Path]:
    """Packages of two versions of a crate for the release: tea costs more in the second one."""
    made = {}
    for version, price in (("0.2.0", "3.50"), ("0.3.0", "4.50")):
        folder = tmp_path_factory.mktemp(version)
        crate = crate_for(release, folder)
        for name in ("Cargo.toml", "Cargo.lock", "src/orders.rs"):
            text = (crate / name).read_text().replace("3.50", price)
            (crate / name).write_text(text.replace('version = "0.2.0"', f'version = "{version}"'))
        made[version] = folder / "made.cloacina"
        target = choose_target("source", release.rpartition(".")[0])
        package(PackageRequest(str(crate), str(made[version]), target=target))
    return made


@pytest.fixture(scope="session")
def warm_cargo(release, tmp_path_factory) -> str:
    """A PATH with a cargo that compiles in our cache, and not all anew for each package."""
    folder = tmp_path_factory.mktemp("cargo")
    built, real = target_folder(), shutil.which("cargo")
    script = f"""\
#!/bin/sh
set -e
touch src/lib.rs # else cargo takes what it made of that version
exec 9> '{cache_folder()}/.cargo.lock'
{need("flock")} 9
CARGO_TARGET_DIR='{built}' {real} "$@"
mkdir -p target/release
cp '{built}/release/liborders_etl.so' target/release
"""
    (folder / "cargo").write_text(script)
    (folder / "cargo").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_versions_of_a_rust_package_are_built_and_swapped_without_a_restart(
    cli, loader, release, crates, warm_cargo, tmp_path
):
    home = tmp_path / "daemon"
    loading = Daemon(home, loader, home, path=warm_cargo)
    minor = release.rpartition(".")[0]
    words = ("--daemon", loading.packages, "--daemon-version", minor, "--allow-unsigned", "--json")
    try:
        for version, cents in (("0.2.0", 3195), ("0.3.0", 3395), ("0.2.0", 3195)):
            loading.forget()
            result = cli("install", crates[version], *words).json["result"]
            assert result["restart"] is False
            assert loading.logs(f"Loaded package: orders-etl v{version}", seconds=900)
            status, _, context = loading.completed("orders_etl").partition(" ")
            assert (status, json.loads(context)["total_in_cents"]) == ("Completed", cents)
    finally:
        loading.stop()


# A daemon that loads nothing


@pytest.fixture(scope="session")
def program() -> Path:
    return cloacinactl.needed()


@pytest.fixture
def refusing(program, tmp_path):
    home = tmp_path / "daemon"
    started = Daemon(home, program, "daemon", "start", "--home", home)
    yield started
    started.stop()


def test_it_takes_what_was_delivered_and_loads_none_as_its_release_is_said_to(
    cli, refusing, program, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    path = source(tmp_path / "x.cloacina")
    words = ("install", path, "--daemon", refusing.packages, "--allow-unsigned", "--json")
    refused = cli(*words)
    assert (refused.status, refused.json["diagnostics"][0]["code"]) == (6, "D010")
    assert cli(*words, "--force").json["result"]["daemon"] == "0.10"
    assert refusing.logs("demo", "no PythonRuntime is attached")


def test_it_does_not_see_what_is_staged_and_takes_a_hidden_package(refusing, tmp_path):
    (refusing.packages / STAGING).write_text("half")
    refusing.looks_twice()
    source(tmp_path / "x").rename(refusing.packages / ".hidden.cloacina")
    assert refusing.logs("demo", "PythonRuntime")
    assert not [line for line in refusing.lines() if STAGING in line]


def test_what_follows_a_change_within_half_a_second_waits_for_the_next_look(program, tmp_path):
    """It looks by itself once in ten minutes here; of two files at once it tells of the first."""
    home = tmp_path / "daemon"
    words = ("daemon", "start", "--home", home, "--poll-interval", 600_000)
    patient = Daemon(home, program, *words)
    try:
        assert patient.logs("Daemon is running")
        for turn in range(20):  # until the machine is fast enough
            time.sleep(1)  # from a start or a change on the watcher is deaf for a while
            begun = time.monotonic()
            (patient.packages / f"first-{turn}.cloacina").write_text("half")
            assert patient.logs(f"first-{turn}.cloacina")
            (patient.packages / f"second-{turn}.cloacina").write_text("half")
            if time.monotonic() - begun < 0.4:
                break
        assert not patient.logs(f"second-{turn}.cloacina", seconds=1.5)
        (patient.packages / "third.cloacina").write_text("half")
        assert patient.logs(f"second-{turn}.cloacina")
    finally:
        patient.stop()
