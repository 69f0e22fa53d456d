"""Modules are packed from where the build configuration says that the wheel has them from."""

from __future__ import annotations

import os
import subprocess
import venv
import zipfile

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.project.selection.select import select_files
from tests.project.python.layouts import LAYOUTS, Layout, project
from tests.support.trees import PYPROJECT, TASK, found, plant

BACK_ENDS = (
    "setuptools==80.9.0", "wheel==0.45.1", "hatchling==1.27.0", "poetry-core==2.1.3",
    "pdm-backend==2.4.5", "flit-core==3.12.0", "uv_build==0.9.0",
)  # fmt: skip
BUILD = "import sys, importlib; importlib.import_module(sys.argv[1]).build_wheel(sys.argv[2])"


def packed(root) -> set[str]:
    paths = (str(file.path) for file in select_files(read_project(str(root))).files)
    return {path.removeprefix("workflow/") for path in paths if path.endswith(".py")}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_packs_the_modules_that_the_build_configuration_names(tmp_path, layout: Layout):
    assert packed(plant(tmp_path, project(layout))) == layout.modules


@pytest.fixture(scope="module")
def back_ends(tmp_path_factory):
    """A Python that has the real back ends."""
    folder = tmp_path_factory.mktemp("back-ends")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *BACK_ENDS], check=True)
    return python


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_wheel_of_the_real_back_end_has_the_same_modules(tmp_path, back_ends, layout: Layout):
    root = plant(tmp_path / "project", project(layout))
    out = tmp_path / "out"
    out.mkdir()
    command = [str(back_ends), "-c", BUILD, layout.back_end, str(out)]
    path = f"{back_ends.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        assert {name for name in opened.namelist() if name.endswith(".py")} == layout.modules


def test_the_source_root_of_the_configuration_wins_over_the_build_configuration(tmp_path):
    pyproject = PYPROJECT + (
        '[tool.cloacina]\nsource_root = ["lib", "more"]\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["src/p0"]\nexclude = ["lib/p0/bench.py"]\n'
    )
    files = {
        "pyproject.toml": pyproject,
        "lib/p0/__init__.py": "",
        "lib/p0/tasks.py": TASK,
        "lib/p0/bench.py": "",
        "more/q.py": "",
        "src/p0/__init__.py": "",
    }
    plant(tmp_path, files)
    assert packed(tmp_path) == {"p0/__init__.py", "p0/tasks.py", "q.py"}
    assert read_project(str(tmp_path)).python.entry_module == "p0.tasks"


def test_the_only_table_of_a_back_end_counts_where_no_back_end_is_named(tmp_path):
    table = '[tool.hatch.build.targets.wheel]\npackages = ["src/python/p0"]\n'
    files = {
        "pyproject.toml": PYPROJECT + table,
        "src/python/p0/__init__.py": "",
        "src/python/p0/tasks.py": TASK,
        "src/typescript/a.ts": "",
    }
    plant(tmp_path, files)
    assert packed(tmp_path) == {"p0/__init__.py", "p0/tasks.py"}


def test_a_folder_that_is_a_project_of_its_own_is_none_of_this_one_s_packages(tmp_path):
    files = {
        "pyproject.toml": PYPROJECT,
        "p0/__init__.py": "",
        "p0/tasks.py": TASK,
        "core/pyproject.toml": PYPROJECT,
        "core/build.py": "",
        "core/core/__init__.py": "",
        "old/setup.py": "",
        "old/old/__init__.py": "",
    }
    assert packed(plant(tmp_path, files)) == {"p0/__init__.py", "p0/tasks.py"}


def test_a_folder_that_is_called_as_source_roots_are_is_no_namespace(tmp_path):
    files = {"python/p0/__init__.py": "", "python/p0/tasks.py": TASK}
    build = '[build-system]\nbuild-backend = "setuptools.build_meta"\n'
    plant(tmp_path, {**files, "pyproject.toml": PYPROJECT + build})
    with pytest.raises(Refused) as refused:
        packed(tmp_path)
    assert found(refused.value) == [(Code.NOTHING_TO_PACK, str(tmp_path))]
    assert "source_root" in refused.value.diagnostics[0].hint


def test_a_project_of_which_nothing_is_packed_says_what_was_left_out_and_why(tmp_path):
    plant(tmp_path, {"pyproject.toml": PYPROJECT, "code/deep-er/a.py": ""})
    with pytest.raises(Refused) as refused:
        select_files(read_project(str(tmp_path)))
    (said,) = refused.value.diagnostics
    assert said.code is Code.NOTHING_TO_PACK
    assert "code/ (not part of what gets packed)" in said.message
    assert "--list" not in str(said.hint)


@pytest.mark.parametrize(
    "value", ['"../lib"', '"/lib"', '"a/../../b"', "[]", '""', "1", '["a", 1]']
)
def test_refuses_a_source_root_that_is_no_folder_of_the_project(tmp_path, value):
    plant(tmp_path, {"pyproject.toml": f"{PYPROJECT}[tool.cloacina]\nsource_root = {value}\n"})
    with pytest.raises(Refused) as refused:
        read_project(str(tmp_path))
    assert found(refused.value) == [(Code.CONFIG_VALUE, "pyproject.toml: [tool.cloacina]")]


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ('[tool.cloacina]\nsource_root = "lib"\n', "[tool.cloacina] source_root"),
        (
            '[tool.hatch.build.targets.wheel]\npackages = ["../shared/p0"]\n',
            "pyproject.toml: tool.hatch.build.targets.wheel.packages",
        ),
        (
            '[tool.setuptools.packages.find]\nwhere = ["/lib"]\n',
            "pyproject.toml: tool.setuptools.packages.find",
        ),
    ],
)
def test_refuses_modules_that_are_not_there_or_not_the_project_s(tmp_path, table, place):
    plant(tmp_path / "shared", {"p0/__init__.py": ""})
    root = plant(tmp_path / "project", {"pyproject.toml": PYPROJECT + table})
    with pytest.raises(Refused) as refused:
        read_project(str(root))
    assert found(refused.value) == [(Code.SOURCE_ROOT, place)]


def test_refuses_a_source_root_that_a_link_leads_to(tmp_path):
    plant(tmp_path / "elsewhere", {"p0/__init__.py": ""})
    pyproject = PYPROJECT + '[tool.cloacina]\nsource_root = "lib/inner"\n'
    root = plant(tmp_path / "project", {"pyproject.toml": pyproject})
    os.symlink(tmp_path / "elsewhere", root / "lib")
    with pytest.raises(Refused) as refused:
        read_project(str(root))
    assert found(refused.value) == [(Code.LINK, "lib")]


def test_a_tree_and_a_crate_have_no_source_root(tmp_path):
    plant(tmp_path, {"Cargo.toml": '[package]\nname = "a"\n[package.metadata.cloacina]\n'
                                   'source_root = "src"\n'})  # fmt: skip
    with pytest.raises(Refused) as refused:
        read_project(str(tmp_path))
    assert "is for projects with a pyproject.toml" in str(refused.value)


@pytest.mark.parametrize(
    "table",
    [
        "[tool.hatch]\nbuild = 3\n",
        '[tool.hatch.build.targets.wheel]\npackages = "src/p0"\nexclude = "p0"\nsources = [3]\n',
        '[tool.hatch.build.targets.wheel]\nonly-include = ["src/p0"]\nsources = {src = ""}\n',
        '[tool.poetry]\nexclude = "p0"\npackages = ["p0", {include = 3}, {format = 3}]\n',
        '[tool.poetry]\nexclude = [{path = "src/p0", format = "sdist"}]\n',
        '[tool.setuptools]\npackage-dir = ["x"]\npackages = {find = 3}\n',
        "[tool.pdm.build]\npackage-dir = 3\nincludes = 3\n",
        "[tool.flit.module]\nname = 3\n",
        '[tool.maturin]\npython-source = "src"\nmodule-name = "p0"\nexclude = "p0"\n',
        '[tool.uv.build-backend]\nmodule-name = ["p0"]\nwheel-exclude = "p0"\n',
        '[build-system]\nbuild-backend = "own"\n[tool.uv.build-backend]\nmodule-root = "x"\n',
    ],
)
def test_a_table_of_the_wrong_form_says_nothing(tmp_path, table):
    """The back end itself refuses it, in its own words."""
    head = '[project]\nname = "p0"\nversion = "1.0"\n'
    files = {"pyproject.toml": head + table, "src/p0/__init__.py": "", "src/p0/tasks.py": TASK}
    assert packed(plant(tmp_path, files)) == {"p0/__init__.py", "p0/tasks.py"}


def test_a_pattern_that_names_no_folder_is_said(tmp_path):
    table = '[tool.hatch.build.targets.wheel]\ninclude = ["**/*.py"]\n'
    files = {"pyproject.toml": PYPROJECT + table, "src/p0/__init__.py": "", "src/p0/tasks.py": TASK}
    plant(tmp_path, files)
    findings = validate(str(tmp_path)).report.findings
    assert [(one.code, one.message) for one in findings] == [
        (
            Code.BUILD_PATTERN,
            "a pattern that names no folder or module is ignored: **/*.py",
        )
    ]
