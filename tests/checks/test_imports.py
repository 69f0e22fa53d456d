"""What a package's modules import and nothing in it provides."""

from __future__ import annotations

import sys

import pytest

from cloacina_ctl.errors import Code, Refused, Severity
from cloacina_ctl.operations.conversion.request import ConvertRequest
from cloacina_ctl.operations.convert import convert
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import choose_target
from cloacina_ctl.operations.packaging.vendoring import VendorRequest
from cloacina_ctl.operations.run import RunRequest, run
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.python.stdlib_names import NEWEST, pythons_with
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.trees import PYPROJECT, TASK, plant

ABOUT = (Code.NOT_PROVIDED, Code.NOT_PACKED, Code.OTHER_NAME)


def project(root, tasks: str = "", more: dict[str, str] | None = None, table: str = ""):
    files = {
        "pyproject.toml": PYPROJECT + table,
        "src/demo/__init__.py": "",
        "src/demo/tasks.py": tasks + TASK,
    }
    return plant(root, {**files, **(more or {})})


def findings(path):
    return [
        (one.code, one.where.removeprefix(f"{path}/"), one.message)
        for one in validate(str(path)).report.findings
        if one.code in ABOUT
    ]


def said(root, tasks: str, **given) -> list[str]:
    return [message for _, _, message in findings(project(root, tasks, **given))]


NOBODY = "which is neither in the standard library nor in the package"


def test_an_import_that_nothing_provides_is_named_with_its_line(tmp_path):
    project(tmp_path, "import os\nimport requests.adapters\n")
    place = "src/demo/tasks.py:2"
    expected = [(Code.NOT_PROVIDED, place, f"imports `requests`, {NOBODY}")]
    assert findings(tmp_path) == expected
    made = package(PackageRequest(str(tmp_path), output=str(tmp_path / "x.cloacina")))
    (only,) = made.diagnostics
    assert (only.code, only.where, only.message) == (
        Code.NOT_PROVIDED, f"{tmp_path}/{place}", expected[0][2]
    )  # fmt: skip
    place = "workflow/demo/tasks.py:2"
    assert findings(tmp_path / "x.cloacina") == [(Code.NOT_PROVIDED, place, expected[0][2])]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import a1\nexcept ImportError:\n    a1 = None\n",
        "try:\n    import a1\nexcept (KeyError, ModuleNotFoundError):\n    import a2\n",
        "try:\n    import a1\nexcept:\n    pass\n",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import a1\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a1\n",
        "import sys\nif sys.version_info < (3, 11):\n    import tomli\nelse:\n    import tomllib\n",
        "def helper():\n    import a1\n",
        "if __name__ == '__main__':\n    import a1\n",
        "import sys\nsys.path.insert(0, 'x')\nimport a1\n",
        "import cloaca, __main__, _thread, os.path, xml.etree.ElementTree as e\n",
        "from . import tasks\nfrom .. import demo\n",
        "import cloaca\n@cloaca.task()\ndef t(c):\n    if c:\n        import a1\n",
    ],
)
def test_an_import_that_may_fail_is_no_finding(tmp_path, source):
    assert said(tmp_path, source) == []


def test_a_module_that_the_project_can_do_without_may_need_what_is_not_there(tmp_path):
    """The pattern of httpx: a command line that comes with an extra alone."""
    optional = "try:\n    from .cli import main\nexcept ImportError:\n    main = None\n"
    assert said(tmp_path, optional, more={"src/demo/cli.py": "from . import deep\nimport a1\n",
                                          "src/demo/deep.py": "import a2\n"}) == []  # fmt: skip
    needed = optional + "from . import deep\n"
    assert said(tmp_path, needed) == [f"imports `a2`, {NOBODY}"]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("try:\n    import a1\nfinally:\n    pass\n", 2),
        ("try:\n    pass\nexcept ImportError:\n    pass\nfinally:\n    import a1\n", 6),
        ("class A:\n    from a1.inner import b\n", 2),
        ("with open('x') as file:\n    import a1\n", 2),
    ],
)
def test_an_import_that_has_to_succeed_is_a_finding_wherever_it_stands(tmp_path, source, place):
    where = f"src/demo/tasks.py:{place}"
    assert findings(project(tmp_path, source)) == [
        (Code.NOT_PROVIDED, where, f"imports `a1`, {NOBODY}")
    ]


def test_an_import_in_a_task_fails_when_the_task_runs(tmp_path):
    source = "import cloaca\n@cloaca.task()\ndef load(context):\n    import pandas as p\n"
    assert said(tmp_path, source) == [f"the task `load` imports `pandas`, {NOBODY}"]


def test_a_module_that_some_pythons_of_the_project_lack_is_a_finding(tmp_path):
    source = "import distutils\nimport tomllib\n"
    assert said(tmp_path, source, table='requires-python = ">=3.10"\n') == [
        "imports `distutils`, which the standard library of Python 3.12, 3.13, 3.14 does not have",
        "imports `tomllib`, which the standard library of Python 3.10 does not have",
    ]
    assert said(tmp_path, source, table='requires-python = "==3.11.*"\n') == []


def test_the_table_of_the_standard_library_is_that_of_this_python():
    minor = sys.version_info.minor
    names = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert {name for name in names if minor not in pythons_with(name)} == set()
    assert minor in pythons_with("zlib")
    assert minor <= NEWEST
    gone = [name for name in ("imp", "cgi", "binhex") if name not in names]
    assert all(minor not in pythons_with(name) for name in gone)


def test_declared_dependencies_that_are_not_packed_are_said_once(tmp_path):
    table = 'dependencies = ["Requests>=2", "PyYAML; python_version < \'3.9\'", "cloaca"]\n'
    project(tmp_path, "import requests\n", table=table)
    (only,) = validate(str(tmp_path)).report.findings
    assert (only.code, only.severity) == (Code.NOT_PACKED, Severity.WARNING)
    assert only.message == "1 dependency is declared and not packed: requests"
    assert only.hint.startswith("pack it with `cloacina-ctl package ")
    assert only.where == f"{tmp_path}/pyproject.toml"


def test_a_module_of_another_name_is_that_of_a_well_known_distribution(tmp_path):
    table = 'dependencies = ["PyYAML", "azure-storage-blob", "grpcio", "pillow"]\n'
    source = (
        "import grpc, yaml\nfrom azure.storage import blob\nfrom PIL import Image\nimport urllib3\n"
    )
    assert said(tmp_path, source, table=table) == [
        f"imports `urllib3`, {NOBODY}",
        "4 dependencies are declared and not packed: azure-storage-blob, grpcio, pillow, pyyaml",
    ]
    hints = [
        one.hint for one in validate(str(tmp_path)).report.findings if "urllib3" in one.message
    ]
    assert hints[0].startswith(
        "declare its distribution as a dependency, unless one that is declared has it; then run "
    )


@pytest.mark.parametrize("table", ["", "[tool.cloacina]\nvendor = true\n"])
def test_a_dependency_may_have_the_other_part_of_a_namespace(tmp_path, table):
    tasks = "import acme.core, acme.etl\n" + TASK
    more = {"src/acme/etl/__init__.py": "", "src/acme/etl/tasks.py": tasks,
            "src/demo/__init__.py": "", "src/demo/tasks.py": ""}  # fmt: skip
    table = 'dependencies = ["acme-core>=1"]\n' + table
    codes = [code for code, _, _ in findings(project(tmp_path, more=more, table=table))]
    assert codes == ([] if "vendor" in table else [Code.NOT_PACKED])
    plant(tmp_path, {"src/acme/__init__.py": ""})
    assert Code.NOT_PROVIDED in [code for code, _, _ in findings(tmp_path)]


def test_what_lies_in_vendor_is_packed(tmp_path):
    table = 'dependencies = ["requests", "other"]\n'
    more = {"vendor/requests/__init__.py": "", "vendor/other-1.0.dist-info/METADATA": ""}
    assert said(tmp_path, "import requests\n", more=more, table=table) == []


def test_a_project_that_is_vendored_is_told_of_what_no_dependency_can_bring(tmp_path):
    vendor = "[tool.cloacina]\nvendor = true\n"
    assert said(tmp_path, "import a1\n", table=f'dependencies = ["b"]\n{vendor}') == []
    assert said(tmp_path, "import a1\n", table=vendor) == [f"imports `a1`, {NOBODY}"]


def test_leaving_dependencies_out_on_purpose_is_a_note(tmp_path):
    project(tmp_path, "import requests\n", table='dependencies = ["requests"]\n')
    request = PackageRequest(str(tmp_path), output=str(tmp_path / "x"))
    made = package(request._replace(vendor=VendorRequest(wanted=False)))
    (only,) = made.diagnostics
    assert (only.code, only.severity) == (Code.NOT_PACKED, Severity.NOTE)
    inspected = inspect(str(tmp_path / "x"))
    assert inspected.manifest.requires.dependencies == ("requests",)
    assert inspected.not_packed == ("requests",)


def test_an_own_module_that_is_not_packed_is_named_with_the_reason(tmp_path):
    more = {".gitignore": "_version.py\n", "src/demo/_version.py": "V = 1\n"}
    assert said(tmp_path, "from demo._version import V\n", more=more) == [
        (
            "imports `demo._version`, which is not packed: src/demo/_version.py: "
            "ignored by an ignore file"
        )
    ]


def test_an_own_module_that_is_not_there_is_a_finding(tmp_path):
    more = {"src/demo/fast.cpython-311-x86_64-linux-gnu.so": "", "src/demo/six.py": ""}
    source = "import demo.fast\nimport demo.six.moves\nfrom demo.lost.inner import x\n"
    assert said(tmp_path, source, more=more) == ["imports `demo.lost`, which is not in the package"]


@pytest.mark.parametrize(
    ("files", "name", "cure"),
    [
        ({"src/python/p0/__init__.py": ""}, "python.p0", 'set `source_root = "src/python"`'),
        ({"src/demo/p0.py": ""}, "demo.p0", "import it as `demo.p0`"),
        ({"lib/p0/__init__.py": ""}, None, 'set `source_root = "lib"`'),
    ],
)
def test_an_own_module_that_is_imported_by_another_name_is_an_error(tmp_path, files, name, cure):
    project(tmp_path, "from p0.util import x\n", files)
    (only,) = [one for one in validate(str(tmp_path)).report.findings if one.code in ABOUT]
    assert (only.code, only.severity) == (Code.OTHER_NAME, Severity.ERROR)
    has = f"the package has it as `{name}`" if name else "it lies outside of the packed folders"
    assert has in only.message
    assert only.hint.startswith(cure)


def test_an_import_that_begins_at_the_project_s_top_is_told_its_name_in_the_package(tmp_path):
    source = "from src.demo import config\nimport src.demo.config\nimport tests.helper\n"
    more = {"src/demo/config.py": "", "tests/helper.py": ""}
    project(tmp_path, source, more)
    said = [one for one in validate(str(tmp_path)).report.findings if one.code in ABOUT]
    assert [(one.code, one.hint) for one in said if "src" in one.message] == [
        (Code.OTHER_NAME, "import it as `demo`"), (Code.OTHER_NAME, "import it as `demo.config`"),
    ]  # fmt: skip
    assert [(one.code, one.message) for one in said if "tests" in one.message] == [
        (
            Code.NOT_PROVIDED,
            "imports the project's own `tests.helper`, which is not packed: tests/helper.py",
        )
    ]


def test_a_declared_dependency_of_an_own_module_s_name_is_not_mistaken_for_it(tmp_path):
    more = {"src/demo/requests.py": ""}
    found = said(tmp_path, "import requests\n", more=more, table='dependencies = ["requests"]\n')
    assert found == ["1 dependency is declared and not packed: requests"]


@pytest.mark.slow
def test_a_source_package_is_judged_as_well_and_a_conversion_says_what_it_loses(tmp_path):
    project(tmp_path, "import requests\nimport a1\n", table='dependencies = ["requests"]\n')
    native, source = str(tmp_path / "native"), str(tmp_path / "source")
    package(PackageRequest(str(tmp_path), output=native))
    rule, target = VerificationPolicy(allow_unsigned=True), choose_target("source", None)
    with pytest.raises(Refused) as refused:
        convert(ConvertRequest(native, source, target, rule))
    assert any(
        "the list of declared dependencies: requests" in one.message
        for one in refused.value.diagnostics
    )
    convert(ConvertRequest(native, source, target, rule, lossy=True))
    place = "workflow/demo/tasks.py"
    assert [(where, message) for _, where, message in findings(source)] == [
        (f"{place}:1", f"imports `requests`, {NOBODY}"),
        (f"{place}:2", f"imports `a1`, {NOBODY}"),
    ]


@pytest.mark.slow
def test_run_names_the_command_and_the_distribution(tmp_path):
    project(tmp_path, "import yaml\n", table='dependencies = ["PyYAML"]\n')
    package(PackageRequest(str(tmp_path), output=str(tmp_path / "x.cloacina")))
    with pytest.raises(Refused) as refused:
        run(RunRequest(str(tmp_path / "x.cloacina")), VerificationPolicy(allow_unsigned=True))
    (only,) = refused.value.diagnostics
    command = "`cloacina-ctl package PROJECT --vendor`"
    assert only.hint == f"pyyaml is declared but not in the package: {command} packs it"


@pytest.mark.parametrize(
    ("name", "requires", "known"),
    [
        ("secrets", ">=3.11", "3.11, 3.12"),
        ("imp", ">=3.10", "3.10, 3.11"),
        ("imp", ">=3.12", None),
        ("report", ">=3.10", None),
    ],
)
def test_an_entry_module_with_a_standard_first_name_is_without_the_standard_library(
    tmp_path, name, requires, known
):
    files = {"pyproject.toml": f'{PYPROJECT}requires-python = "{requires}"\n',
             f"src/{name}/__init__.py": "", f"src/{name}/tasks.py": TASK}  # fmt: skip
    report = validate(str(plant(tmp_path, files))).report
    said = [one.message for one in report.findings if one.code is Code.SHADOWED_NAME]
    assert len(said) == (known is not None)
    assert all(f"`{name}` is that of a standard module of Python {known}" in one for one in said)
