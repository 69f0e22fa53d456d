"""Distributions and a project that share a name: Python joins their folders, or reads one alone."""

from __future__ import annotations

import pytest

from cloacina_ctl.errors import Code, Refused, Severity
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.vendoring import VendorRequest
from cloacina_ctl.operations.run import RunRequest, run
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.python.namespaces import bare_folders, extends_path, hidden_name
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.trees import plant
from tests.support.wheels import wheel
from tests.vendoring.projects import lock

EXTEND = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
TASK = (
    "import cloaca\nfrom acme.core import X\n\n\n@cloaca.task()\ndef one(context):\n"
    "    context.set('x', X)\n    return context\n"
)


def company(root, files: dict[str, str]):
    text = (
        '[project]\nname = "demo"\nversion = "1.0"\nrequires-python = ">=3.10"\n'
        'dependencies = ["acme-core"]\n[tool.cloacina]\nentry_module = "acme.etl.tasks"\n'
        "vendor = true\n"
    )
    own = {"src/acme/etl/__init__.py": "", "src/acme/etl/tasks.py": TASK}
    return plant(root, {"pyproject.toml": text, **own, **files})


def made(root, house):
    out = str(root / "x.cloacina")
    vendor = VendorRequest(wheelhouse=str(house))
    return package(PackageRequest(str(root), output=out, vendor=vendor)), out


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        ({}, {"acme/core/__init__.py": "X = 1\n"}),
        pytest.param(
            {}, {"acme/core.py": "X = 1\n", "acme/more/inner.py": ""}, marks=pytest.mark.slow
        ),
        pytest.param(
            {"src/acme/__init__.py": EXTEND},
            {"acme/__init__.py": EXTEND, "acme/core/__init__.py": "X = 1\n"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"vendor/acme/by_hand.py": "Y = 0\n"},
            {"acme/core/__init__.py": "from acme.by_hand import Y\nX = Y + 1\n"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_project_and_a_dependency_share_a_namespace(tmp_path, house, own, theirs):
    root = company(tmp_path / "project", own)
    lock(root, wheel(house, "acme-core", theirs))
    packed, out = made(root, house)
    codes = {one.code for one in packed.diagnostics if one.severity is not Severity.NOTE}
    assert codes == set()
    ran = run(RunRequest(out), VerificationPolicy(allow_unsigned=True))
    assert ran.outcome.context["x"] == 1


@pytest.mark.parametrize(
    ("own", "theirs", "words"),
    [
        ({"src/acme/__init__.py": ""}, {"acme/core.py": ""}, "`acme` is a module of the project"),
        ({}, {"acme/__init__.py": "", "acme/core.py": ""}, "`acme` of acme-core 1.0 has an"),
        ({}, {"acme/__init__.py": EXTEND, "acme/core.py": ""}, "`acme` of acme-core 1.0 has an"),
        ({}, {"acme/etl/other.py": ""}, "`acme.etl` is a module of the project"),
        ({"src/acme/core.py": ""}, {"acme/core.py": ""}, "`acme.core` is a module of the project"),
        ({"src/acme/core/x.py": ""}, {"acme/core.py": ""}, "`acme.core` of acme-core 1.0"),
        ({"vendor/acme/core.py": ""}, {"acme/core.py": "1"}, "`acme/core.py` of acme-core 1.0 is"),
        ({"vendor/acme/core/x.py": ""}, {"acme/core.py": ""}, "`acme/core.py` of acme-core 1.0"),
    ],
)
def test_a_folder_that_hides_another_is_refused(tmp_path, house, no_pip, own, theirs, words):
    root = company(tmp_path / "project", own)
    lock(root, wheel(house, "acme-core", theirs))
    with pytest.raises(Refused) as refused:
        made(root, house)
    (only,) = refused.value.diagnostics
    assert only.code is Code.VENDOR_CLASH
    assert words in only.message


def bare(root) -> list[tuple[str, Severity]]:
    found = validate(str(root)).report.findings
    found = [one for one in found if one.code is Code.NO_INIT]
    return [(one.where.removeprefix(f"{root}/"), one.severity) for one in found]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, [("src/acme", Severity.NOTE)]),
        ({"src/acme/loose.py": ""}, [("src/acme", Severity.WARNING)]),
        ({"src/acme/inner/x.py": ""}, [("src/acme", Severity.WARNING)]),
        ({"src/acme/loose.py": "", "vendor/acme/x.py": ""}, [("src/acme", Severity.NOTE)]),
        ({"src/acme/__init__.py": "", "src/data/a.csv": "", "src/web/a.ts": ""}, []),
    ],
)
def test_a_namespace_on_purpose_is_not_told_to_become_a_package(tmp_path, files, expected):
    assert bare(company(tmp_path, files)) == expected


def test_folders_are_judged_as_python_joins_them():
    assert bare_folders(["a/b/__init__.py", "c/d.py", "e/__init__.py", "f.py", "g/h.txt"]) == (
        ["c"],
        ["a"],
    )
    assert hidden_name(["a/b.py"], ["a/c.py", "a/b.txt"]) is None
    assert hidden_name(["a/b/c.py"], ["a/b/c.cpython-311-x86_64-linux-gnu.so"]) == "a.b.c"
    assert hidden_name(["a/__init__.py"], ["a/c.py"], lambda _: True) is None
    assert hidden_name(["a/__init__.py", "a/c/x.py"], ["a/c.py"], lambda _: True) == "a.c"


@pytest.mark.parametrize(
    ("source", "joins"),
    [
        (EXTEND, True),
        ("from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n", True),
        ("# __path__ = extend_path(__path__, __name__)\n", False),
        ("", False),
    ],
)
def test_pkgutil_s_way_of_joining_is_known(source, joins):
    assert extends_path(source.encode()) is joins


def test_what_a_vendored_dependency_does_not_have_is_a_finding(tmp_path, house, no_pip):
    root = company(tmp_path / "project", {"src/acme/etl/more.py": "import acme_core\n"})
    plant(root, {"src/acme/etl/tasks.py": f"from acme.etl import more\n{TASK}"})
    lock(root, wheel(house, "acme-core", {"acme/core.py": "X = 1\n"}))
    packed, out = made(root, house)
    words = "imports `acme_core`, which is neither in the standard library nor in the package"
    assert [one.message for one in packed.diagnostics if one.code is Code.NOT_PROVIDED] == [words]
    assert words in [one.message for one in validate(out).report.findings]
