from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import CloacinaError, Code, FileProblem, Refused
from cloacina_ctl.project.config import read_config
from cloacina_ctl.project.detect import detect
from cloacina_ctl.project.model import ProjectLayout
from cloacina_ctl.project.reading import read_project
from tests.support.trees import PYPROJECT, TASK, TREE, found, plant

if TYPE_CHECKING:
    from pathlib import Path

CARGO = '[package]\nname = "demo"\nversion = "1.0.0"\n'
TOOLS = "[tool.ruff]\nline-length = 100\n"


@pytest.mark.parametrize(
    ("files", "layout"),
    [
        ({"Cargo.toml": CARGO}, ProjectLayout.RUST),
        ({"Cargo.toml": CARGO, "pyproject.toml": TOOLS}, ProjectLayout.RUST),
        (
            {"Cargo.toml": CARGO, "package.toml": '[metadata]\nlanguage = "rust"\n'},
            ProjectLayout.RUST,
        ),
        ({"pyproject.toml": PYPROJECT}, ProjectLayout.PYTHON),
        ({"package.toml": TREE}, ProjectLayout.PYTHON_TREE),
        ({"package.toml": "", "workflow/x.py": ""}, ProjectLayout.PYTHON_TREE),
        ({"package.toml": TREE, "pyproject.toml": PYPROJECT}, ProjectLayout.PYTHON_TREE),
    ],
)
def test_knows_a_project_by_the_files_at_its_top(tmp_path, files, layout):
    assert detect(str(plant(tmp_path, files))).layout is layout


@pytest.mark.parametrize(
    "files",
    [
        {"Cargo.toml": CARGO, "pyproject.toml": PYPROJECT},
        {"Cargo.toml": CARGO, "package.toml": TREE},
        {"Cargo.toml": CARGO, "package.toml": "", "workflow/x.py": ""},
    ],
)
def test_refuses_two_kinds_and_names_the_signs(tmp_path, files):
    with pytest.raises(Refused) as caught:
        detect(str(plant(tmp_path, files)))
    (problem,) = caught.value.diagnostics
    assert problem.code is Code.TWO_KINDS
    assert "Cargo.toml" in problem.message
    assert problem.hint


@pytest.mark.parametrize("files", [{}, {"README.md": ""}, {"pyproject.toml": TOOLS}])
def test_refuses_a_folder_without_a_project_and_says_what_it_looked_for(tmp_path, files):
    with pytest.raises(Refused) as caught:
        detect(str(plant(tmp_path, files)))
    assert [code for code, _ in found(caught.value)] == [Code.NO_PROJECT]
    assert "pyproject.toml" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'\n", "setup.py": ""}, "[tool.poetry]"),
        ({"pyproject.toml": "[tool.flit.metadata]\nmodule = 'a'\n"}, "[tool.flit]"),
        ({"setup.cfg": "[metadata]\nname = a\n", "setup.py": ""}, "setup.cfg"),
        ({"pyproject.toml": "tool = 3\n", "setup.py": "setup()\n"}, "setup.py"),
    ],
)
def test_an_older_python_project_is_told_where_its_name_belongs(tmp_path, files, named):
    with pytest.raises(Refused) as caught:
        detect(str(plant(tmp_path, files)))
    cure = "is not read: write name, version and dependencies under [project] of pyproject.toml"
    assert caught.value.diagnostics[0].hint == f"{named} {cure}"


def test_a_missing_folder_and_a_file_are_problems_of_files(tmp_path):
    for path in (tmp_path / "gone", plant(tmp_path, {"file": ""}) / "file"):
        with pytest.raises(FileProblem):
            detect(str(path))


def config_error(
    root: Path, text: str, layout: ProjectLayout = ProjectLayout.PYTHON
) -> CloacinaError:
    name = "Cargo.toml" if layout is ProjectLayout.RUST else "pyproject.toml"
    with pytest.raises(Refused) as caught:
        read_config(str(plant(root, {name: text})), layout)
    return caught.value


def test_says_all_mistakes_of_a_configuration_at_once(tmp_path):
    text = (
        '[tool.cloacina]\nentry-module = "a.b"\nname = 5\ninclude = "x"\nexclude = ["!x"]\n'
        'entry_module = "a/b"\nsigning_key = "k"\nworkflow_name = ""\n'
    )
    error = config_error(tmp_path, text)
    codes = [code.value for code, _ in found(error)]
    assert sorted(codes) == ["P003"] * 2 + ["P004"] * 5
    hints = [problem.hint for problem in error.diagnostics if problem.hint]
    assert "did you mean `entry_module`?" in hints
    assert any("--sign" in hint for hint in hints)


def test_a_crate_has_no_entry_module(tmp_path):
    text = CARGO + '[package.metadata.cloacina]\nentry_module = "a"\n'
    assert [code for code, _ in found(config_error(tmp_path, text, ProjectLayout.RUST))] == [
        Code.CONFIG_VALUE
    ]


def test_a_configuration_that_is_no_table_is_refused(tmp_path):
    assert found(config_error(tmp_path, "[tool]\ncloacina = 1\n"))[0][0] is Code.CONFIG_VALUE


def test_cloacina_toml_counts_only_where_no_other_file_does(tmp_path):
    plant(tmp_path, {"cloacina.toml": 'name = "other"\n'})
    assert read_config(str(tmp_path), ProjectLayout.PYTHON_TREE).name == "other"
    assert found(config_error(tmp_path, PYPROJECT)) == [(Code.CONFIG_VALUE, "cloacina.toml")]


def test_reads_what_pyproject_says_in_its_normal_form(tmp_path):
    text = (
        '[project]\nname = "demo"\nversion = "1.0-RC1"\ndescription = "D"\nlicense = "mit"\n'
        'requires-python = " >= 3.10 "\nkeywords = ["b", "a", "b"]\n'
        'authors = [{name = "A", email = "a@x"}, {email = "b@x"}, {name = "C"}]\n'
        '[project.urls]\nHomepage = "https://x"\nSource = "https://y"\n'
    )
    project = read_project(str(plant(tmp_path, {"pyproject.toml": text, "demo.py": TASK})))
    package = project.package
    assert (package.version, package.license, package.keywords) == ("1.0rc1", "MIT", ("a", "b"))
    assert package.authors == ("A <a@x>", "b@x", "C")
    assert (package.homepage, package.repository) == ("https://x", "https://y")
    assert project.requires is not None
    assert project.requires.python == ">=3.10"


def test_a_licence_that_is_no_spdx_expression_is_left_out(tmp_path):
    text = PYPROJECT + 'license = {file = "LICENSE"}\n'
    assert read_project(str(plant(tmp_path, {"pyproject.toml": text}))).package.license is None
    text = PYPROJECT + 'license = {text = "all mine"}\n'
    assert read_project(str(plant(tmp_path, {"pyproject.toml": text}))).package.license is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[project]\nname = "a"\ndynamic = ["version"]\n', Code.DYNAMIC_METADATA),
        ('[project]\nname = "a.b"\nversion = "1"\n', Code.PROJECT_NAME),
        ('[project]\nname = "a"\nversion = "one"\n', Code.PROJECT_VERSION),
        ('[project]\nversion = "1"\n', Code.PROJECT_NAME),
    ],
)
def test_a_name_or_version_that_no_package_may_have_comes_with_its_cure(tmp_path, text, code):
    with pytest.raises(Refused) as caught:
        read_project(str(plant(tmp_path, {"pyproject.toml": text})))
    (problem,) = caught.value.diagnostics
    assert problem.code is code
    assert "[tool.cloacina]" in (problem.hint or "")
    cure = text + '[tool.cloacina]\nname = "good"\nversion = "2.0"\n'
    package = read_project(str(plant(tmp_path, {"pyproject.toml": cure}))).package
    assert (package.name, package.version) == ("good", "2.0")


def test_fields_of_the_wrong_type_are_refused_all_at_once(tmp_path):
    text = PYPROJECT + 'authors = 5\nkeywords = [1]\nurls = "u"\nrequires-python = "soon"\n'
    with pytest.raises(Refused) as caught:
        read_project(str(plant(tmp_path, {"pyproject.toml": text})))
    assert [code for code, _ in found(caught.value)] == [Code.METADATA] * 4
    plant(tmp_path, {"pyproject.toml": "project = 1\n"})
    with pytest.raises(Refused):
        read_project(str(tmp_path))


def test_a_tree_with_fields_of_the_wrong_type_is_refused(tmp_path):
    text = TREE + 'entry_module = ["a"]\nauthor = 5\nworkflow_name = "w\\u0007"\n'
    with pytest.raises(Refused) as caught:
        read_project(str(plant(tmp_path, {"package.toml": text, "workflow/x.py": ""})))
    assert [code for code, _ in found(caught.value)] == [Code.METADATA] * 3


def test_a_tree_without_an_entry_module_has_the_engines_default(tmp_path):
    files = {"package.toml": TREE.replace("demo", "my-demo"), "workflow/my_demo/tasks.py": TASK}
    project = read_project(str(plant(tmp_path, files)))
    assert project.python is not None
    assert project.python.entry_path == "workflow/my_demo/tasks.py"
    assert project.python.packages_without_init == ("workflow/my_demo",)
