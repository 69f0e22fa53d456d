"""A file of a project that is a link is refused, whoever reads it and whatever it leads to."""

from __future__ import annotations

import os
import shutil

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.operations.packaging.vendoring import VendorRequest
from cloacina_ctl.operations.validate import validate
from tests.support.canary import seen
from tests.support.projects import FIXTURES

PYPROJECT = '[project]\nname = "demo"\nversion = "1.0.0"\nrequires-python = ">=3.10"\n'
TASKS = (
    "import cloaca\n\n\n@cloaca.task(id='one', dependencies=[])\ndef one(context):\n"
    "    return context\n"
)
PACKAGE_TOML = (
    '[package]\nname = "demo"\nversion = "1.0.0"\ninterface = "cloacina-workflow-plugin"\n'
    'interface_version = 1\nextension = "cloacina"\n[metadata]\nlanguage = "python"\n'
    'workflow_name = "demo"\nentry_module = "demo.tasks"\n'
)
LOCK = 'lock-version = "1.0"\ncreated-by = "cloacina-ctl"\npackages = []\n'
PROJECTS = {
    "python": {
        "pyproject.toml": PYPROJECT,
        "pylock.cloacina.toml": LOCK,
        "src/demo/__init__.py": "",
        "src/demo/tasks.py": TASKS,
        "src/demo/data/table.csv": "1\n",
    },
    "tree": {
        "package.toml": PACKAGE_TOML,
        "requirements.txt": "",
        "workflow/demo/__init__.py": "",
        "workflow/demo/tasks.py": TASKS,
    },
}
READ = [
    ("python", "pyproject.toml", {}),
    ("python", "pylock.cloacina.toml", {"vendor": True}),
    ("python", "src", {}),
    ("python", "src/demo", {}),
    ("python", "src/demo/__init__.py", {}),
    ("python", "src/demo/tasks.py", {}),
    ("python", "src/demo/data", {}),
    ("python", "src/demo/data/table.csv", {}),
    ("tree", "package.toml", {}),
    ("tree", "package.toml", {"form": "source"}),
    ("tree", "requirements.txt", {"vendor": True}),
    ("tree", "workflow", {}),
    ("tree", "workflow/demo", {}),
    ("tree", "workflow/demo/tasks.py", {}),
]


def make(root, kind):
    for name, text in PROJECTS[kind].items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def move_out(root, name, outside):
    """Put a link in the place of a file or folder of the project, and keep that elsewhere."""
    outside.mkdir()
    kept = outside / os.path.basename(name)
    shutil.move(root / name, kept)
    (root / name).symlink_to(kept)
    return kept


def refusal(root, tmp_path, form=None, runtime=None, vendor=False):
    """Return what `package` says of the project, which must not leave anything."""
    output = tmp_path / "x.cloacina"
    with pytest.raises(Refused) as caught:
        package(
            PackageRequest(
                str(root),
                output=str(output),
                target=choose_target(form, runtime),
                vendor=VendorRequest(wanted=vendor, offline=True),
            )
        )
    assert not output.exists()
    return caught.value.diagnostics[0]


@pytest.mark.parametrize("outside", [True, False], ids=["outside", "inside"])
@pytest.mark.parametrize(("kind", "name", "options"), READ, ids=str)
def test_a_link_in_the_place_of_what_is_read_is_refused(tmp_path, kind, name, options, outside):
    root = make(tmp_path / "demo", kind)
    kept = move_out(root, name, root / "kept" if not outside else tmp_path / "kept")
    before = seen(kept)
    said = refusal(root, tmp_path, **options)
    assert (said.code, said.message) == (Code.LINK, f"a link to {kept}")
    assert said.where == str(root / name)
    if "vendor" not in options:
        found = [one for one in validate(str(root)).report.findings if one.code is Code.LINK]
        assert [one.where for one in found] == [str(root / name)]
    assert seen(kept) == before


@pytest.mark.parametrize(
    ("kind", "name"), [("python", "package.toml"), ("tree", "pyproject.toml")], ids=str
)
def test_a_link_is_not_read_to_tell_the_kind_of_a_project(tmp_path, kind, name):
    root = make(tmp_path / "demo", kind)
    (tmp_path / "other").write_text("secret of somebody")
    (root / name).unlink(missing_ok=True)
    (root / name).symlink_to(tmp_path / "other")
    said = refusal(root, tmp_path)
    assert (said.code, said.where) == (Code.LINK, str(root / name))
    assert "secret" not in str(said)


def test_a_project_that_is_a_link_itself_is_packed(tmp_path):
    make(tmp_path / "real", "python")
    (tmp_path / "demo").symlink_to(tmp_path / "real")
    output = tmp_path / "x.cloacina"
    package(PackageRequest(str(tmp_path / "demo"), output=str(output)))
    assert output.exists()
    assert not [one for one in validate(str(tmp_path / "demo")).report.findings
                if one.code is Code.LINK]  # fmt: skip


@pytest.mark.parametrize("name", ["Cargo.toml", "package.toml", "Cargo.lock"])
def test_a_link_in_a_crate_is_refused_by_its_name(tmp_path, name):
    root = tmp_path / "crate"
    shutil.copytree(FIXTURES / "rust_etl", root)
    for more in ("package.toml", "Cargo.lock"):
        (root / more).touch()
    (root / ".gitignore").write_text("Cargo.lock\n")
    move_out(root, name, tmp_path / "kept")
    said = refusal(root, tmp_path, "source")
    assert (said.code, said.where) == (Code.LINK, str(root / name))
