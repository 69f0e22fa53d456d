"""Findings name the files of a project as they are seen from the current folder."""

from __future__ import annotations

import json
import os

import pytest

from cloacina_ctl.errors import CloacinaError, Code, Diagnostic, Location, Refused
from cloacina_ctl.operations.locating import Locator
from cloacina_ctl.operations.package import PackageRequest, prepare
from cloacina_ctl.operations.validate import validate

PYPROJECT = '[project]\nname = "flow"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
PYPROJECT += '[tool.cloacina]\nentry_module = "flow.tasks"\n'


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A project in `here/flow` whose entry module does not parse; `here` is the current folder."""
    folder = tmp_path / "here" / "flow"
    (folder / "src" / "flow").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "src" / "flow" / "__init__.py").write_text("")
    (folder / "src" / "flow" / "tasks.py").write_text("import cloaca\n\nx = (\n")
    monkeypatch.chdir(tmp_path / "here")
    return folder


def spelled(folder: str) -> Diagnostic:
    """Return the one finding about the module."""
    found = validate(folder).report.findings
    return next(one for one in found if one.code is Code.PYTHON_SYNTAX)


def test_from_beside_the_project(broken):
    found = spelled("flow")
    assert found.where is not None
    assert found.where.startswith("flow/src/flow/tasks.py:3")
    assert found.location is not None
    assert found.location == Location("flow/src/flow/tasks.py", 3, 5)


def test_from_inside_of_the_project(broken, monkeypatch):
    monkeypatch.chdir(broken)
    assert spelled(".").location.file == "src/flow/tasks.py"
    monkeypatch.chdir(broken / "src")
    assert spelled("..").location.file == "../src/flow/tasks.py"


def test_a_project_that_was_named_in_full_is_named_in_full(broken):
    assert spelled(str(broken)).location.file == str(broken / "src/flow/tasks.py")


def test_what_package_refuses_has_the_same_names(broken):
    with pytest.raises(Refused) as caught:
        prepare(PackageRequest(project="flow"))
    assert caught.value.diagnostics[0].location.file == "flow/src/flow/tasks.py"


def test_a_manifest_that_is_no_toml_has_line_and_column(broken):
    (broken / "pyproject.toml").write_text("[project]\nname = flow\n")
    found = validate("flow").report.findings[0]
    assert found.location == Location("flow/pyproject.toml", 2, 8)
    assert found.where == "flow/pyproject.toml:2:8"


def test_json_has_file_line_column_and_the_page_of_the_code(broken, cli):
    found = cli("validate", "flow", "--json", cwd=broken.parent).json["diagnostics"][0]
    assert found["file"] == "flow/src/flow/tasks.py"
    assert found["line"] == 3
    assert found["doc_url"] == "codes.md#y006-python-source-that-cannot-be-parsed"
    assert json.dumps(found["where"]).startswith('"flow/src/flow/tasks.py:3')


def test_a_column_counts_characters_and_people_see_the_line_alone(broken):
    text = "import cloaca\nx = 'ä'; import nowhere\n@cloaca.task(id='a')\ndef a(context): ...\n"
    (broken / "src" / "flow" / "tasks.py").write_text(text, "utf-8")
    (found,) = validate("flow").report.findings
    assert found.where == "flow/src/flow/tasks.py:2"
    assert found.location == Location("flow/src/flow/tasks.py", 2, 10)


def test_a_finding_in_a_crate_has_the_column_of_what_it_is_about(tmp_path, monkeypatch):
    source = '#[workflow(name = "w")]\nmod w {\n    #[task(id = "a")] async fn a() {}\n}\n'
    manifest = '[package]\nname = "f"\nversion = "1.0.0"\n'
    manifest += '[dependencies]\ncloacina-workflow = "0.12"\n'
    for name, text in {"Cargo.toml": manifest, "src/lib.rs": source}.items():
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    found = {one.code: one for one in validate("f").report.findings}[Code.NOT_PUBLIC]
    assert found.where == "f/src/lib.rs:3"
    assert found.location == Location("f/src/lib.rs", 3, 23)


def test_a_finding_in_a_package_has_the_package_as_its_file(signed, tmp_path):
    signed.with_name("cut.cloacina").write_bytes(signed.read_bytes()[:-20])
    found = validate(str(signed.with_name("cut.cloacina"))).report.findings
    assert {one.location.file for one in found} == {str(signed.with_name("cut.cloacina"))}


@pytest.mark.parametrize(
    ("where", "seen", "line"),
    [
        ("Cargo.toml", "ws/etl/Cargo.toml", None),
        ("Cargo.toml: [lib] name", "ws/etl/Cargo.toml: [lib] name", None),
        ("src/lib.rs:7", "ws/etl/src/lib.rs:7", 7),
        ("src/lib.rs:7:3", "ws/etl/src/lib.rs:7:3", 7),
        ("Cargo.lock", "ws/Cargo.lock", None),  # of the workspace
    ],
)
def test_names_begin_at_the_crate_and_then_at_the_workspace(
    tmp_path, monkeypatch, where, seen, line
):
    crate = tmp_path / "ws" / "etl"
    (crate / "src").mkdir(parents=True)
    for file in ("Cargo.toml", "src/lib.rs", "../Cargo.toml", "../Cargo.lock"):
        (crate / file).write_text("")
    monkeypatch.chdir(tmp_path)
    locator = Locator("ws")
    locator.roots.insert(0, str(crate))
    (found,) = locator.located([Diagnostic(Code.IO, "text", where)])
    assert (found.where, found.location.line) == (seen, line)


def test_what_is_no_file_of_the_project_stays_as_it_is(tmp_path):
    told = [
        Diagnostic(Code.IO, "text", where)
        for where in (None, "workflow/x.py:3", "https://host:8080", "the current folder", "a\nb")
    ]
    assert Locator(str(tmp_path)).located(told) == tuple(told)


def test_errors_are_located_and_keep_their_class(tmp_path):
    (tmp_path / "Cargo.toml").write_text("")
    with pytest.raises(CloacinaError) as caught, Locator(str(tmp_path)).errors():
        raise Refused.of(Code.IO, "text", where="Cargo.toml")
    assert type(caught.value) is Refused
    assert caught.value.diagnostics[0].location == Location(os.fspath(tmp_path / "Cargo.toml"))
