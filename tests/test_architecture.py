"""The whole program: its parts, its wheel, what starting it loads, what it never does.

The import contracts in `pyproject.toml` are checked by import-linter; this is the rest.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import cloacina_ctl
from cloacina_ctl.cli.parsing import table
from cloacina_ctl.manifest import canonical
from tests.support.machine import need
from tests.support.manifests import rust

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cloacina_ctl"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
HEAVY = (
    "typer", "rich", "click", "dataclasses", "inspect", "pathlib", "logging", "tempfile",
    "importlib.metadata", "urllib3",
    # Up to 3.10 `platform` loads it, which zstandard asks for the kind of interpreter.
    *(("subprocess",) if sys.version_info >= (3, 11) else ()),
)  # fmt: skip
FORBIDDEN_MODULES = {"tarfile", "pickle", "marshal", "shelve", "cffi"}
FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "tempfile.mktemp"}
# What is removed, renamed or given another mode by its path is whatever the path leads to then.
BY_PATH = {
    *(f"os.{name}" for name in (
        "unlink", "remove", "rmdir", "removedirs", "rename", "renames", "replace", "chmod",
        "lchmod", "chown", "lchown", "link", "symlink", "truncate", "utime",
    )),
    *(f"shutil.{name}" for name in ("rmtree", "move", "copy", "copy2", "copytree", "copyfile")),
}  # fmt: skip
# `folders` holds folders by descriptors, `staging` lets files appear in them.
# `memory` makes folders of the kernel's, and `root` is alone in a root of its own.
DOORS = {
    "files/folders.py",
    "files/staging.py",
    "runtime/host/confinement/memory.py",
    "runtime/host/confinement/root.py",
}
# What starts another process, and no other module does.
FORKING = {
    "formats/native/processes.py",
    "project/subprocesses.py",
    "runtime/process/child.py",
    "runtime/host/engine_tables.py",
    "runtime/host/confinement/supervisor.py",
}
STARTS_A_PROCESS = re.compile(
    r"os\.(?:fork|forkpty|posix_spawnp?|exec\w+|spawn\w+)|subprocess\.(?:run|Popen|call|check_\w+)"
)
# What tells nothing to somebody who has this project and no more.
ELSEWHERE = re.compile(
    r"issue tracker|\bissues? #?\d|\b(?:this|another|previous|next) session\b"
    r"|\b(?:another|other|the) helpers?\b|(?<![\w/\"])shared/",
    re.IGNORECASE,
)


def files_of_the_package() -> set[str]:
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and text of each file of the project that is or may be committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(
        [need("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and path != Path(__file__):
            yield name, path.read_bytes().decode("utf-8", "replace")


def run(*words: object, data: bytes = b"") -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=ROOT, input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel: with the backend that is here, else with one that pip fetches."""
    folder = tmp_path_factory.mktemp("wheel")
    if find_spec("hatchling") and find_spec("build"):
        run("-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    else:
        run("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_licence_and_nothing_else(wheel):
    info = f"cloacina_ctl-{cloacina_ctl.__version__}.dist-info"
    names = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == files_of_the_package() | {f"{info}/{n}" for n in names}


@pytest.mark.slow
def test_the_wheel_without_its_dependencies_reads_a_manifest(wheel, tmp_path):
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path, wheel)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from cloacina_ctl.manifest import parse; import cloacina_ctl;"
        "print(parse(sys.stdin.buffer.read()).package.name, cloacina_ctl.__file__)"
    )
    said = run("-I", "-S", "-c", code, data=canonical.encode(rust()))
    assert said == f"demo {tmp_path / 'cloacina_ctl' / '__init__.py'}\n"


def test_starting_and_inspecting_loads_nothing_heavy():
    code = (
        "import sys; before = set(sys.modules);"
        "import cloacina_ctl.cli.main, cloacina_ctl.operations.inspect;"
        "import cloacina_ctl.cli.commands.inspect;"
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])"
    )
    assert run("-c", code) == "[]\n"


def test_only_what_talks_to_a_server_loads_the_library_for_it():
    talks = re.compile(r"operations/(?:publish|remote|publication/.*)\.py")
    paths = [
        inside(path) for room in ("cli", "operations") for path in (PACKAGE / room).rglob("*.py")
    ]
    names = [
        f"cloacina_ctl.{path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
        for path in sorted(paths)
        if not talks.fullmatch(path)
    ]
    code = (
        "import importlib, sys;"
        f"[importlib.import_module(name) for name in {names!r}];"
        "print('urllib3' in sys.modules);"
        "import cloacina_ctl.operations.publish; print('urllib3' in sys.modules)"
    )
    assert run("-c", code) == "False\nTrue\n"


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


@functools.cache
def calls(path: Path) -> tuple[tuple[str, ast.Call], ...]:
    """Return each call in a module, with the text of what is called."""
    return tuple((ast.unparse(n.func), n) for n in nodes(path) if isinstance(n, ast.Call))


def inside(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def imported(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_no_module_imports_what_none_needs():
    found = [f"{inside(path)}: {name}" for path in MODULES for name in imported(path)
             if name in FORBIDDEN_MODULES]  # fmt: skip
    assert found == []


def test_no_file_of_the_tests_is_a_library_of_another():
    """What two of them need is in `tests.support`, or a module of their folder beside them."""
    imports = re.compile(
        r"^ *(?:from|import) tests[\w.]*\.(?:conftest|test_\w+)\b"
        r"|^ *from tests[\w.]* import .*\b(?:conftest|test_\w+)\b", re.MULTILINE
    )  # fmt: skip
    found = [f"{path.relative_to(ROOT)}: {match[0].strip()}" for path in TESTS
             for match in imports.finditer(path.read_text("utf-8"))]  # fmt: skip
    assert found == []


def test_no_module_evaluates_text_or_starts_a_shell():
    found = [
        f"{inside(path)}: {name}"
        for path in MODULES
        for name, call in calls(path)
        if name in FORBIDDEN_CALLS or any(keyword.arg == "shell" for keyword in call.keywords)
    ]
    assert found == []


def test_nothing_is_removed_or_renamed_by_its_path():
    """A link in the place of what was made would take the change somewhere else."""
    found = []
    for path in (path for path in MODULES if inside(path) not in DOORS):
        taken = [
            f"os.{one.name}"
            for node in nodes(path)
            if isinstance(node, ast.ImportFrom) and node.module == "os"
            for one in node.names
        ]
        used = {*taken, *(name for name, _ in calls(path))} & BY_PATH
        found += [f"{inside(path)}: {name}" for name in used]
    assert found == []


def test_only_named_modules_start_another_process():
    """A contract of imports sees `subprocess`, and not `os.fork`."""
    starting = {
        inside(path)
        for path in MODULES
        for name, _ in calls(path)
        if STARTS_A_PROCESS.fullmatch(name)
    }
    assert starting == FORKING


def test_no_two_public_classes_have_one_name():
    """A name that means two things needs an alias where both are used, and a guess elsewhere."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(inside(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_package_exports_a_name_that_one_of_its_modules_has():
    """What the import of such a name gives depends on what was imported before."""
    found = [
        f"{inside(path)}: {name}"
        for path in MODULES
        if path.name == "__init__.py"
        for name in re.findall(
            r"^    \"?(\w+)\"?: \"\w+(?:\.\w+)*\",$", path.read_text("utf-8"), re.MULTILINE
        )
        if (path.parent / f"{name}.py").exists()
    ]
    assert found == []


def test_a_folder_has_no_more_modules_than_can_be_looked_over():
    """`operations` has one for each verb, and what verbs share."""
    counts: dict[str, int] = {}
    for path in MODULES:
        counts[inside(path.parent)] = counts.get(inside(path.parent), 0) + 1
    assert {name for name, count in counts.items() if count > 17} <= {"operations"}


def test_the_source_keeps_to_the_words_of_the_glossary():
    """Each of these was once the private word for a thing that the field has a name for."""
    private = re.compile(
        r"\b(?:vouch\w*|judg\w*|pour(?:s|ed|ing)?|who(?:m)?ever|nobody|somebody|anew|cures?|foreign"
        r"|generations?|spoken)\b",
        re.IGNORECASE,
    )
    found = [
        f"{inside(path)}:{number}: {match[0]}"
        for path in MODULES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for match in private.finditer(line)
    ]
    assert found == []


def test_the_picture_of_the_layers_has_every_part_and_no_other():
    names = {path.name for path in PACKAGE.iterdir()} - {"py.typed"}
    parts = {name.removesuffix(".py") for name in names if not name.startswith("_")}
    left = [re.split(r" {2,}", line)[0] for line in PAGE.split("```")[1].strip().splitlines()]
    assert {part for cell in left for part in re.split(r"[ ,|]+", cell)} == parts
    mapped = re.findall(r"^``(\w+)``", cloacina_ctl.__doc__ or "", re.MULTILINE)
    assert set(mapped) == parts


def test_every_place_that_the_page_of_the_architecture_names_is_there():
    body = PAGE.partition("## Where is the one place")[2]
    named = re.findall(r"`((?:[\w<>]+/)*[\w<>]+(?:\.py|/))`", body)
    assert len(named) > 20
    verbs = {name.partition(" ")[0] for name in table.NAMES}
    places = {name.replace("<verb>", verb) for name in named for verb in verbs}
    lost = [one for one in places if not (PACKAGE / one).exists() and not (ROOT / one).exists()]
    assert lost == []


def test_no_file_names_a_folder_of_the_machine_that_it_was_written_on():
    made_up = {"/", "/home/a", "/home/builder", "/Users/a"}  # by tests
    here = {str(ROOT), str(Path.home())} - made_up
    pattern = re.compile("|".join(rf"(?<![\w.<>}}]){re.escape(one)}(?![\w.-])" for one in here))
    found = [
        f"{name}: {match[0]}" for name, text in texts() for match in [pattern.search(text)] if match
    ]
    assert found == []


def test_no_file_speaks_of_what_its_reader_cannot_see():
    found = [f"{name}: {match[0]}" for name, text in texts() for match in ELSEWHERE.finditer(text)]
    assert found == []
