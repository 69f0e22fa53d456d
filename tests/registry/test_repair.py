"""What `list --check` finds in a registry, and what `--repair` makes whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from cloacina_ctl.errors import Code, FileProblem, Refused, Severity
from cloacina_ctl.registry import records
from cloacina_ctl.registry.files import open_lock
from cloacina_ctl.registry.layout import RECORDS, record_digest, stored_path
from cloacina_ctl.registry.repair import check, repair
from cloacina_ctl.registry.store import Reading, Registry
from cloacina_ctl.registry.stored import Stored, Trust
from tests.registry.stores import check_invariants, check_tidy, put, read_only


@pytest.fixture
def folder(tmp_path) -> Path:
    """A registry with two versions of a package, one of another tenant's, and a way back."""
    folder = tmp_path / "registry"
    put(folder, "a", "1", sidecar=b"s")
    put(folder, "a", "2")
    put(folder, "b", "1", tenant="etl")
    with Registry(folder) as registry:
        registry.roll_back("public", "a")
    return folder


def found(folder: Path) -> list[tuple[Code, Severity]]:
    return [(one.code, one.severity) for one in check(str(folder)).findings]


def package_file(folder: Path, name: str = "a", version: str | None = "1", tenant="public") -> Path:
    with Reading(folder) as registry:
        return Path(registry.package_path(registry.find(tenant, name, version)))


def record_file(folder: Path, name: str = "a", tenant: str = "public") -> Path:
    return folder / stored_path(RECORDS, record_digest(tenant, name))


def overwrite(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


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
    for path in (folder / "sidecars").rglob("*.sig"):
        path.unlink()
    assert found(folder) == [(Code.STORED_DAMAGED, Severity.ERROR)]


@pytest.mark.parametrize("how", ["gone", "file"])
@pytest.mark.parametrize("kind", ["packages", "sidecars", "records"])
def test_a_folder_of_it_that_is_gone_is_found_and_made_anew(folder, kind, how):
    before = check_invariants(folder)
    shutil.move(folder / kind, folder.parent / kind)
    if how == "file":
        (folder / kind).write_text("?")
    findings = check(str(folder)).findings
    assert [one.code for one in findings if one.where == str(folder / kind)] == [
        Code.REGISTRY_FOLDER
    ]
    assert findings[0].severity is Severity.ERROR
    assert "--repair" in findings[0].hint
    codes = {one.code for one in findings[1:]}
    assert codes == ({Code.STORED_DAMAGED} if kind != "records" else set())
    if how == "file":
        with pytest.raises(FileProblem) as caught:
            repair(str(folder))
        assert caught.value.diagnostics[0].where == str(folder / kind)
        (folder / kind).unlink()
    repair(str(folder))
    assert Code.REGISTRY_FOLDER not in {one.code for one in check(str(folder)).findings}
    if kind != "records":
        (folder / kind).rmdir()
        shutil.move(folder.parent / kind, folder / kind)
    assert found(folder) == []
    assert check_invariants(folder) == before


@pytest.mark.parametrize("kind", ["packages", "records"])
def test_a_registry_without_index_is_not_an_empty_one_while_anything_is_left(folder, kind):
    (folder / "index.sqlite").unlink()
    shutil.rmtree(folder / kind)
    assert found(folder) == [(Code.REGISTRY_DAMAGED, Severity.ERROR)]
    with pytest.raises(Refused):
        put(folder, "c", "1")


def test_strange_files_are_odd_and_stay(folder):
    strange = [
        folder / "packages" / "notes.txt",
        folder / "packages" / "ab" / ("ab" * 32 + ".cloacina"),
        folder / "packages" / "ab" / "x.cloacina",
    ]
    (folder / "packages" / "ab").mkdir(exist_ok=True)
    for path in strange:
        path.write_text("?")
    assert found(folder) == [(Code.STRAY_STORED, Severity.WARNING)] * 3
    repair(str(folder))
    assert all(path.exists() for path in strange)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1", b"\xff", None])
def test_a_record_that_says_something_else_is_found_and_written_anew(folder, damage):
    path = record_file(folder)
    before = path.read_bytes()
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    assert found(folder) == [(Code.RECORD_BEHIND, Severity.WARNING)]
    assert repair(str(folder)) == ("wrote the record of a for tenant public",)
    assert path.read_bytes() == before
    assert found(folder) == []


def test_a_record_of_what_is_gone_is_found_and_removed(folder):
    old = record_file(folder).read_bytes()
    with Registry(folder) as registry:
        registry.remove("public", "a")
    record_file(folder).parent.mkdir(exist_ok=True)
    record_file(folder).write_bytes(old)
    assert found(folder) == [(Code.RECORD_BEHIND, Severity.WARNING)]
    assert len(repair(str(folder))) == 1
    check_tidy(folder)


@pytest.mark.parametrize("how", ["gone", "empty", "text", "page", "turn", "no turn", "type"])
def test_a_damaged_index_is_made_anew_with_all_that_it_said(folder, how):
    before = check_invariants(folder)
    with Reading(folder) as registry:
        trust = registry.find("public", "a").trust
    damage_index(folder, how)
    assert found(folder) == [(Code.REGISTRY_DAMAGED, Severity.ERROR)]
    done = repair(str(folder))
    assert "made the index anew from the records: 3 versions" in done
    assert (how == "gone") != any("kept the damaged index as" in one for one in done)
    assert found(folder) == []
    assert check_invariants(folder) == before
    check_tidy(folder)
    with Registry(folder) as registry:
        assert registry.find("public", "a").trust == trust
        assert registry.roll_back("public", "a", "2").before == "1"


def damage_index(folder: Path, how: str) -> None:
    path = folder / "index.sqlite"
    statements = {
        "turn": ["PRAGMA foreign_keys = OFF", "DELETE FROM installed WHERE version = '1'"],
        "no turn": ["DELETE FROM turns WHERE name = 'a'"],
        "type": ["UPDATE installed SET size = 'many'"],
    }
    if how in statements:
        with contextlib.closing(sqlite3.connect(path)) as index:
            for statement in statements[how]:
                index.execute(statement)
            index.commit()
        return
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "page":
        path.write_bytes(data[:4096] + b"\xa5" * 8192 + data[12288:])
    else:
        path.write_bytes(b"" if how == "empty" else b"?" * 9999)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")


@pytest.mark.parametrize("name", ["0" * 64 + ".json", "x.json"])
def test_a_record_that_cannot_be_read_is_left_out_and_said(folder, name):
    (folder / RECORDS / "00").mkdir(exist_ok=True)
    for number, text in enumerate(("{", "[]", '{"schema": 1}'), 1):
        (folder / RECORDS / "00" / f"{number}{name[1:]}").write_text(text)
    (folder / RECORDS / "00" / name).write_bytes(record_file(folder).read_bytes())
    (folder / "index.sqlite").unlink()
    done = repair(str(folder))
    assert sum(one.startswith("left out a record") for one in done) == 4
    assert check_invariants(folder).keys() == {("public", "a"), ("etl", "b")}


def test_nobody_changes_anything_during_a_repair(folder):
    lock = open_lock(str(folder), 0.0)
    lock.hold_shared()
    with pytest.raises(FileProblem) as caught:
        repair(str(folder), busy_seconds=0.05)
    assert caught.value.diagnostics[0].code is Code.REGISTRY_BUSY
    lock.close()


def test_what_a_killed_run_left_is_cleared_up(folder):
    (folder / "incoming" / ".cloacina-ctl-0").write_text("half")
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
        index.execute(f"INSERT INTO unsettled VALUES ('x', 'packages', '{'ab' * 32}')")
        index.commit()
    left = folder / stored_path("packages", "ab" * 32)
    left.parent.mkdir(exist_ok=True)
    left.write_text("nobody's")
    assert len(repair(str(folder))) == 2
    check_tidy(folder)


def test_a_read_only_registry_is_checked_and_not_repaired(folder):
    with read_only(folder):
        assert found(folder) == []
        with pytest.raises(FileProblem) as caught:
            repair(str(folder))
    assert caught.value.diagnostics[0].code is Code.PERMISSION


STORED = Stored(
    tenant="public", name="a", version="1", format="native", digest="ab" * 32, size=3,
    content="sha256:" + "ab" * 32, sidecar=None, installed_at="now",
    trust=Trust(verified_at="now", vouched_by=("cd" * 32,), signatures=({"status": "trusted"},)),
)  # fmt: skip


def test_a_record_of_trust_comes_back_as_it_was():
    assert Stored.from_json(json.loads(json.dumps(STORED.to_json()))) == STORED


@pytest.mark.parametrize(
    "change",
    [{"size": "3"}, {"name": 1}, {"trust": {}}, {"trust": []}, {"sidecar": 1}, {"more": 1},
     {"trust": {**STORED.trust.to_json(), "rule": {"keys": [1]}}},
     {"trust": {**STORED.trust.to_json(), "vouched_by": [1]}}],
)  # fmt: skip
def test_a_record_of_another_form_is_none(change):
    with pytest.raises(ValueError, match=r"."):
        Stored.from_json({**STORED.to_json(), **change})
    with pytest.raises(ValueError, match=r"."):
        Trust.from_json([])


@pytest.mark.parametrize(
    "change",
    [{"tenant": "etl"}, {"turns": []}, {"turns": ["2"]}, {"turns": ["1", "1"]}, {"versions": 3},
     {"versions": [STORED.to_json()] * 2}, {"schema": "x"}, {"name": None, "versions": [1]},
     {"tenant": "\ud800", "versions": [{**STORED.to_json(), "tenant": "\ud800"}]}],
)  # fmt: skip
def test_a_record_that_contradicts_itself_is_none(change):
    value = {"schema": records.SCHEMA, "tenant": "public", "name": "a",
             "versions": [STORED.to_json()], "turns": ["1"]}  # fmt: skip
    assert records.from_text(json.dumps(value)).active == "1"
    with pytest.raises(ValueError, match=r"."):
        records.from_text(json.dumps({**value, **change}))


def test_a_record_has_a_size_that_it_may_have(folder, monkeypatch):
    monkeypatch.setattr(records, "MAX_BYTES", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        records.read(str(record_file(folder)))


def test_a_registry_of_a_newer_version_is_neither_judged_nor_repaired(folder):
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as index:
        index.execute("PRAGMA user_version = 2")
    for act in (check, repair):
        with pytest.raises(Refused) as caught:
            act(str(folder))
        assert caught.value.diagnostics[0].code is Code.NEWER_REGISTRY
