"""A lock that the project has already decides versions and digests: `pylock.toml`, `uv.lock`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from cloacina_ctl.cli.main import run as start
from cloacina_ctl.errors import BuildFailed, Code, Refused, Severity
from cloacina_ctl.formats.wheel.reader import digest_of_file
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.vendoring.locks.lock import read_lock
from tests.support.machine import need
from tests.support.trees import plant
from tests.support.wheels import wheel
from tests.vendoring import projects
from tests.vendoring.index import index
from tests.vendoring.projects import GLIBC, UV, app, lock, save, titles

HEAD = 'lock-version = "1.0"\ncreated-by = "uv"\nrequires-python = ">=3.10"\n'

vendored = partial(projects.vendored, python="3.11", platforms=(GLIBC,))
refused = partial(projects.refused, python="3.11", platforms=(GLIBC,))


def pylock(root: Path, *wheels: Path, url: str | None = None, more: str = "", name="pylock.toml"):
    """Lock these wheels: by their path, or beneath a URL."""
    text = HEAD
    for path in wheels:
        title, version = path.name.split("-")[:2]
        place = f'url = "{url}/{path.name}"' if url else f'path = "{path}"'
        hashes = f'hashes = {{ sha256 = "{digest_of_file(str(path))}" }}'
        text += f'[[packages]]\nname = "{title.replace("_", "-")}"\nversion = "{version}"\n{more}'
        text += f'[[packages.wheels]]\nname = "{path.name}"\n{place}\n{hashes}\n'
    (root / name).write_text(text)


@pytest.fixture
def house(tmp_path) -> Path:
    """A wheelhouse with an older and a newer version."""
    folder = tmp_path / "house"
    wheel(folder, "idnx", version="2.0")
    wheel(folder, "idnx", {"idnx.py": ""}, version="1.0", requires=["dep"])
    wheel(folder, "dep")
    wheel(folder, "unused")
    return folder


def of(house: Path, *names: str) -> list[Path]:
    return [next(iter(house.glob(f"{name}-*.whl"))) for name in names]


def locked(root: Path, house: Path, **options):
    pylock(root, *sorted(house.glob("idnx-1.0*")), *of(house, "dep", "unused"), **options)


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.prod.toml"])
def test_a_standard_lock_decides_and_nothing_is_chosen(name, tmp_path, work, house, no_pip):
    root = app(tmp_path, '["idnx"]')
    locked(root, house, name=name)
    found = vendored(root, work, wheelhouse=str(house))
    assert titles(found) == {"idnx 1.0", "dep 1.0"}
    assert found.new_lock.inputs == ("idnx", f"versions of {name}")
    save(root, found)
    assert titles(vendored(root, work, wheelhouse=str(house), locked=True)) == titles(found)
    assert titles(vendored(root, work, offline=True, upgrade=True)) == titles(found)
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"], ignore_errors=True)
    assert titles(vendored(root, work)) == titles(found)  # from the paths in the lock


def test_our_lock_is_made_anew_where_the_projects_lock_has_another_wheel(
    tmp_path, work, house, no_pip
):
    root = app(tmp_path, '["idnx"]')
    locked(root, house)
    save(root, vendored(root, work, wheelhouse=str(house)))
    pylock(root, *sorted(house.glob("idnx-2.0*")))
    ((code, message),) = refused(root, work, wheelhouse=str(house), locked=True)
    assert code is Code.LOCK_FILE
    assert message.endswith("pylock.toml has another idnx: 2.0") or "has no dep" in message
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 2.0"}


def test_our_lock_from_before_the_projects_is_made_anew(tmp_path, work, house, no_pip):
    root = app(tmp_path, '["idnx"]')
    lock(root, *sorted(house.glob("idnx-2.0*")))
    assert read_lock(str(root)).wheels[0].version == "2.0"
    locked(root, house)
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 1.0", "dep 1.0"}


def test_a_lock_that_lacks_what_the_project_needs_is_out_of_date(tmp_path, work, house, no_pip):
    root = app(tmp_path, '["idnx>=2"]')
    locked(root, house)
    with pytest.raises(Refused) as error:
        vendored(root, work, wheelhouse=str(house))
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.where) == (Code.PROJECT_LOCK, "pylock.toml")
    assert "the project needs idnx>=2, and there is 1.0" in problem.message
    assert "uv lock" in problem.hint
    app(tmp_path, '["idnx", "other"]')
    assert refused(root, work, wheelhouse=str(house))[0][0] is Code.PROJECT_LOCK


def test_another_file_of_the_locked_version_is_refused(tmp_path, work, house, no_pip):
    root = app(tmp_path, '["idnx"]')
    locked(root, house)
    wheel(house, "idnx", {"idnx.py": "evil = 1\n"}, version="1.0", requires=["dep"])
    assert refused(root, work, wheelhouse=str(house))[0][0] is Code.WHEEL_DIGEST


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lock-version", "not TOML"),
        ('lock-version = "1.0"\ncreated-by = "x"\n', "not a lock by PEP 751"),
        ('lock-version = "7.0"\ncreated-by = "x"\npackages = []\n', "not a lock by PEP 751"),
        (HEAD.replace("3.10", "3.12") + "packages = []\n", "it is not for Python 3.11"),
    ],
)
def test_a_lock_that_cannot_decide_is_an_error(text, says, tmp_path, work, house):
    root = app(tmp_path, '["idnx"]')
    (root / "pylock.toml").write_text(text)
    ((code, message),) = refused(root, work, wheelhouse=str(house))
    assert code is Code.PROJECT_LOCK
    assert message.startswith(says)


def test_of_several_named_locks_none_is_guessed(tmp_path, work, house):
    root = app(tmp_path, '["idnx"]')
    for name in ("pylock.a.toml", "pylock.b.toml"):
        locked(root, house, name=name)
    assert "none for the project as a whole" in refused(root, work)[0][1]
    locked(root, house)
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 1.0", "dep 1.0"}


def test_a_lock_of_another_tool_by_our_name_is_neither_read_nor_replaced_unasked(
    tmp_path, work, house
):
    root = app(tmp_path, '["idnx"]')
    pylock(root, *sorted(house.glob("idnx-2.0*")), name=VENDOR_LOCK)
    with pytest.raises(Refused) as error:
        vendored(root, work, wheelhouse=str(house))
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.where) == (Code.LOCK_FILE, VENDOR_LOCK)
    assert problem.message == "it was made by uv, not by cloacina-ctl"
    assert "name it pylock.toml" in problem.hint
    (root / VENDOR_LOCK).rename(root / "pylock.toml")
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 2.0"}
    (root / "pylock.toml").rename(root / VENDOR_LOCK)
    found = vendored(root, work, wheelhouse=str(house), upgrade=True)
    save(root, found)
    assert read_lock(str(root)).wheels[0].version == "2.0"


def test_markers_and_groups_of_a_lock_are_judged_for_the_runtime(tmp_path, work, house, no_pip):
    root = app(tmp_path, '["idnx"]')
    idnx, other = sorted(house.glob("idnx-*"))
    text = HEAD + 'dependency-groups = ["dev"]\n'
    for path, marker in (
        (idnx, "python_full_version < '3.12' and sys_platform == 'linux'"),
        (other, "python_full_version >= '3.12'"),
        (of(house, "dep")[0], "sys_platform != 'win32'"),
        (of(house, "unused")[0], "'dev' in dependency_groups"),
    ):
        name, version = path.name.split("-")[:2]
        text += (
            f'[[packages]]\nname = "{name}"\nversion = "{version}"\nmarker = "{marker}"\n'
            f'[[packages.wheels]]\nname = "{path.name}"\nurl = "https://example.org/{path.name}"\n'
            f'hashes = {{ sha256 = "{digest_of_file(str(path))}" }}\n'
        )
    (root / "pylock.toml").write_text(text)
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 1.0", "dep 1.0"}
    found = vendored(root, work, wheelhouse=str(house), python="3.12")
    assert titles(found) == {"idnx 2.0"}


def test_a_folder_in_a_lock_needs_its_wheel_and_the_lock_decides_the_rest(
    tmp_path, work, house, no_pip
):
    more = '[tool.uv.sources]\nacme-lib = { path = "../libs/acme" }\n'
    root = app(tmp_path, '["idnx", "acme-lib"]', more)
    locked(root, house)
    with (root / "pylock.toml").open("a") as file:
        file.write('[[packages]]\nname = "acme-lib"\ndirectory = { path = "../libs/acme" }\n')
    assert refused(root, work, wheelhouse=str(house))[0][0] is Code.NAMED_SOURCE
    given = (("acme-lib", str(wheel(tmp_path / "dist", "acme_lib"))),)
    found = vendored(root, work, wheelhouse=str(house), sources=given)
    assert titles(found) == {"idnx 1.0", "dep 1.0", "acme-lib 1.0"}
    assert found.new_lock.inputs == (
        "acme-lib", "acme-lib from path ../libs/acme", "idnx", "versions of pylock.toml"
    )  # fmt: skip


def test_a_folder_that_the_lock_alone_names_needs_its_wheel(tmp_path, work, no_pip):
    """To renew the lock would change nothing: it has no wheel of a folder."""
    root = app(tmp_path, '["acme-lib"]')
    entry = '[[packages]]\nname = "acme-lib"\ndirectory = { path = "../libs/acme" }\n'
    (root / "pylock.toml").write_text(HEAD + entry)
    with pytest.raises(Refused) as error:
        vendored(root, work)
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.where) == (Code.NAMED_SOURCE, "pylock.toml")
    assert "uv build --wheel -o DIR ../libs/acme" in problem.hint
    assert "--vendor-source acme-lib=DIR" in problem.hint
    given = (("acme-lib", str(wheel(tmp_path / "dist", "acme_lib"))),)
    found = vendored(root, work, sources=given)
    assert titles(found) == {"acme-lib 1.0"}
    save(root, found)
    assert titles(vendored(root, work, locked=True)) == {"acme-lib 1.0"}
    assert titles(vendored(root, work, sources=given, locked=True)) == {"acme-lib 1.0"}


def test_a_lock_cannot_give_a_wheel_for_what_comes_from_a_folder(tmp_path, work, house, no_pip):
    """It was made before the project named the folder."""
    more = '[tool.uv.sources]\nidnx = { path = "../libs/idnx" }\n'
    root = app(tmp_path, '["idnx"]', more)
    locked(root, house)
    assert refused(root, work, wheelhouse=str(house))[0][0] is Code.NAMED_SOURCE


INDEX = (
    '[tool.uv.sources]\nidnx = { index = "mine" }\n[[tool.uv.index]]\nname = "mine"\n'
    'url = "https://mine.example.org/simple"\nexplicit = true\n'
)


def test_a_lock_stands_for_an_index_that_is_named_for_one_distribution(
    tmp_path, work, house, no_pip
):
    root = app(tmp_path, '["idnx"]', INDEX)
    assert refused(root, work, wheelhouse=str(house))[0][0] is Code.NAMED_SOURCE
    locked(root, house, more='index = "https://mine.example.org/simple/"\n')
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 1.0", "dep 1.0"}
    locked(root, house, more='index = "https://pypi.org/simple"\n')
    ((code, message),) = refused(root, work, wheelhouse=str(house))
    assert code is Code.PROJECT_LOCK
    assert message.startswith("`idnx` is from https://pypi.org/simple there")


def test_an_address_in_a_lock_cannot_smuggle_anything_to_pip(tmp_path):
    from cloacina_ctl.vendoring.locks.project_lock import locked_file

    for address in (
        "https://example.org/${HOME}/a-1.0-py3-none-any.whl", "file:///etc/a-1.0-py3-none-any.whl",
        "https://example.org/a b", "https://example.org/a\n--index-url=x", "https://e.org/a#b",
    ):  # fmt: skip
        found = locked_file("a-1.0-py3-none-any.whl", "0" * 64, address, None)
        assert found is not None
        assert found.url is None
    assert locked_file("a-1.0-py3-none-any.whl", "0" * 63, None, None) is None
    assert locked_file("a-1.0.tar.gz", "0" * 64, None, None) is None


UV_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "flow"
version = "1.0"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "idnx", version = "1.0", marker = "python_full_version < '3.12'", extra = ["all"] }},
    {{ name = "idnx", version = "2.0", marker = "python_full_version >= '3.12'" }},
]

[package.dev-dependencies]
dev = [{{ name = "unused" }}]

[[package]]
name = "idnx"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
resolution-markers = ["python_full_version < '3.12'"]
wheels = [{{ url = "https://example.org/idnx-1.0-py3-none-any.whl", hash = "sha256:{one}" }}]

[package.optional-dependencies]
all = [{{ name = "dep" }}]

[[package]]
name = "idnx"
version = "2.0"
source = {{ registry = "https://pypi.org/simple" }}
resolution-markers = ["python_full_version >= '3.12'"]
wheels = [{{ url = "https://example.org/idnx-2.0-py3-none-any.whl", hash = "sha256:{two}" }}]

[[package]]
name = "dep"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{{ url = "https://example.org/dep-1.0-py3-none-any.whl", hash = "sha256:{dep}" }}]
"""


def uv_lock(root: Path, house: Path) -> Path:
    digests = [digest_of_file(str(path)) for path in sorted(house.glob("[id]*.whl"))]
    path = root / "uv.lock"
    path.write_text(UV_LOCK.format(dep=digests[0], one=digests[1], two=digests[2]))
    return path


def test_a_lock_of_uv_decides_without_uv(tmp_path, work, house, no_pip):
    root = app(tmp_path, '["idnx[all]"]')
    uv_lock(root, house)
    found = vendored(root, work, wheelhouse=str(house))
    assert titles(found) == {"idnx 1.0", "dep 1.0"}
    assert found.new_lock.inputs == ("idnx[all]", "versions of uv.lock")
    found = vendored(root, work, wheelhouse=str(house), python="3.12")
    assert titles(found) == {"idnx 2.0"}
    locked(root, house)
    inputs = vendored(root, work, wheelhouse=str(house)).new_lock.inputs
    assert "versions of pylock.toml" in inputs


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version = 1\n", "version = 9\n", "expected a lock of version 1, found: 9"),
        ('virtual = "."', 'virtual = "other"', "the project `flow` is not in it"),
        ('name = "flow"', 'name = "was"', "the project `flow` is not in it"),
        ('[[package]]\nname = "dep"', '[[package]]\nname = "gone"', "it does not fit"),
        ('wheels = [{{ url', 'sdist = [{{ url', "it does not fit"),
        ("revision", "= 7", "not TOML"),
    ],
)  # fmt: skip
def test_a_lock_of_uv_that_does_not_decide_is_an_error(old, new, says, tmp_path, work, house):
    root = app(tmp_path, '["idnx[all]"]')
    path = uv_lock(root, house)
    path.write_text(path.read_text().replace(*(one.replace("{{", "{") for one in (old, new))))
    with pytest.raises(Refused) as error:
        vendored(root, work, wheelhouse=str(house))
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.where) == (Code.PROJECT_LOCK, "uv.lock")
    assert problem.message.startswith(says)


@pytest.mark.slow
@pytest.mark.parametrize("odd", ['""', "7", "[]", "{}", "[7]", "[{}]", '"\\u0000"', '"a b"'])
def test_whatever_stands_in_a_lock_of_uv_there_is_an_answer(odd, tmp_path, work, house, no_pip):
    root = app(tmp_path, '["idnx[all]"]')
    text = uv_lock(root, house).read_text()
    for found in re.finditer(r"(?<== )(\"[^\"]*\"|\[[^\[\]]*\]|\{[^{}]*\}|[0-9])(?=[ ,}\n])", text):
        (root / "uv.lock").write_text(text[: found.start()] + odd + text[found.end() :])
        with contextlib.suppress(Refused, BuildFailed):
            assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 1.0", "dep 1.0"}


def test_a_version_that_was_left_out_of_the_lock_names_the_cure(tmp_path, work, house):
    root = app(tmp_path, '["idnx[all]>=1.5"]')
    uv_lock(root, house)
    with pytest.raises(Refused) as error:
        vendored(root, work, wheelhouse=str(house))
    assert error.value.diagnostics[0].hint == "renew it: `uv lock`"


def test_overrides_that_the_lock_was_made_with_are_not_held_against_it(tmp_path, work, house):
    wheel(house, "idnx", {"idnx.py": ""}, version="1.0", requires=["dep>=5", "gone"])
    more = '[tool.uv]\noverride-dependencies = ["dep==1.0"]\nexclude-dependencies = ["gone"]\n'
    root = app(tmp_path, '["idnx[all]"]', more)
    uv_lock(root, house)
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 1.0", "dep 1.0"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("poetry.lock", '[[package]]\nname = "Idnx"\nversion = "1.0"\n'),
        ("pdm.lock", '[[package]]\nname = "idnx"\nversion = "1.0"\n'),
        ("Pipfile.lock", '{"default": {"idnx": {"version": "==1.0"}}}'),
        ("constraints.txt", "# pins\nidnx==1.0\n"),
        ("requirements.txt", "idnx[all] == 1.0 ; python_version > '3'\n"),
    ],
)
def test_other_versions_than_those_of_another_tools_lock_are_said(
    file, text, tmp_path, work, house, no_pip
):
    root = app(tmp_path, '["idnx"]')
    pylock(root, *sorted(house.glob("idnx-2.0*")))
    (root / file).write_text(text)
    found = vendored(root, work, wheelhouse=str(house))
    (said,) = [one for one in found.diagnostics if one.code is Code.LOCK_DIFFERS]
    assert (said.where, said.severity) == (file, Severity.WARNING)
    assert said.message == "other versions are vendored: idnx 2.0 (there 1.0)"
    (root / file).write_text(text.replace("1.0", "2"))
    found = vendored(root, work, wheelhouse=str(house))
    assert Code.LOCK_DIFFERS not in {one.code for one in found.diagnostics}
    (root / file).write_bytes(b"\xff{")
    assert vendored(root, work, wheelhouse=str(house)).files


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("requirements.txt", "idnx\n"),
        ("requirements.in", "idnx\n"),
        ("setup.cfg", "[options]\ninstall_requires =\n    idnx\n"),
        ("setup.py", "from setuptools import setup\nsetup(install_requires=['idnx'])\n"),
        ("Pipfile", '[packages]\nidnx = "*"\n'),
        ("environment.yml", "dependencies:\n  - idnx\n"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.10"\nidnx = "*"\n'),
    ],
)
def test_dependencies_that_are_not_read_are_said_where_nothing_is_vendored(
    file, text, tmp_path, work, capsys
):
    root = app(tmp_path, "[]")
    path = root / file
    path.write_text((path.read_text() if path.exists() else "") + text)
    (said,) = vendored(root, work).diagnostics
    assert (said.code, said.severity) == (Code.DEPENDENCIES_UNREAD, Severity.WARNING)
    assert said.where.startswith(file)
    path = root / "pyproject.toml"
    path.write_text(path.read_text().replace("[tool.cloacina]", "[tool.cloacina]\nvendor = true"))
    assert start(["validate", str(root)]) == 0
    assert "warning[Y030]" in capsys.readouterr().out


def test_a_project_that_has_poetrys_table_alone_is_told_what_is_read(tmp_path):
    root = plant(tmp_path / "p", {"pyproject.toml": '[tool.poetry]\nname = "flow"\n'})
    with pytest.raises(Refused) as error:
        read_project(str(root))
    assert "[tool.poetry] is not read" in error.value.diagnostics[0].hint


def test_a_file_that_lists_nothing_is_not_mentioned(tmp_path, work):
    root = app(tmp_path, "[]")
    (root / "requirements.txt").write_text("# nothing yet\n\n")
    (root / "setup.cfg").write_text("[metadata]\nname = flow\n")
    (root / "Pipfile").write_text("[packages]\n")
    assert vendored(root, work).diagnostics == ()


@pytest.mark.slow
def test_what_uv_really_locks_is_vendored_from_the_addresses_in_the_lock(
    tmp_path, work, house, monkeypatch
):
    """pip knows no index here that has them: it is told where each file is."""
    uv = UV or need("uv")
    wheel(house, "idnx", {"idnx.py": ""}, version="1.0", requires=["dep; sys_platform == 'linux'"])
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with index(house) as running:
        more = (
            '[tool.uv.sources]\nacme-lib = { path = "../libs/acme" }\n'
            f'[[tool.uv.index]]\nname = "mine"\nurl = "{running.url}"\ndefault = true\n'
        )
        root = app(tmp_path, '["idnx<2", "acme-lib", "flow[more]"]', more,
                   '[project.optional-dependencies]\nmore = ["unused"]\n')  # fmt: skip
        for command in (["lock"], ["export", "--format", "pylock.toml", "-o", "pylock.toml"]):
            subprocess.run([uv, *command, "--quiet"], cwd=root, check=True)
        given = (("acme-lib", str(wheel(tmp_path / "dist", "acme_lib"))),)
        expected = {"idnx 1.0", "dep 1.0", "unused 1.0", "acme-lib 1.0"}
        for decides in ("pylock.toml", "uv.lock"):
            shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"], ignore_errors=True)
            found = vendored(root, work, sources=given)
            assert titles(found) == expected
            assert f"versions of {decides}" in found.new_lock.inputs
            (root / "pylock.toml").unlink(missing_ok=True)
        save(root, found)
    assert titles(vendored(root, work, locked=True, offline=True)) == expected
    assert GLIBC in found.new_lock.platforms
