"""The parts: targets, requirements, locks, what the wheels' own metadata leads to."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.pylock import Pylock
from packaging.utils import parse_wheel_filename

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.toml import read_toml
from cloacina_ctl.vendoring.closure import Roots, reach, read_metadata
from cloacina_ctl.vendoring.declared.requirements import read_requirements
from cloacina_ctl.vendoring.locks.lock import (
    LockedWheel,
    WheelLock,
    dump_lock,
    lock_bytes,
    misfit,
    read_lock,
    write_lock,
)
from cloacina_ctl.vendoring.target import PythonTarget, accepted_pythons, accepts, parse_target
from tests.support.trees import found, plant, tree
from tests.support.wheels import file_name, metadata
from tests.vendoring.projects import project

GLIBC = PythonTarget("3.11", "manylinux_2_28_x86_64")
A, B = Digest("a" * 64), Digest("b" * 64)


def tags(file: str):
    return parse_wheel_filename(file)[3]


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("cp311-cp311-manylinux1_x86_64", True),
        ("cp39-abi3-manylinux_2_28_x86_64", True),
        ("py3-none-manylinux2010_x86_64", True),
        ("cp311-cp311-linux_x86_64", True),
        ("cp311-none-any", True),
        ("cp312-cp312-manylinux_2_17_x86_64", False),
        ("cp312-abi3-manylinux_2_17_x86_64", False),
        ("cp311-cp311-manylinux_2_31_x86_64", False),
        ("cp311-cp311-manylinux_2_17_aarch64", False),
        ("cp311-cp311-musllinux_1_1_x86_64", False),
        ("cp311-cp311-macosx_11_0_arm64", False),
        ("cp311-cp311-win_amd64", False),
        ("pp39-pypy39_pp73-manylinux_2_17_x86_64", False),
        ("py2-none-any", False),
    ],
)
def test_which_wheels_fit_a_target(tag, fits):
    assert (GLIBC.rank(tags(f"x-1-{tag}.whl")) is not None) == fits


def test_the_most_particular_wheel_fits_best():
    own = GLIBC.rank(tags("x-1-cp311-cp311-manylinux_2_28_x86_64.whl"))
    older = GLIBC.rank(tags("x-1-cp311-cp311-manylinux_2_17_x86_64.whl"))
    pure = GLIBC.rank(tags("x-1-py3-none-any.whl"))
    assert own < older < pure


def test_other_machines_and_musl_have_their_platforms():
    assert PythonTarget("3.11", "manylinux_2_18_aarch64").platforms() == (
        "manylinux_2_18_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64",
        "linux_aarch64",
    )  # fmt: skip
    assert PythonTarget("3.11", "musllinux_1_1_x86_64").platforms() == (
        "musllinux_1_1_x86_64", "musllinux_1_0_x86_64", "linux_x86_64"
    )  # fmt: skip
    assert PythonTarget("3.11", "linux_riscv64").platforms() == ("linux_riscv64",)


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("manylinux_2_28_x86_64", "x86_64-manylinux_2_28"),
        ("manylinux_2_30_aarch64", "aarch64-manylinux_2_28"),
        ("manylinux_2_99_x86_64", "x86_64-manylinux_2_40"),
        ("musllinux_1_2_x86_64", "x86_64-unknown-linux-musl"),
        ("musllinux_1_1_x86_64", None),
        ("manylinux_2_5_x86_64", None),
        ("manylinux_2_28_s390x", None),
        ("linux_x86_64", None),
    ],
)
def test_what_uv_calls_a_platform(platform, name):
    assert PythonTarget("3.11", platform).uv_platform() == name


@pytest.mark.parametrize(
    ("python", "platform"),
    [("3", "linux_x86_64"), ("2.7", "linux_x86_64"), ("3.11.4", "linux_x86_64"),
     ("3.11", "win_amd64"), ("3.11", "manylinux_3_1_x86_64"), ("3.11", "manylinux_2_28"),
     ("3.11", "any"), ("3.11", "../x"), ("3.11", "macosx_11_0_arm64")],
)  # fmt: skip
def test_what_is_no_target_is_a_mistake_on_the_command_line(python, platform):
    with pytest.raises(UsageError):
        parse_target(python, platform)


def test_a_platform_that_nobody_parsed_is_a_bug():
    with pytest.raises(TypeError):
        PythonTarget("3.11", "windows").platforms()


def test_old_names_of_platforms_are_taken():
    assert parse_target("3.11", "manylinux2014_x86_64").platform == "manylinux_2_17_x86_64"
    assert parse_target("3.11", "manylinux1_x86_64").platform == "manylinux_2_5_x86_64"


def test_a_specifier_takes_a_version_when_it_takes_one_of_its_releases():
    assert accepts(">=3.11.4", "3.11")
    assert not accepts(">=3.12", "3.11")
    assert accepts(None, "3.9")
    assert tuple(accepted_pythons(">=3.11,<3.13")) == ("3.11", "3.12")


def requirements(root):
    return read_requirements(read_project(str(root)))


def test_dependencies_are_read_in_one_spelling(tmp_path):
    root = project(
        tmp_path,
        """["Idna >= 3,<4", "attrs", "a.B_c[Z,y]; python_version < '3.12'", "attrs", "cloaca>=0.6",
        "Cloaca_SQLite"]""",
    )
    read = requirements(root)
    assert read.texts == (
        'a-b-c[y,z]; python_version < "3.12"', "attrs", "idna<4,>=3"
    )  # fmt: skip
    assert read.engines == ("cloaca", "cloaca-sqlite")


def test_a_tree_has_a_requirements_file(tmp_path):
    text = (
        "# what it needs\nidna>=3  # names\n\nattrs==23.1 \\\n  --hash=sha256:" + A + " \\\n"
        "  --hash=sha256:" + B + "\n"
    )
    read = requirements(tree(tmp_path, {"requirements.txt": text}))
    assert read.place == "requirements.txt"
    assert read.texts == ("attrs==23.1", "idna>=3")
    assert dict(read.hashes) == {"attrs": {f"sha256:{A}", f"sha256:{B}"}}


def test_a_tree_without_one_depends_on_nothing_or_on_what_its_pyproject_says(tmp_path):
    assert requirements(tree(tmp_path / "a", {})).texts == ()
    text = '[project]\nname = "demo"\nversion = "1"\ndependencies = ["idna"]\n'
    assert requirements(tree(tmp_path / "b", {"pyproject.toml": text})).texts == ("idna",)


def test_what_is_not_vendored_is_refused_all_at_once(tmp_path):
    text = (
        "-r other.txt\n--index-url https://example.org\n-e .\nx @ https://example.org/x.whl\n"
        "./folder\nno good\nfine\n"
    )
    with pytest.raises(Refused) as error:
        requirements(tree(tmp_path, {"requirements.txt": text}))
    assert found(error.value) == [
        (Code.DEPENDENCY, f"requirements.txt:{line}") for line in (1, 3, 5, 6)
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_a_requirements_file_is_read_in_the_encoding_that_its_mark_tells(encoding, tmp_path):
    data = "idna==3.7  # pour être sûr\r\nattrs\r\n".encode(encoding)
    assert requirements(tree(tmp_path, {"requirements.txt": data})).texts == ("attrs", "idna==3.7")


def test_files_of_the_project_that_a_requirements_file_names_count(tmp_path):
    text = (
        "-r more/base.txt\n--constraint=limits.txt\n-c limits.txt\n--prefer-binary\n"
        "--index-url https://me:pw@example.org/simple\n--extra-index-url=https://pypi.org/simple\n"
        "-f https://example.org/files\nidna\n"
    )
    files = {
        "requirements.txt": text,
        "more/base.txt": "attrs\n-c ../limits.txt\n-r ../requirements.txt\n",
        "limits.txt": f"idna<4 --hash=sha256:{A}\n-r inner.txt\n",
        "inner.txt": "attrs>20\n",
    }
    read = requirements(tree(tmp_path, files))
    assert read.texts == ("attrs", "idna")
    assert read.constraints == ("attrs>20", "idna<4")
    assert dict(read.hashes) == {"idna": {f"sha256:{A}"}}
    assert read.indexes == (
        ("https://example.org/simple", "requirements.txt:5"),
        ("https://example.org/files", "requirements.txt:7"),
    )


@pytest.mark.parametrize(
    "line", ["-r ../other.txt", "-r /etc/requirements.txt", "-c https://example.org/c.txt",
             "-r gone.txt", "-c bad.txt", "--pre", "--require-hashes"]
)  # fmt: skip
def test_files_outside_of_the_project_and_other_options_are_refused(line, tmp_path):
    plant(tmp_path, {"other.txt": "idna\n"})
    files = {"requirements.txt": f"{line}\n", "bad.txt": "idna[x]<4\n"}
    with pytest.raises(Refused) as error:
        requirements(tree(tmp_path / "tree", files))
    assert error.value.diagnostics[0].code is Code.DEPENDENCY


def test_a_file_that_a_requirements_file_names_may_be_no_link(tmp_path):
    plant(tmp_path, {"other.txt": "idna\n"})
    root = tree(tmp_path / "tree", {"requirements.txt": "-r inner.txt\n"})
    (root / "inner.txt").symlink_to("../other.txt")
    with pytest.raises(Refused) as error:
        requirements(root)
    assert error.value.diagnostics[0].code is Code.LINK


@pytest.mark.parametrize(
    "condition",
    [r"'3\n--index-url https://example.org'", r"'\u0000'", "'${HOME}'"],
)
def test_a_condition_cannot_smuggle_an_option_to_pip(condition, tmp_path):
    with pytest.raises(Refused, match="a character that is not allowed in a requirement"):
        requirements(project(tmp_path, f'["idna; python_version > {condition}"]'))


@pytest.mark.parametrize("value", ['"idna"', "[1]", "{}"])
def test_dependencies_of_another_type_are_refused(value, tmp_path):
    with pytest.raises(Refused) as error:
        requirements(project(tmp_path, value))
    assert found(error.value) == [(Code.DEPENDENCY, "pyproject.toml")]


def test_dynamic_dependencies_are_refused(tmp_path):
    text = '[project]\nname = "demo"\nversion = "1"\ndynamic = ["dependencies"]\n'
    root = plant(tmp_path, {"pyproject.toml": text, "demo.py": ""})
    with pytest.raises(Refused, match="dynamic"):
        requirements(root)


def test_a_huge_requirements_file_is_not_read(tmp_path):
    with pytest.raises(FileProblem, match="more than"):
        requirements(tree(tmp_path, {"requirements.txt": b"#" * (2 << 20)}))


PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_28_x86_64")
WHEELS = st.builds(
    lambda name, version, digest, platforms, place: LockedWheel(
        name, version, file_name(name, version), Digest(digest), platforms, size=7, **place
    ),
    st.sampled_from(["idna", "attrs", "zope-interface", "ruamel-yaml"]),
    st.sampled_from(["1.0", "2.0.1", "3.0rc1", "1!2.0+local.1"]),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.sampled_from([PLATFORMS, PLATFORMS[:1], PLATFORMS[1:]]),
    st.sampled_from(
        [{"url": "https://example.org/a%2Bb-1.0-py3-none-any.whl"}, {"path": "/house/x.whl"}]
    ),
)
LOCKS = st.builds(
    lambda python, texts, wheels: WheelLock(
        python, PLATFORMS, tuple(sorted(texts)), tuple(sorted(wheels))
    ),
    st.sampled_from(["3.10", "3.13"]),
    st.sets(
        st.sampled_from(["idna>=3", 'x; python_version < "3.12"', "a\\b", "a from path \x01'"])
    ),
    st.lists(WHEELS, unique_by=(lambda one: one.name, lambda one: one.sha256)),
)


@given(LOCKS)
def test_a_lock_that_is_written_is_a_standard_one_and_reads_the_same(tmp_path_factory, lock):
    root = str(tmp_path_factory.mktemp("lock"))
    write_lock(root, lock)
    read = read_lock(root)
    wheels = tuple(
        one._replace(size=7, path=one.path and os.path.realpath(one.path)) for one in read.wheels
    )
    assert read._replace(wheels=wheels) == lock
    assert lock_bytes(root) == dump_lock(lock, root)
    Pylock.from_dict(read_toml(os.path.join(root, VENDOR_LOCK)))


GOOD = """\
# The wheels that `cloacina-ctl package` vendors into the package of this project. Keep this file
# under version control. `cloacina-ctl package --upgrade-vendored` renews it.
lock-version = "1.0"
environments = [
    'MACHINE == "aarch64"',
    'MACHINE == "x86_64"',
]
requires-python = "==3.11.*"
created-by = "cloacina-ctl"

[[packages]]
name = "idna"
version = "3.7"

[[packages.wheels]]
url = "https://example.org/idna-3.7-py3-none-any.whl"
size = 7
hashes = {sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}

[[packages]]
name = "markupsafe"
version = "3.0.2"
marker = 'platform_machine == "aarch64"'

[[packages.wheels]]
name = "markupsafe-3.0.2-py3-none-any.whl"
path = "../house/of cards"
size = 7
hashes = {sha256 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}

[tool.cloacina-ctl]
platforms = [
    "manylinux_2_28_aarch64",
    "manylinux_2_28_x86_64",
]
inputs = [
    "idna>=3",
    'x; python_version < "3.12"',
]
""".replace(
    "MACHINE",
    'implementation_name == "cpython" and sys_platform == "linux" and platform_machine',
)


def test_what_is_written_is_plain_and_the_same_for_the_same_lock(tmp_path):
    idna = LockedWheel(
        "idna", "3.7", file_name("idna", "3.7"), A, PLATFORMS,
        url="https://example.org/idna-3.7-py3-none-any.whl", size=7,
    )  # fmt: skip
    markup = LockedWheel(
        "markupsafe", "3.0.2", file_name("markupsafe", "3.0.2"), B, PLATFORMS[:1],
        path=str(tmp_path / "house" / "of cards"), size=7,
    )  # fmt: skip
    root = str(tmp_path / "project")
    lock = WheelLock("3.11", PLATFORMS, ("idna>=3", 'x; python_version < "3.12"'), (markup, idna))
    assert dump_lock(lock, root).decode() == GOOD


def test_a_lock_that_another_run_wrote_meanwhile_is_not_replaced(tmp_path):
    root = str(tmp_path)
    first, second = (WheelLock(one, (GLIBC.platform,), (), ()) for one in ("3.11", "3.12"))
    write_lock(root, first)  # there was none, and there is none
    with pytest.raises(FileProblem) as caught:
        write_lock(root, second)  # there was none, and now there is one
    assert caught.value.diagnostics[0].code is Code.FILE_CHANGED
    write_lock(root, first)  # the same was written meanwhile
    write_lock(root, second, dump_lock(first, root))
    with pytest.raises(FileProblem):
        write_lock(root, first, dump_lock(first, root))
    (tmp_path / VENDOR_LOCK).unlink()
    with pytest.raises(FileProblem):
        write_lock(root, first, dump_lock(second, root))
    assert os.listdir(root) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("# The wheels", "<<<<<<< ours\n# The wheels", "not TOML"),
        ('lock-version = "1.0"', 'lock-version = "2.0"', "pylock version 2.0 is not supported"),
        ("idna-3.7-py3", "idna-3.8-py3", "not consistent with package version"),
        ("idna-3.7-py3", "attrs-3.7-py3", "not consistent with package name"),
        ("idna-3.7-py3-none-any.whl", "idna-3.7.tar.gz", "Invalid wheel filename"),
        ('"==3.11.*"', '"==4.*"', "one version of Python"),
        ('requires-python = "==3.11.*"\n', "", "one version of Python"),
        ('"manylinux_2_28_x86_64"', '"windows"', "not a platform"),
        ("platforms = [", "others = [", "`platforms` in [tool.cloacina-ctl] must"),
        ("inputs = [", "inputs = [7, ", "`inputs` in [tool.cloacina-ctl] must be a list of"),
        ("[tool.cloacina-ctl]", "[tool.other]", "must be a list of strings"),
        ('    "manylinux_2_28_aarch64",\n    "manylinux_2_28_x86_64",\n', "", "must name one"),
    ],
)  # fmt: skip
def test_a_lock_that_somebody_broke_is_refused_and_says_how_to_renew_it(old, new, says, tmp_path):
    assert old in GOOD
    plant(tmp_path, {VENDOR_LOCK: GOOD.replace(old, new, 1)})
    with pytest.raises(Refused) as error:
        read_lock(str(tmp_path))
    (problem,) = error.value.diagnostics
    assert (problem.code, problem.where) == (Code.LOCK_FILE, VENDOR_LOCK)
    assert says in problem.message
    assert "--upgrade-vendored" in problem.hint


def test_a_lock_fits_its_inputs_and_python_alone():
    lock = WheelLock("3.11", PLATFORMS, ("a", "constraint b<2"), ())
    assert misfit(lock, ("constraint b<2", "a"), ">=3.10") is None
    assert misfit(lock, (*lock.inputs, "c"), None) == "it was not made from: c"
    assert misfit(lock, ("a",), None) == "it was made from an input that is gone: constraint b<2"
    assert "Python 3.11" in misfit(lock, lock.inputs, ">=3.12")


def known(**wheels: list[str]):
    return {
        name: read_metadata(metadata(name, "1.0", requires), f"{name}.whl")
        for name, requires in wheels.items()
    }


def test_what_requirements_lead_to_is_what_the_wheels_say():
    wheels = known(
        a=["b>=0.5", "c; extra == 'more'", "d; sys_platform == 'win32'"],
        b=["a"], c=["e[x]"], d=[], e=["f; extra == 'x'"], f=[], unused=[],
    )  # fmt: skip
    assert reach(Roots(("a",)), wheels, GLIBC).names == {"a", "b"}
    assert reach(Roots(("a[more]",)), wheels, GLIBC).names == {"a", "b", "c", "e", "f"}
    assert reach(Roots(("a; python_version < '3.11'",)), wheels, GLIBC).names == frozenset()


def test_what_is_missing_is_said_with_who_needs_it():
    wheels = known(a=["b", "c>=2", "cloaca>1"], c=[])
    result = reach(Roots(("a",)), wheels, GLIBC)
    assert sorted(one.words for one in result.missing) == [
        "a 1.0 needs b, and there is none", "a 1.0 needs c>=2, and there is 1.0"
    ]  # fmt: skip
    assert result.engines == ("cloaca",)


def test_a_condition_on_a_patch_release_counts_for_the_earliest():
    wheels = known(a=['b; python_full_version < "3.11.3"'], b=[])
    assert reach(Roots(("a",)), wheels, GLIBC).names == {"a", "b"}
    assert reach(Roots(("a",)), known(a=['b; python_full_version < "3.11.3"']), GLIBC).missing == ()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"Version: 1", "does not say its name"),
        (b"Name: a", "does not say its version"),
        (b"Name: a\nVersion: ?", "METADATA"),
        (b"Name: a\nVersion: 1\nRequires-Dist: ,", "METADATA"),
        (b"Name: a\nVersion: 1\nRequires-Python: three", "METADATA"),
    ],
)
def test_metadata_that_says_nothing_is_refused(data, says):
    with pytest.raises(Refused) as error:
        read_metadata(data, "a.whl")
    assert error.value.diagnostics[0].code is Code.BAD_WHEEL
    assert says in error.value.diagnostics[0].message
