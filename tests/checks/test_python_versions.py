"""Source for another Python than the one that reads it, and what packages lack of the engine."""

from __future__ import annotations

import sys

import pytest

from cloacina_ctl.checks import other_python
from cloacina_ctl.errors import Code, Refused, Severity
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.model import SyntaxProblem
from cloacina_ctl.project.python.source import read_module
from tests.support.trees import PYPROJECT, TASK, plant

HERE = sys.version_info.minor
BROKEN = "def broken(:\n"


def project(root, requires: str | None, more: str = "", tasks: str = TASK):
    table = f'requires-python = "{requires}"\n' if requires else ""
    files = {
        "pyproject.toml": PYPROJECT + table,
        "src/demo/__init__.py": "",
        "src/demo/more.py": more,
        "src/demo/tasks.py": f"from demo import more\n{tasks}",
    }
    return plant(root, files)


def about(root, *codes: Code):
    return [one for one in validate(str(root)).report.findings if one.code in codes]


def test_source_for_a_newer_python_is_not_called_wrong(tmp_path):
    root = project(tmp_path, f">=3.{HERE + 1}", BROKEN)
    (only,) = about(root, Code.PYTHON_SYNTAX, Code.NOT_CHECKED)
    assert (only.code, only.severity) == (Code.NOT_CHECKED, Severity.ERROR)
    assert only.message.startswith(
        f"not checked: this program runs on Python 3.{HERE}, and it is for Python >=3.{HERE + 1}: "
    )
    assert only.hint == f"run cloacina-ctl with Python 3.{HERE + 1} or newer"
    with pytest.raises(Refused) as refused:
        package(PackageRequest(str(root), output=str(tmp_path / "x")))
    assert only in refused.value.diagnostics


@pytest.mark.parametrize("requires", [None, ">=3.10", f"==3.{HERE}.*", ">=3.10,<3.11"])
def test_source_that_a_python_of_the_project_cannot_read_is_wrong(tmp_path, requires):
    (only,) = about(project(tmp_path, requires, BROKEN), Code.PYTHON_SYNTAX, Code.NOT_CHECKED)
    assert (only.code, only.where) == (Code.PYTHON_SYNTAX, f"{tmp_path}/src/demo/more.py:1")
    assert only.message.startswith(f"not valid Python 3.{HERE}: ")


@pytest.mark.parametrize(
    ("requires", "newer"),
    [
        (None, True), (">=3.10", True), (f">=3.{HERE + 1}", True), (f"==3.{HERE}.*", False),
        (f"<=3.{HERE}", False),
    ],
)  # fmt: skip
def test_a_package_is_judged_by_a_python_that_may_know_its_syntax_alone(
    monkeypatch, requires, newer
):
    monkeypatch.setattr(other_python, "NEWEST", HERE + 1)  # this Python is not the newest
    problem = SyntaxProblem("workflow/demo/more.py:1", "invalid syntax", is_grammar=True)
    assert other_python.is_for_newer(problem, requires, packed=True) is newer
    assert not other_python.is_for_newer(problem._replace(is_grammar=False), requires, packed=True)
    if requires is None:
        monkeypatch.setattr(other_python, "NEWEST", HERE)
        assert not other_python.is_for_newer(problem, requires, packed=True)


@pytest.mark.parametrize(
    ("source", "since", "minor"),
    [
        ("try:\n    pass\nexcept* ValueError:\n    pass\n", 11, 11),
        ("def f(a, b):\n    return a[*b]\n", 11, 11),
        ("type Pair[T] = tuple[T, T]\n", 12, 12),
        ("def first[T](x: list[T]) -> T:\n    return x[0]\n", 12, 12),
        ("class A[T = int]:\n    pass\n", 13, 13),
    ],
)
def test_syntax_that_an_older_python_of_the_project_lacks_is_an_error(
    tmp_path, source, since, minor
):
    if since > HERE:
        pytest.skip(f"only Python 3.{since} reads it")
    root = project(tmp_path, ">=3.10", source)
    (only,) = about(root, Code.OLDER_PYTHON)
    assert only.severity is Severity.ERROR
    assert f"needs Python 3.{minor}, and it is for >=3.10" in only.message
    assert about(project(tmp_path, f">=3.{minor}", source), Code.OLDER_PYTHON) == []
    assert about(project(tmp_path, None, source), Code.OLDER_PYTHON) == []


def test_what_looks_like_newer_syntax_is_none():
    source = b"a = [*range(3)]\nb = {(*a,): 1}[(*a,)]\ntype = 1\nprint(*a, *a)\ntype(a)[0]\n"
    assert read_module(source, "x.py").newer == ()


BUILDER = 'with cloaca.WorkflowBuilder("mine"{}) as b:\n    pass\n'


@pytest.mark.parametrize(
    ("source", "severity"),
    [
        (BUILDER.format(""), Severity.ERROR),
        (BUILDER.format(', package="demo", workflow="demo"'), Severity.WARNING),
        ("def make():\n    return cloaca.WorkflowBuilder('a').build()\n", Severity.WARNING),
        ("b = cloaca.WorkflowBuilder('a')\n", Severity.WARNING),
        ("cloaca.register_workflow_constructor('a', print)\n", Severity.ERROR),
        ("if __name__ == '__main__':\n    cloaca.WorkflowBuilder('a').build()\n", None),
    ],
)
def test_a_builder_that_takes_the_tasks_is_an_error(tmp_path, source, severity):
    found = about(project(tmp_path, None, tasks=TASK + source), Code.WORKFLOW_BUILDER)
    assert [one.severity for one in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("runner = cloaca.DefaultRunner('sqlite://')\n", "DefaultRunner"),
        ("from cloaca import Context, DatabaseAdmin\n", "DatabaseAdmin"),
        ("config = cloaca.DefaultRunnerConfig\n", "DefaultRunnerConfig"),
        ("def main():\n    cloaca.DefaultRunner('sqlite://')\n", None),
        ("if __name__ == '__main__':\n    from cloaca import DefaultRunner\n", None),
        ("try:\n    from cloaca import DefaultRunner\nexcept ImportError:\n    pass\n", None),
    ],
)
def test_what_packages_lack_of_cloaca_is_an_error_where_the_import_needs_it(tmp_path, source, name):
    root = project(tmp_path, None, tasks=TASK + source)
    found = about(root, Code.LIBRARY_ONLY)
    expected = [f"importing the module needs `cloaca.{name}`, which packages do not have"]
    assert [one.message for one in found] == (expected if name else [])
