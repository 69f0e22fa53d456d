"""A disk of any size: what does not fit changes nothing, and with room again all goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cloacina_ctl.errors import CloacinaError, Code
from cloacina_ctl.files import leftovers
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.convert import ConvertRequest, convert
from cloacina_ctl.operations.install import InstallRequest, install
from cloacina_ctl.operations.installation.daemon import DaemonRequest, install_for_daemon
from cloacina_ctl.operations.keys import ExportRequest, export_key, signing_keys
from cloacina_ctl.operations.list import list_installed
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.operations.rollback import rollback
from cloacina_ctl.operations.sign import SignRequest, sign
from cloacina_ctl.operations.uninstall import uninstall
from cloacina_ctl.operations.unpack import unpack
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.vendoring.locks.lock import WheelLock, lock_bytes, write_lock
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.registry.killing import state_of as registry_state
from tests.support.legacy import source
from tests.support.machine import small_disk
from tests.support.projects import FIXTURES
from tests.support.registries import check_tidy, put

FIXTURE = FIXTURES / "python_report"
ANY = VerificationPolicy(allow_unsigned=True)
STEP = 4  # KiB: a page, which is the least that such a disk gives out
MOST = 2048


@pytest.fixture
def ready(tmp_path, monkeypatch):
    """All that is changed below, on a disk with room; the user's folder is on it, scratch not."""
    folder = tmp_path / "ready"
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder / "user"))
    for name in ("default", "other"):
        keys.generate_key(name)
    keys.trust_offered(keys.offer_key("other", "alice"))
    project = Path(shutil.copytree(FIXTURE, folder / "project"))
    (project / "src" / "daily_report" / "blob").write_bytes(os.urandom(30_000))
    package(PackageRequest(str(project), str(folder / "x")))
    export_key(ExportRequest("default", str(tmp_path / "key"), private=True))
    (folder / "y").write_bytes(source())
    (folder / "daemon").mkdir()
    lock = WheelLock("3.11", ("linux_x86_64",), ("one",), ())
    write_lock(str(project), lock)
    for version in ("1", "2"):
        put(folder / "registry", "a", version, sidecar=b"s" * 3000)
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(tmp_path / "disk" / "s" / "user"))
    return folder


def locked(folder):
    project = str(folder / "project")
    texts = tuple(f"requirement-{number}" for number in range(400))
    write_lock(project, WheelLock("3.11", ("linux_x86_64",), texts, ()), lock_bytes(project))


def packed(folder, form):
    package(
        PackageRequest(
            str(folder / "project"), str(folder / f"packed-{form}"),
            keys=signing_keys(("default",)), target=choose_target(form, None), pad=True,
        )
    )  # fmt: skip


ACTS = {
    "trust a key": lambda _: keys.trust_offered(keys.offer_key("default", "me")),
    "trust no longer": lambda _: keys.distrust_key("alice"),
    "make a key": lambda _: keys.generate_key("new"),
    "import a key": lambda folder: keys.import_key(
        keys.ImportRequest(str(folder / ".." / ".." / "key"), "imported")
    ),
    "sign in place": lambda folder: sign(
        SignRequest(str(folder / "x"), signing_keys(("default",)))
    ),
    "make a sidecar": lambda folder: sign(
        SignRequest(str(folder / "y"), signing_keys(("default",)))
    ),
    "package": lambda folder: packed(folder, "native"),
    "package for servers, with a sidecar": lambda folder: packed(folder, "source"),
    "convert": lambda folder: convert(
        ConvertRequest(
            str(folder / "x"), str(folder / "converted"), choose_target("source", None), ANY,
            lossy=True,
        )
    ),
    "unpack": lambda folder: unpack(str(folder / "x"), str(folder / "there"), ANY),
    "lock wheels": locked,
    "deliver to a daemon": lambda folder: install_for_daemon(
        DaemonRequest(str(folder / "y"), ANY, str(folder / "daemon"), "0.5", force=True)
    ),
    "install the first": lambda folder: install(
        InstallRequest(str(folder / "x"), ANY, registry=str(folder / "new"))
    ),
    "install another": lambda folder: install(
        InstallRequest(str(folder / "x"), ANY, registry=str(folder / "registry"))
    ),
    "roll back": lambda folder: rollback("a", registry=str(folder / "registry")),
    "uninstall": lambda folder: uninstall("a@2", registry=str(folder / "registry")),
}  # fmt: skip
REGISTRIES = ("registry", "new")


def state(folder):
    """Return every file outside of registries, and what the registries say."""
    files = {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in REGISTRIES
    }
    return files, [registry_state(str(folder / name)) for name in REGISTRIES]


def resize(disk, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def attempt(disk, ready, act, free):
    """Do it with so many KiB free, and then with room; tell whether it was done at once."""
    folder = Path(shutil.copytree(ready, disk / "s", copy_function=shutil.copy2))
    leftovers._cleared.clear()
    before = state(folder)
    found = os.statvfs(disk)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize >> 10
    resize(disk, f"size={used + free}k")
    codes = set()
    try:
        act(folder)
    except CloacinaError as error:
        codes = {one.code for one in error.diagnostics}
    resize(disk, "size=64m")
    if codes:
        assert codes == {Code.NO_SPACE}, free
        assert state(folder) == before, free
        act(folder)
    assert not list(folder.rglob(".cloacina-ctl-*")), free
    for name in REGISTRIES:
        if (folder / name / "lock").exists():
            Registry(str(folder / name)).prepare()  # clearing up may have been left to the next one
            check_tidy(folder / name)
    shutil.rmtree(folder)
    return not codes


def sweep(tmp_path, ready, act, step):
    with small_disk(tmp_path / "disk", "size=64m") as disk:
        for free in range(0, MOST, step):
            if attempt(disk, ready, act, free):
                return free
    raise AssertionError("it never fits")


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTS)
def test_a_disk_of_every_size(tmp_path, ready, name):
    sweep(tmp_path, ready, ACTS[name], STEP)


@pytest.mark.parametrize("name", ["install the first", "sign in place", "make a key"])
def test_a_disk_of_some_sizes(tmp_path, ready, name):
    assert sweep(tmp_path, ready, ACTS[name], 7 * STEP) > 0


def test_a_registry_that_a_full_disk_did_not_take_is_an_empty_one(tmp_path, ready):
    with small_disk(tmp_path / "disk", "size=32k") as disk:
        with pytest.raises(CloacinaError) as caught:
            install(InstallRequest(str(ready / "x"), ANY, registry=str(disk / "r")))
        assert caught.value.diagnostics[0].code is Code.NO_SPACE
        assert list_installed(registry=str(disk / "r")).packages == ()
        resize(disk, "size=8m")
        install(InstallRequest(str(ready / "x"), ANY, registry=str(disk / "r")))
