"""What `list --check` finds in a registry, and what `--repair` makes whole."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from cloacina_ctl.errors import Code, FileProblem, Refused, Severity
from cloacina_ctl.files.folders import hidden_name
from cloacina_ctl.registry import records
from cloacina_ctl.registry.files import hold_lock
from cloacina_ctl.registry.layout import name_folder
from cloacina_ctl.registry.records import NameRecord, Stored, Trust
from cloacina_ctl.registry.repair import check, repair
from cloacina_ctl.registry.store import Registry
from tests.support.registries import (
    check_invariants,
    check_tidy,
    files_in,
    make_newer,
    put,
    read_only,
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A registry with two versions of a package, one of another tenant's, and a way back."""
    folder = tmp_path / "registry"
    put(folder, "a", "1", sidecar=b"s")
    put(folder, "a", "2")
    put(folder, "b", "1", tenant="etl")
    Registry(folder).roll_back("public", "a")
    return folder


def found(folder: Path) -> list[tuple[Code, Severity]]:
    return [(one.code, one.severity) for one in check(str(folder)).findings]


def package_file(folder: Path, version: str | None = "1") -> Path:
    registry = Registry(folder)
    return Path(registry.package_path(registry.find("public", "a", version)))


def record_file(folder: Path, name: str = "a", tenant: str = "public") -> Path:
    return folder / "packages" / name_folder(name) / f"{tenant}.json"


def test_a_whole_registry_is_read_to_its_last_byte(folder):
    seen = []
    checked = check(str(folder), lambda done, total: seen.append((done, total)))
    assert checked.findings == ()
    assert checked.packages == 3
    assert checked.size == seen[-1][0] > 300
    assert repair(str(folder)) == ()


def test_a_registry_that_is_not_there_is_whole(tmp_path):
    assert check(str(tmp_path / "none")).findings == ()
    assert repair(str(tmp_path / "none")) == ()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("how", ["changed", "cut", "gone", "link", "folder"])
def test_a_stored_package_that_is_not_the_one_is_found(folder, how):
    path = package_file(folder)
    data = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(data[:-1] + b"?")
    elif how == "cut":
        path.write_bytes(data[:-1])
    elif how == "link":
        (folder / "copy").write_bytes(data)
        path.symlink_to(folder / "copy")
    elif how == "folder":
        path.mkdir()
    assert found(folder) == [(Code.STORED_DAMAGED, Severity.ERROR)]
    repair(str(folder))
    assert found(folder) == [(Code.STORED_DAMAGED, Severity.ERROR)]
    if how != "folder":
        put(folder, "a", "1", sidecar=b"s")
        assert found(folder) == []


def test_a_sidecar_that_is_gone_is_found(folder):
    for path in (folder / "packages").rglob("*.sig"):
        path.unlink()
    assert found(folder) == [(Code.STORED_DAMAGED, Severity.ERROR)]


def test_the_same_bytes_of_two_tenants_are_read_once(folder):
    put(folder, "a", "2", tenant="etl")
    assert check(str(folder)).packages == 3


@pytest.mark.parametrize("how", ["gone", "file", "link"])
def test_a_folder_of_packages_that_is_none_is_found_and_made_again(folder, how):
    before = check_invariants(folder)
    packages, elsewhere = folder / "packages", folder.parent / "elsewhere"
    packages.rename(elsewhere)
    if how == "file":
        packages.write_text("?")
    elif how == "link":
        packages.symlink_to(elsewhere)
    assert found(folder) == [(Code.REGISTRY_FOLDER, Severity.ERROR)]
    if how != "gone":
        with pytest.raises(FileProblem) as caught:
            repair(str(folder))
        assert caught.value.diagnostics[0].where == str(packages)
        packages.unlink()
    repair(str(folder))
    assert found(folder) == []
    packages.rmdir()
    elsewhere.rename(packages)
    assert found(folder) == []
    assert check_invariants(folder) == before


def test_strange_files_are_odd_and_stay(folder):
    inside = record_file(folder).parent
    strange = [
        folder / "packages" / "notes.txt",
        folder / "packages" / ("ab" * 32),
        folder / "packages" / "mine" / "x.cloacina",
        inside / ("ab" * 32 + ".cloacina"),
        inside / "x.cloacina",
    ]
    (folder / "packages" / "mine").mkdir()
    for path in strange:
        path.write_text("?")
    assert found(folder) == [(Code.STRAY_STORED, Severity.WARNING)] * 5
    repair(str(folder))
    Registry(folder).remove("public", "a")
    assert all(path.exists() for path in strange)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1", b"\xff"])
def test_a_damaged_record_is_set_aside_and_its_packages_can_be_installed_again(folder, damage):
    path = record_file(folder)
    others = {
        path: path.read_bytes() for path in path.parent.iterdir() if path != record_file(folder)
    }
    path.unlink()
    path.write_bytes(damage)
    assert found(folder) == [(Code.REGISTRY_DAMAGED, Severity.ERROR)]
    (done,) = repair(str(folder))
    kept = Path(done.removeprefix("set a damaged record aside: "))
    assert (kept.parent, kept.read_bytes()) == (path.parent, damage)
    assert check_invariants(folder).keys() == {("etl", "b")}
    assert found(folder) == [(Code.STRAY_STORED, Severity.WARNING)] * len(others)
    put(folder, "a", "1")
    leave_under_way(folder, path.parent.name)
    put(folder, "b", "2")
    assert {path: path.read_bytes() for path in others} == others
    put(folder, "a", "2")
    put(folder, "a", "1", sidecar=b"s")
    assert found(folder) == []


def leave_under_way(folder: Path, name: str) -> None:
    """Leave what a run leaves that is killed during a change."""
    with hold_lock(str(folder), 0.0, contextlib.nullcontext) as pending:
        pending.begin(name)


def test_a_damaged_record_of_another_tenant_keeps_the_packages_that_it_may_know(folder):
    put(folder, "a", "2", tenant="etl")
    damaged = record_file(folder, tenant="etl")
    damaged.unlink()
    damaged.write_text("?")
    before = {path for path in files_in(folder) if not path.endswith("public.json")}
    Registry(folder).remove("public", "a")
    assert {path for path in files_in(folder) if not path.endswith("public.json")} == before


def test_nobody_changes_anything_during_a_repair(folder):
    with hold_lock(str(folder), 0.0, contextlib.nullcontext):
        with pytest.raises(FileProblem) as caught:
            repair(str(folder), busy_seconds=0.05)
        assert caught.value.diagnostics[0].code is Code.REGISTRY_BUSY


def test_what_a_killed_run_left_is_cleared_up(folder):
    (folder / "incoming" / hidden_name()).write_text("half")
    (record_file(folder).parent / ("ab" * 32 + ".cloacina")).write_text("nobody's")
    leave_under_way(folder, name_folder("a"))
    assert repair(str(folder)) == ("removed what runs that ended early left: 2",)
    check_tidy(folder)


@pytest.mark.parametrize("text", [b"", b"x" * 64, b"../" * 99, b"\xff" * 64, b"ab" * 32])
def test_what_no_run_wrote_into_the_lock_is_nothing_that_is_under_way(folder, text):
    (folder / "lock").write_bytes(text)
    before = check_invariants(folder)
    assert repair(str(folder)) == ()
    assert check_invariants(folder) == before


def test_a_read_only_registry_is_checked_and_not_repaired(folder):
    with read_only(folder):
        assert found(folder) == []
        with pytest.raises(FileProblem) as caught:
            repair(str(folder))
    assert caught.value.diagnostics[0].code is Code.PERMISSION


STORED = Stored(
    tenant="public", name="a", version="1", format="native", digest="ab" * 32, size=3,
    content="sha256:" + "ab" * 32, sidecar=None, installed_at="now",
    trust=Trust(
        verified_at="now", trusted_signers=("cd" * 32,), signatures=({"status": "trusted"},)
    ),
)  # fmt: skip


def test_a_record_of_trust_comes_back_as_it_was():
    value = json.loads(json.dumps(STORED.to_json()))
    assert Stored.from_json(value, "public", "a") == STORED


@pytest.mark.parametrize(
    "change",
    [{"size": "3"}, {"format": 1}, {"trust": {}}, {"trust": []}, {"sidecar": 1}, {"more": 1},
     {"digest": "../x"}, {"sidecar": "ab"}, {"version": "a b"},
     {"trust": {**STORED.trust.to_json(), "rule": {"keys": [1]}}},
     {"trust": {**STORED.trust.to_json(), "trusted_signers": [1]}}],
)  # fmt: skip
def test_a_record_of_another_form_is_none(change):
    with pytest.raises(ValueError, match=r"."):
        Stored.from_json({**STORED.to_json(), **change}, "public", "a")
    with pytest.raises(ValueError, match=r"."):
        Trust.from_json([])


@pytest.mark.parametrize(
    "change",
    [{"tenant": "a/b"}, {"activations": []}, {"activations": ["2"]}, {"activations": ["1", "1"]},
     {"versions": 3}, {"versions": []}, {"versions": [STORED.to_json()] * 2}, {"schema": "x"},
     {"name": None, "versions": [1]}, {"name": "\ud800"}],
)  # fmt: skip
def test_a_record_that_contradicts_itself_is_none(change):
    value = NameRecord("public", "a", (STORED,), ("1",)).to_json()
    assert NameRecord.from_json(value).active == "1"
    with pytest.raises(ValueError, match=r"."):
        NameRecord.from_json({**value, **change})


def test_a_record_has_a_size_that_it_may_have(folder, monkeypatch):
    monkeypatch.setattr(records, "MAX_BYTES", 10)
    with pytest.raises(Refused, match="more than 10 bytes"):
        Registry(folder).find("public", "a")


def test_a_registry_of_a_newer_version_is_neither_judged_nor_repaired(folder):
    make_newer(record_file(folder))
    for act in (check, repair):
        with pytest.raises(Refused) as caught:
            act(str(folder))
        assert caught.value.diagnostics[0].code is Code.NEWER_REGISTRY
