"""A dependency whose source the project names comes from there, or there is an error.

A stranger has each name on a real index, with a higher version.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cloacina_ctl.cli.main import run as start
from cloacina_ctl.errors import BuildFailed, Code, Refused, UsageError
from cloacina_ctl.vendoring.locks.lock import lock_bytes, read_lock, write_lock
from tests.support.trees import plant, tree
from tests.support.wheels import wheel
from tests.vendoring import projects
from tests.vendoring.index import index
from tests.vendoring.projects import GLIBC, LIBRARY, app, lock, save, titles

UV_SOURCE = "[tool.uv.sources]\nacme-lib = {}\n"


@pytest.fixture
def strangers(tmp_path, monkeypatch, chooser):
    """An index with a stranger's packages, the only one of pip and of uv."""
    folder = tmp_path / "index"
    wheel(folder, "acme_lib", {"acme_lib/__init__.py": "WHO = 'stranger'\n"}, version="99.0")
    wheel(folder, "flow", {"flow_stranger.py": ""}, version="9.0", requires=["trap"])
    wheel(folder, "trap")
    wheel(folder, "idnx")
    wheel(folder, "other", requires=["acme-lib"])
    wheel(folder, "back", requires=["flow[extra]"])
    with index(folder) as running:
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        monkeypatch.setenv("UV_DEFAULT_INDEX", running.url)
        yield running


vendored = partial(projects.vendored, python="3.11", platforms=(GLIBC,))
refused = partial(projects.refused, python="3.11", platforms=(GLIBC,))
NAMED = [
    UV_SOURCE.format('{ path = "../libs/acme", editable = true }'),
    UV_SOURCE.format("{ workspace = true }"),
    UV_SOURCE.format('{ git = "https://example.org/acme.git", tag = "v1" }'),
    UV_SOURCE.format('{ url = "https://example.org/acme_lib-1.0.tar.gz" }'),
    UV_SOURCE.format('{ index = "internal" }')
    + '[[tool.uv.index]]\nname = "internal"\nurl = "https://example.org/simple"\nexplicit = true\n',
    UV_SOURCE.format('[{ path = "../libs/acme", marker = "sys_platform == \'linux\'" }]'),
    UV_SOURCE.format('[{ invented = "x" }]'),
    UV_SOURCE.replace("acme-lib", "Acme_Lib").format('{ path = "../libs/acme" }'),
    '[tool.poetry.dependencies]\nacme_lib = { path = "../libs/acme", develop = true }\n',
    '[tool.poetry.dependencies]\nacme-lib = { git = "https://example.org/acme.git" }\n',
    '[tool.poetry.group.main.dependencies]\nacme-lib = { version = "*", source = "internal" }\n',
    '[tool.pixi.pypi-dependencies]\nacme-lib = { path = "../libs/acme" }\n',
    '[tool.pixi.target.linux-64.pypi-dependencies]\nacme-lib = { path = "../libs/acme" }\n',
    # uv refuses these two: nobody can say what was meant.
    UV_SOURCE.format('{ path = "../libs/acme", workspace = false }'),
    UV_SOURCE.format('{ path = "../libs/acme", group = 1 }'),
]


@pytest.mark.parametrize("more", NAMED)
def test_a_dependency_whose_source_is_named_is_not_looked_for_on_an_index(
    more, tmp_path, work, monkeypatch
):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    root = app(tmp_path, more=more)
    ((code, message),) = refused(root, work)
    assert code is Code.NAMED_SOURCE
    assert message.startswith("`acme-lib` comes from ")
    house = tmp_path / "house"
    wheel(house, "acme_lib", version="99.0")
    assert refused(root, work, wheelhouse=str(house))[0][0] is Code.NAMED_SOURCE


@pytest.mark.parametrize(
    "reference",
    [
        "acme-lib @ file:///nowhere/acme", "acme.lib @ git+https://example.org/acme@v1",
        "Acme_Lib @ https://example.org/acme.tar.gz", "acme-lib @ {root:uri}/../libs/acme",
    ],
)  # fmt: skip
def test_a_direct_reference_names_a_source(reference, tmp_path, work):
    ((code, message),) = refused(app(tmp_path, f'["{reference}"]'), work)
    assert (code, message[:11]) == (Code.NAMED_SOURCE, "`acme-lib` ")
    root = tree(tmp_path, {"requirements.txt": f"{reference}\n"})
    assert refused(root, work)[0][0] is Code.NAMED_SOURCE


def test_where_a_wheel_is_missing_the_words_name_the_folder_and_the_cure(tmp_path, work):
    root = app(tmp_path, more=NAMED[0])
    with pytest.raises(Refused) as error:
        vendored(root, work)
    (problem,) = error.value.diagnostics
    assert problem.message == "`acme-lib` comes from ../libs/acme, and no wheel of it is given"
    assert problem.where == "pyproject.toml: [tool.uv.sources]"
    assert "uv build --wheel -o DIR ../libs/acme" in problem.hint
    assert "--vendor-source acme-lib=DIR" in problem.hint


def test_no_password_of_a_source_is_shown(tmp_path, work):
    more = UV_SOURCE.format('{ git = "https://me:hunter2@example.org/acme.git" }')
    with pytest.raises(Refused) as error:
        vendored(app(tmp_path, more=more), work)
    assert "hunter2" not in str(error.value.diagnostics)
    root = app(tmp_path, '["acme-lib @ git+https://me:hunter2@example.org/acme.git"]')
    with pytest.raises(Refused) as error:
        vendored(root, work)
    assert "hunter2" not in str(error.value.diagnostics)


def test_a_wheel_that_is_given_for_its_name_is_taken(tmp_path, work, strangers, chooser):
    root = app(tmp_path, '["acme-lib[all]>=1", "idnx"]', NAMED[0])
    files = {"acme_lib/__init__.py": "WHO = 'ours'\n"}
    given = wheel(tmp_path / "dist", "acme_lib", files, requires=['trap; extra == "all"'])
    wheel(tmp_path / "dist", "acme_lib", version="0.9")
    found = vendored(root, work, sources=(("Acme_Lib", str(tmp_path / "dist")),))
    assert titles(found) == {"acme-lib 1.0", "idnx 1.0", "trap 1.0"}
    assert "acme-lib from path ../libs/acme" in found.new_lock.inputs
    assert chooser == "pip" or "acme-lib" not in strangers.asked
    save(root, found)
    again = vendored(root, work, locked=True, sources=(("acme-lib", str(given)),))
    assert titles(again) == titles(found)
    assert titles(vendored(root, work, locked=True)) == titles(found)  # it was kept
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
    assert titles(vendored(root, work, locked=True)) == titles(found)  # it still lies there
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
    given.unlink()
    assert refused(root, work, locked=True)[0][0] is Code.NAMED_SOURCE


def test_a_dependency_of_a_dependency_gets_the_wheel_that_is_given(tmp_path, work, strangers):
    root = app(tmp_path, '["other"]', NAMED[0])
    found = wheel(tmp_path / "dist", "acme_lib")
    assert titles(vendored(root, work, sources=(("acme-lib", str(found)),))) == {
        "acme-lib 1.0", "other 1.0"
    }  # fmt: skip


def test_a_dependency_of_a_dependency_with_a_source_is_not_a_strangers(tmp_path, work, strangers):
    root = app(tmp_path, '["other"]', NAMED[0])
    assert [code for code, _ in refused(root, work)] == [Code.NAMED_SOURCE]


@pytest.mark.parametrize(
    "table",
    [
        UV_SOURCE.format('{ path = "../own" }'),
        '[tool.poetry.dependencies]\nacme-lib = { path = "../own" }\n',
    ],
)
def test_a_source_that_a_library_in_a_folder_names_is_not_a_strangers(
    table, tmp_path, work, strangers
):
    """The tools read the tables of the folder too, to the end of the chain."""
    other = '[project]\nname = "{}"\nversion = "1.0"\n'
    plant(
        tmp_path,
        {
            "libs/other/pyproject.toml": other.format("other")
            + '[tool.uv.sources]\nmiddle = { path = "../middle" }\n',
            "libs/middle/pyproject.toml": other.format("middle") + table,
        },
    )
    root = app(tmp_path, '["other"]', '[tool.uv.sources]\nother = { path = "../libs/other" }\n')
    given = wheel(tmp_path / "dist", "other", requires=["acme-lib"])
    ((code, said),) = refused(root, work, sources=(("other", str(given)),))
    assert code is Code.NAMED_SOURCE
    assert "`acme-lib` comes from ../libs/own" in said


def test_a_member_that_names_a_source_is_heard(tmp_path, work, strangers):
    """A member's own table counts for what it needs, though it is not the root's."""
    app(tmp_path, '["other"]', "[tool.uv.sources]\nother = { workspace = true }\n")
    plant(
        tmp_path,
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["app", "other"]\n',
            "other/pyproject.toml": '[project]\nname = "other"\nversion = "1.0"\n'
            + UV_SOURCE.format('{ git = "https://git.invalid/acme" }'),
        },
    )
    given = wheel(tmp_path / "dist", "other", requires=["acme-lib"])
    ((code, said),) = refused(tmp_path / "app", work, sources=(("other", str(given)),))
    assert (code, said[:35]) == (Code.NAMED_SOURCE, "`acme-lib` comes from git+https://g")


def test_a_lock_with_a_strangers_wheel_is_no_longer_taken(tmp_path, work, strangers):
    root = app(tmp_path)
    save(root, vendored(root, work))
    assert read_lock(str(root)).wheels[0].version == "99.0"
    app(tmp_path, more=NAMED[0])
    assert refused(root, work)[0][0] is Code.NAMED_SOURCE
    ((code, message),) = refused(root, work, locked=True)
    assert code is Code.LOCK_FILE
    assert "acme-lib from path ../libs/acme" in message


def test_a_source_for_another_system_is_none_here(tmp_path, work, strangers):
    more = UV_SOURCE.format('[{ path = "../x", marker = "sys_platform == \'win32\'" }]')
    assert titles(vendored(app(tmp_path, more=more), work)) == {"acme-lib 99.0"}
    more = UV_SOURCE.format('[{ path = "../x", group = "dev" }]')
    assert titles(vendored(app(tmp_path, more=more), work)) == {"acme-lib 99.0"}


def test_a_wheel_that_the_project_itself_names_is_taken(tmp_path, work, strangers):
    found = wheel(tmp_path / "app" / "wheels", "acme_lib")
    more = UV_SOURCE.format(f'{{ path = "wheels/{found.name}" }}')
    assert titles(vendored(app(tmp_path, more=more), work)) == {"acme-lib 1.0"}
    root = app(tmp_path, f'["acme-lib @ {found.as_uri()}"]')
    assert titles(vendored(root, work)) == {"acme-lib 1.0"}


@pytest.mark.parametrize(
    ("name", "version", "tag", "says"),
    [
        ("acme_lib", "2.0", "py3-none-any", "the wheel is acme-lib 2.0, and ../libs/acme says 1.0"),
        ("other", "1.0", "py3-none-any", "no wheel of `acme-lib`"),
        ("acme_lib", "1.0", "cp39-cp39-win_amd64", "no wheel of `acme-lib` 1.0 for Python 3.11"),
    ],
)  # fmt: skip
def test_a_wheel_that_is_not_of_the_source_is_refused(name, version, tag, says, tmp_path, work):
    root = app(tmp_path, more=NAMED[0])
    path = wheel(tmp_path / "dist", name, version=version, tag=tag)
    for given in (path, path.parent):
        ((code, message),) = refused(root, work, sources=(("acme-lib", str(given)),))
        assert code is Code.SOURCE_WHEEL
        assert message.startswith(says)


def test_a_lock_with_an_older_version_than_the_folder_says_is_made_anew(tmp_path, work, no_pip):
    root = app(tmp_path, more=NAMED[0])
    old = lock(root, wheel(tmp_path / "dist", "acme_lib"))
    ruled = old._replace(inputs=("acme-lib", "acme-lib from path ../libs/acme"))
    write_lock(str(root), ruled, lock_bytes(str(root)))
    given = (("acme-lib", str(tmp_path / "dist")),)
    assert titles(vendored(root, work, locked=True, sources=given)) == {"acme-lib 1.0"}
    manifest = tmp_path / "libs" / "acme" / "pyproject.toml"
    manifest.write_text(LIBRARY.replace("1.0", "1.1"))
    ((code, message),) = refused(root, work, locked=True, sources=given)
    assert code is Code.LOCK_FILE
    assert message.endswith("it has acme-lib 1.0, and ../libs/acme says 1.1")
    assert refused(root, work, sources=given)[0][0] is Code.SOURCE_WHEEL


def test_a_source_folder_that_is_broken_or_another_project_is_said(tmp_path, work):
    root = app(tmp_path, more=NAMED[0])
    given = (("acme-lib", str(wheel(tmp_path / "dist", "acme_lib"))),)
    manifest = tmp_path / "libs" / "acme" / "pyproject.toml"
    manifest.write_text(LIBRARY.replace("acme-lib", "acme-core"))
    ((code, message),) = refused(root, work, sources=given)
    assert code is Code.SOURCE_WHEEL
    assert "which is `acme-core`" in message
    manifest.write_text("[project\n")
    assert refused(root, work, sources=given)[0][0] is Code.BAD_TOML


def test_a_name_that_nothing_needs_is_a_mistake_on_the_command_line(tmp_path, work):
    root = app(tmp_path, "[]")
    path = wheel(tmp_path / "dist", "acme_lib")
    with pytest.raises(UsageError, match="nothing needs `acme-lib`"):
        vendored(root, work, sources=(("acme-lib", str(path)),))
    with pytest.raises(UsageError, match="two wheels"):
        vendored(root, work, sources=(("acme-lib", "a"), ("acme_lib", "b")))


def workspace(tmp_path: Path, more: str = "", members: str = '["app", "libs/*"]') -> Path:
    plant(tmp_path, {"pyproject.toml": f"[tool.uv.workspace]\nmembers = {members}\n{more}"})
    return app(tmp_path)


def test_the_sources_of_a_workspace_count_for_its_members(tmp_path, work):
    root = workspace(tmp_path, UV_SOURCE.format('{ git = "https://example.org/a" }'), '["app"]')
    ((code, message),) = refused(root, work)
    assert (code, message[:40]) == (
        Code.NAMED_SOURCE, "`acme-lib` comes from git+https://exampl"
    )  # fmt: skip


def test_a_member_of_the_workspace_is_never_taken_from_an_index(tmp_path, work):
    ((code, message),) = refused(workspace(tmp_path), work)
    assert code is Code.NAMED_SOURCE
    assert "comes from ../libs/acme" in message


def test_a_file_above_the_project_may_be_a_link(tmp_path, work, strangers):
    """Nothing of it is packed, and uv follows it too; a broken one is called by its own place."""
    root = app(tmp_path, '["idnx"]')
    plant(tmp_path, {"shared.toml": "[tool.other]\n"})
    (tmp_path / "pyproject.toml").symlink_to("shared.toml")
    assert titles(vendored(root, work)) == {"idnx 1.0"}
    (tmp_path / "shared.toml").write_text("[tool")
    with pytest.raises(Refused) as error:
        vendored(root, work)
    assert str(error.value.diagnostics[0].where).startswith("../pyproject.toml")


def test_a_workspace_that_leaves_the_project_out_says_nothing(tmp_path, work, strangers):
    root = workspace(tmp_path, members='["libs/*"]')
    assert titles(vendored(root, work)) == {"acme-lib 99.0"}


INDEXES = [
    '[[tool.uv.index]]\nname = "a"\nurl = "https://me:pw@example.org/simple"\n',
    '[[tool.uv.index]]\nname = "a"\nurl = "https://example.org/simple"\ndefault = true\n',
    '[tool.uv]\nindex-url = "https://example.org/simple"\n',
    '[[tool.poetry.source]]\nname = "a"\nurl = "https://example.org/simple"\n',
    '[[tool.pdm.source]]\nname = "a"\nurl = "https://example.org/simple"\n',
    '[tool.pixi.pypi-options]\nextra-index-urls = ["https://example.org/simple"]\n',
    '[tool.pixi.pypi-options]\nfind-links = [{ url = "https://example.org/simple" }]\n',
]  # fmt: skip


def test_settings_in_a_file_of_uvs_own_count_before_those_of_the_project(tmp_path, work, house):
    root = app(tmp_path, '["idnx"]', "[tool.uv]\nprerelease = 1\n")
    (root / "uv.toml").write_text('[[index]]\nurl = "https://example.org/simple"\n')
    ((code, message),) = refused(root, work)
    assert (code, message[-35:]) == (
        Code.NAMED_SOURCE, "its own: https://example.org/simple"
    )  # fmt: skip
    (root / "uv.toml").write_text("no-binary = true\n")
    with pytest.raises(Refused) as error:
        vendored(root, work, wheelhouse=str(house))
    assert error.value.diagnostics[0].where == "uv.toml"


def test_a_strangers_settings_above_the_scratch_folder_are_not_uvs(
    tmp_path, work, strangers, chooser
):
    """Anybody may put a file into a folder for temporary files."""
    (work.parent / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    if chooser == "uv":
        root = plant(tmp_path / "away" / "p", {"pyproject.toml": "[tool.uv.workspace]\n"})
        assert titles(vendored(app(root, '["idnx"]'), work)) == {"idnx 1.0"}


ODD = ("", "\0", 7, 1.5, True, [], {}, [7], [[]], [{}], {"a": {}}, "../../..", "*", "${HOME}")


def spelled(value: object) -> str:
    """Return a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {spelled(one)}' for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    return json.dumps(value)


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_stands_in_the_tables_there_is_an_answer(odd, tmp_path, work, no_pip):
    value = spelled(odd)
    source = (f'x."{key}" = {value}' for key in ("path", "git", "url", "index", "workspace"))
    for more in (
        f"[tool.uv]\nsources = {value}\nworkspace = {value}\n",
        f"[tool.uv]\nsources.acme-lib = {value}\n",
        *(f"[tool.uv.sources]\n{one.replace('x.', 'acme-lib.')}\n" for one in source),
        f'[tool.uv.sources]\nacme-lib = {{ path = "x", marker = {value}, extra = {value} }}\n',
        f"[tool.uv]\nindex = {value}\nindex-url = {value}\nfind-links = {value}\n",
        f"[tool.uv.workspace]\nmembers = {value}\nexclude = [{value}]\n",
        f"[tool.uv]\nconstraint-dependencies = {value}\n",
        f"[tool.uv]\nno-binary-package = [{value}]\nexclude-newer = {value}\n",
        f"[tool]\npoetry.dependencies = {value}\npdm.source = {value}\nrye = {value}\n",
        f"[tool.pdm]\nresolution = {value}\n",
    ):
        root = app(tmp_path, more=more)
        with pytest.raises((Refused, BuildFailed)):
            vendored(root, work)
        start(["validate", str(root), "--quiet"])


@pytest.mark.parametrize("more", INDEXES)
def test_an_index_that_the_project_names_for_all_is_not_passed_over(more, tmp_path, work):
    root = app(tmp_path, '["idnx"]', more)
    ((code, message),) = refused(root, work)
    assert code is Code.NAMED_SOURCE
    assert message.endswith("an index of its own: https://example.org/simple")


def test_an_index_is_no_obstacle_where_there_is_nothing_to_vendor(tmp_path, work, capsys):
    more = "[tool.uv]\nno-binary = true\n" + INDEXES[0]
    assert vendored(app(tmp_path, "[]", more), work).files == ()
    root = app(tmp_path, '["idnx"]', INDEXES[0])
    assert start(["validate", str(root)]) == 0
    assert "note[Y026]" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("more", INDEXES)
def test_an_index_that_the_user_names_too_or_a_wheelhouse_is_no_obstacle(
    more, tmp_path, work, house, monkeypatch
):
    root = app(tmp_path, '["idnx"]', more)
    wheel(house, "idnx")
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"idnx 1.0"}
    monkeypatch.setenv("UV_INDEX", "a=https://example.org/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    assert titles(vendored(root, work)) == {"idnx 1.0"}


def test_the_public_index_and_one_for_names_alone_are_no_obstacle(tmp_path, work, strangers):
    more = (
        '[[tool.uv.index]]\nname = "p"\nurl = "https://pypi.org/simple/"\n[[tool.uv.index]]\n'
        'name = "torch"\nurl = "https://example.org/simple"\nexplicit = true\n'
        '[[tool.poetry.source]]\nname = "PyPI"\npriority = "primary"\n'
    )
    assert titles(vendored(app(tmp_path, '["idnx"]', more), work)) == {"idnx 1.0"}


OWN_EXTRAS = '[project.optional-dependencies]\nextra = ["Flow[More]"]\nmore = ["idnx"]\n'


@pytest.mark.parametrize(
    ("dependencies", "extras", "expected"),
    [
        ('["flow[extra]"]', OWN_EXTRAS, {"idnx 1.0"}),
        ('["FLOW[EXTRA]>=1"]', OWN_EXTRAS, {"idnx 1.0"}),
        ('["flow"]', "", set()),
        ("[\"flow[extra]; python_version < '3'\"]", OWN_EXTRAS, set()),
        ('["back"]', OWN_EXTRAS, {"back 1.0", "idnx 1.0"}),
        ('["flow[a]"]', '[project.optional-dependencies]\na = ["flow[a]"]\n', set()),
    ],
)
def test_a_requirement_on_the_project_itself_is_what_its_extras_say(
    dependencies, extras, expected, tmp_path, work, strangers
):
    found = vendored(app(tmp_path, dependencies, extras), work)
    assert titles(found) == expected
    if found.new_lock is not None:
        root = tmp_path / "app"
        save(root, found)
        assert titles(vendored(root, work, locked=True)) == expected


def test_a_stranger_with_the_projects_name_in_a_wheelhouse_is_not_taken(tmp_path, work, house):
    wheel(house, "flow", {"stranger.py": ""}, version="9.0", requires=["trap"])
    wheel(house, "back", requires=["flow[extra]"])
    wheel(house, "idnx")
    root = app(tmp_path, '["back", "flow[extra]"]', OWN_EXTRAS)
    assert titles(vendored(root, work, wheelhouse=str(house))) == {"back 1.0", "idnx 1.0"}


def test_an_extra_that_changed_makes_the_lock_anew(tmp_path, work, strangers):
    root = app(tmp_path, '["flow[extra]"]', OWN_EXTRAS)
    save(root, vendored(root, work))
    app(tmp_path, '["flow[extra]"]', OWN_EXTRAS.replace("idnx", "trap"))
    assert titles(vendored(root, work)) == {"trap 1.0"}


def test_an_extra_that_the_project_does_not_have_is_said(tmp_path, work):
    assert refused(app(tmp_path, '["flow[no]"]'), work) == [
        (Code.DEPENDENCY, "the project has no extra `no`: flow[no]")
    ]
    assert refused(app(tmp_path, '["flow>=2"]'), work) == [
        (Code.DEPENDENCY, "the project is flow 1.0: flow>=2")
    ]
    broken = '[project.optional-dependencies]\na = ["no good"]\n'
    assert refused(app(tmp_path, '["flow[a]"]', broken), work)[0][0] is Code.DEPENDENCY
    assert vendored(app(tmp_path, "[]", broken), work).files == ()


def test_a_source_of_an_extra_counts_with_the_extra(tmp_path, work, strangers):
    extras = '[project.optional-dependencies]\nextra = ["acme-lib"]\n'
    more = extras + UV_SOURCE.format('[{ path = "../libs/acme", extra = "extra" }]')
    assert refused(app(tmp_path, '["flow[extra]"]', more), work)[0][0] is Code.NAMED_SOURCE
    assert titles(vendored(app(tmp_path, '["acme-lib"]', more), work)) == {"acme-lib 99.0"}


def test_constraints_of_the_project_are_kept(tmp_path, work, strangers):
    wheel(tmp_path / "index", "idnx", version="2.0")
    more = '[tool.uv]\nconstraint-dependencies = ["idnx<2"]\n'
    found = vendored(app(tmp_path, '["idnx"]', more), work)
    assert titles(found) == {"idnx 1.0"}
    assert "constraint idnx<2" in found.new_lock.inputs


def test_overrides_and_choices_of_uv_are_kept_by_uv_and_refused_with_pip(
    tmp_path, work, strangers, chooser
):
    folder = tmp_path / "index"
    wheel(folder, "idnx", version="2.0a1")
    wheel(folder, "needy", requires=["idnx<1", "gone"])
    more = (
        '[tool.uv]\noverride-dependencies = ["idnx>=1"]\nexclude-dependencies = ["gone"]\n'
        'prerelease = "allow"\nresolution = "highest"\n'
    )
    root = app(tmp_path, '["needy"]', more)
    if chooser == "pip":
        ((code, message),) = refused(root, work)
        assert code is Code.RESOLVER_SETTING
        assert "only uv supports `override-dependencies`" in message
    else:
        found = vendored(root, work)
        assert titles(found) == {"needy 1.0", "idnx 2.0a1"}
        save(root, found)
        assert titles(vendored(root, work, locked=True)) == titles(found)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("[tool.uv]\nno-binary = true\n", "no-binary"),
        ('[[tool.uv.dependency-metadata]]\nname = "x"\n', "dependency-metadata"),
        ('[tool.uv.exclude-newer-package]\nx = "2025-01-01"\n', "exclude-newer-package"),
        ('[tool.pdm.resolution.overrides]\nx = "1"\n', "resolution.overrides"),
        ('[tool.uv]\nconstraint-dependencies = ["a @ https://example.org/a.whl"]\n', "constraint"),
        ('[tool.uv]\nconstraint-dependencies = ["no good"]\n', "constraint"),
        ('[tool.uv]\nconstraint-dependencies = "a"\n', "constraint"),
        ("[tool.uv]\nprerelease = 1\n", "prerelease"),
        pytest.param(
            '[tool.uv]\nno-binary-package = ["idnx"]\n', "no-binary-package", marks=pytest.mark.slow
        ),
    ],
)
def test_a_setting_that_cannot_be_kept_is_refused(more, key, tmp_path, work, house):
    wheel(house, "idnx")
    ((code, message),) = refused(app(tmp_path, '["idnx"]', more), work, wheelhouse=str(house))
    assert code is Code.RESOLVER_SETTING
    assert key in message


def test_validate_says_which_dependencies_have_a_source(tmp_path, capsys):
    root = app(tmp_path, more=NAMED[0])
    assert start(["validate", str(root)]) == 0
    assert "Y026" in capsys.readouterr().out
    manifest = tmp_path / "libs" / "acme" / "pyproject.toml"
    manifest.write_text(LIBRARY.replace("acme-lib", "acme-core"))
    start(["validate", str(root)])
    assert "Y027" in capsys.readouterr().out


def test_the_command_takes_a_wheel_for_a_name(tmp_path, capsys, strangers):
    root = app(tmp_path, more=NAMED[0])
    path = wheel(tmp_path / "dist", "acme_lib")
    command = ["package", str(root), "--list", "--vendor", "--vendor-source"]
    assert start([*command, f"acme-lib={path}"]) == 0
    assert "vendored: acme-lib 1.0" in capsys.readouterr().out
    assert start([*command, str(path)]) == 2
    assert "NAME=PATH" in capsys.readouterr().err


@pytest.mark.slow
def test_the_wheel_that_uv_builds_of_a_source_folder_is_taken(tmp_path, work, strangers):
    root = app(tmp_path, more=NAMED[0])
    folder = tmp_path / "libs" / "acme"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w",
         tmp_path / "dist", folder],
        check=True, env={**os.environ, "PIP_INDEX_URL": "https://pypi.org/simple"},
    )  # fmt: skip
    assert titles(vendored(root, work, sources=(("acme-lib", str(tmp_path / "dist")),))) == {
        "acme-lib 1.0"
    }
