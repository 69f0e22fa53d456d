"""What a crate's Cargo.toml, its lock and its programs say, judged before cargo starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.checks.engine import report
from cloacina_ctl.checks.project import check_project
from cloacina_ctl.checks.subjects import ProjectSubject
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.project.reading import read_project
from tests.engines.rust_cases import GOOD, files_of, named, task
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

    from cloacina_ctl.errors import Diagnostic

HEAD = '[package]\nname = "orders"\nversion = "1.0.0"\nedition = "2021"\n[workspace]\n'
NEEDED = """[dependencies]
async-trait = "0.1"
chrono = "0.4"
serde_json = "1"
cloacina-workflow = "0.6.1"
cloacina-workflow-plugin = "0.6.1"
cloacina-computation-graph = "0.6.1"
"""
LIB = files_of(named("plain"), "0.6.1")["src/lib.rs"]
MAIN = """use cloacina::{runner::DefaultRunner, task, workflow, Context, TaskError};

#[workflow(name = "orders")]
mod orders {
    use super::*;
    #[task(id = "read")]
    async fn read(context: &mut Context<Value>) -> Result<(), TaskError> { Ok(()) }
}

fn main() {}
"""


def all_in(root: Path, files: dict[str, str]) -> list[Diagnostic]:
    return list(check_project(ProjectSubject(read_project(str(plant(root, files))))))


def found_in(root: Path, files: dict[str, str]) -> list[Diagnostic]:
    """Return the findings, but for a lock that is not there and the crate's type."""
    quiet = ("R004", "R005", "R014")
    return [one for one in all_in(root, files) if str(one.code) not in quiet]


def crate(dependencies: str = NEEDED, lib: str = LIB, **more: str) -> dict[str, str]:
    return {"Cargo.toml": HEAD + dependencies, "src/lib.rs": lib, **more}


def test_a_test_may_use_what_tests_alone_depend_on(tmp_path: Path) -> None:
    lib = LIB + "#[test]\nfn runs() { tokio::runtime::Runtime::new().unwrap(); }\n"
    assert found_in(tmp_path, crate(lib=lib)) == []


@pytest.mark.parametrize(
    ("lib", "there"),
    [("", "src/main.rs"), ('[lib]\npath = "code/root.rs"\n', "src/lib.rs"), ("", "examples/a.rs")],
)
def test_a_crate_without_a_library_is_told_that_alone(tmp_path: Path, lib: str, there: str) -> None:
    (found,) = all_in(tmp_path, {"Cargo.toml": HEAD + lib + NEEDED, there: "fn main() {}\n"})
    assert (str(found.code), found.where, found.severity) == ("R010", "Cargo.toml", Severity.ERROR)
    assert found.message.endswith("no file code/root.rs" if lib else "no file src/lib.rs")


def test_a_library_with_a_name_of_its_own_is_named(tmp_path: Path) -> None:
    lib = LIB.replace("cloacina_workflow_plugin::package!();", "")
    files = {"Cargo.toml": HEAD + '[lib]\npath = "code/root.rs"\n' + NEEDED, "code/root.rs": lib}
    assert [(str(one.code), one.where) for one in found_in(tmp_path, files)] == [
        ("R006", "code/root.rs")
    ]


@pytest.mark.parametrize(
    "item",
    [
        "#[derive(Debug, serde::Serialize)]\nstruct Order;\n",
        "#[tracing::instrument]\nfn f() {}\n",
        'fn f() { tracing::info!("a"); }\n',
        'fn f() -> u8 { let _ = anyhow::anyhow!("a"); 1 }\n',
        "#[tokio::test]\nasync fn f() {}\n",
    ],
)
def test_a_crate_that_only_an_attribute_or_a_macro_names_has_to_be_a_dependency(
    tmp_path: Path, item: str
) -> None:
    (found,) = found_in(tmp_path / "certain", crate(lib=LIB + item))
    assert (str(found.code), found.severity) == ("R042", Severity.ERROR)
    assert found_in(tmp_path / "off", crate(lib=f"{LIB}#[cfg(test)]\n{item}")) == []
    assert found_in(tmp_path / "perhaps", crate(lib=f"{LIB}#[cfg(windows)]\n{item}")) == []


def test_a_backoff_that_the_macro_takes_for_another_is_a_warning(tmp_path: Path) -> None:
    lib = LIB.replace("#[task(", '#[task(retry_backoff = "Fixed", ', 1)
    (found,) = found_in(tmp_path, crate(lib=lib))
    assert (str(found.code), found.severity) == ("R032", Severity.WARNING)
    assert "`Fixed`" in found.message


def test_findings_stand_in_the_order_of_the_text(tmp_path: Path) -> None:
    lib = LIB
    for line in (2, 9, 10, 100):
        lib = lib + "\n" * line + '#[task(id = "x")] async fn f(context: &mut C) -> R { }\n'
    found = report(all_in(tmp_path, crate(lib=lib))).findings
    lines = [
        int((one.where or "").rpartition(":")[2]) for one in found if one.code == Code.STRAY_TASK
    ]
    assert (len(lines), sorted(lines)) == (4, lines)


def test_cargos_files_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    files = {name: "\ufeff" + text for name, text in crate().items()}
    assert found_in(tmp_path, files) == []


def short(found: list[Diagnostic]) -> list[tuple[str, str | None, str | None]]:
    return [(str(one.code), one.where, one.hint) for one in found]


def locked(*packages: str) -> str:
    """Return a Cargo.lock in which our crate depends on ``packages``, each ``name version``."""
    own = "".join(f' "{one.split()[0]}",\n' for one in packages)
    blocks = [f'[[package]]\nname = "orders"\nversion = "1.0.0"\ndependencies = [\n{own}]\n']
    for one in packages:
        name, version = one.split()
        blocks.append(f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = "registry"\n')
    return "version = 4\n\n" + "\n".join(blocks)


def test_a_workflow_in_a_program_gets_one_finding_that_says_what_to_do(tmp_path: Path) -> None:
    engine = '[dependencies]\ncloacina = { version = "0.6.1", features = ["sqlite"] }\n'
    files = {"Cargo.toml": HEAD + engine, "src/main.rs": MAIN}
    (one,) = all_in(tmp_path, files)
    assert (str(one.code), one.where) == ("R031", "src/main.rs:4")
    assert "the workflow `orders` is in a program (library mode)" in one.message
    assert "docs/from-a-crate.md" in (one.hint or "")


def test_finds_the_programs_of_other_names_and_those_of_the_first_releases(tmp_path: Path) -> None:
    old = 'fn main() { let _flow = workflow! { name: "old", tasks: [read, write] }; }'
    engine = '[dependencies]\ncloacina = "0.3.1"\n'
    for program in ("src/bin/old.rs", "src/bin/old/main.rs"):
        files = {"Cargo.toml": HEAD + engine, program: old, "src/lib.rs": "pub fn f() {}"}
        found = found_in(tmp_path / program.replace("/", "-"), files)
        assert short(found)[0][:2] == ("R031", f"{program}:1")
        assert "`old`" in found[0].message


def test_a_library_beside_its_program_is_judged_as_a_library(tmp_path: Path) -> None:
    assert found_in(tmp_path, crate(**{"src/main.rs": MAIN})) == []


def test_the_cure_names_the_version_that_fits(tmp_path: Path) -> None:
    few = '[dependencies]\nserde_json = "1"\ncloacina-workflow = "0.6.1"\n'
    assert short(found_in(tmp_path / "plain", crate(few))) == [
        ("R013", "Cargo.toml", "run `cargo add async-trait@0.1`"),
        ("R013", "Cargo.toml", "run `cargo add chrono@0.4`"),
        ("R013", "Cargo.toml", "run `cargo add cloacina-computation-graph@0.6`"),
        ("R013", "Cargo.toml", "run `cargo add cloacina-workflow-plugin@0.6`"),
    ]
    exact = NEEDED.replace("0.6.1", "=0.6.1").replace("cloacina-comp", "x-comp")
    assert short(found_in(tmp_path / "exact", crate(exact))) == [
        ("R013", "Cargo.toml", "run `cargo add cloacina-computation-graph@=0.6.1`")
    ]


def test_a_crate_of_0_2_needs_what_its_macros_name(tmp_path: Path) -> None:
    files = files_of(named("plain"), "0.2.0")
    files["Cargo.toml"] = files["Cargo.toml"].replace('tracing = "0.1"\n', "")
    assert short(found_in(tmp_path, files)) == [
        ("R013", "Cargo.toml", "run `cargo add tracing@0.1`")
    ]


def test_a_dependency_under_the_name_that_code_has_is_there(tmp_path: Path) -> None:
    renamed = NEEDED.replace(
        "async-trait = ", 'async_trait = { package = "async-trait", version = '
    )
    renamed = renamed.replace('"0.1"\nchrono', '"0.1" }\nchrono')
    assert found_in(tmp_path, crate(renamed)) == []


def test_refuses_crates_of_several_releases(tmp_path: Path) -> None:
    mixed = NEEDED.replace('graph = "0.6.1"', 'graph = "0.11.1"')
    found = found_in(tmp_path, crate(mixed))
    assert short(found) == [
        ("R030", "Cargo.toml", "run `cargo add cloacina-computation-graph@0.6`")
    ]
    assert found[0].severity is Severity.ERROR
    assert "0.11, and the crate is written for 0.6" in found[0].message


def test_the_lock_tells_the_release_where_the_requirement_does_not(tmp_path: Path) -> None:
    open_ended = NEEDED.replace('"0.6.1"', '">=0.6"')
    names = ("cloacina-workflow 0.6.1", "cloacina-workflow-plugin 0.6.1")
    lock = locked(*names, "cloacina-computation-graph 0.9.0")
    files = crate(open_ended, **{"Cargo.lock": lock})
    assert [one[0] for one in short(found_in(tmp_path / "mixed", files))] == ["R030"]
    files["Cargo.lock"] = locked(*names, "cloacina-computation-graph 0.6.1")
    files["src/lib.rs"] = LIB.replace('id = "a"', "dependencies = []")
    assert [one[0] for one in short(found_in(tmp_path / "old", files))] == ["R032"]


def test_says_nothing_of_a_release_that_is_not_known(tmp_path: Path) -> None:
    unknown = (
        NEEDED.replace('"0.6.1"', '">=0.6"').replace("async-trait", "x").replace("chrono", "y")
    )
    lib = LIB.replace('id = "a"', "dependencies = []").replace("cloacina_workflow_plugin::", "")
    assert found_in(tmp_path, crate(unknown, lib)) == []


def test_a_lock_that_the_requirement_has_outgrown_does_not_count(tmp_path: Path) -> None:
    names = ("cloacina-workflow", "cloacina-workflow-plugin", "cloacina-computation-graph")
    lock = locked(*(f"{name} 0.12.0" for name in names))
    lib = LIB.replace('id = "a"', "dependencies = []")  # an error in 0.6 alone
    assert [
        one[0] for one in short(found_in(tmp_path, crate(lib=lib, **{"Cargo.lock": lock})))
    ] == ["R032"]


def test_warns_of_a_release_that_another_dependency_brings(tmp_path: Path) -> None:
    names = ("cloacina-workflow 0.6.1", "cloacina-workflow-plugin 0.6.1", "shared 1.0.0")
    lock = locked(*names, "cloacina-computation-graph 0.6.1").replace(
        'name = "shared"', 'name = "shared"\ndependencies = [\n "cloacina-workflow 0.9.0",\n]'
    )
    lock += '\n[[package]]\nname = "cloacina-workflow"\nversion = "0.9.0"\n'
    for_tests = NEEDED + '[dev-dependencies]\nshared = "1"\n'
    assert found_in(tmp_path / "tests", crate(for_tests, **{"Cargo.lock": lock})) == []
    (one,) = found_in(tmp_path / "all", crate(NEEDED + 'shared = "1"\n', **{"Cargo.lock": lock}))
    assert (str(one.code), one.where, one.severity) == ("R030", "Cargo.lock", Severity.WARNING)
    assert "cargo tree --invert cloacina-workflow@0.9.0" in (one.hint or "")


def test_warns_of_a_panic_that_would_end_the_host(tmp_path: Path) -> None:
    (one,) = found_in(tmp_path, crate(NEEDED + '[profile.release]\npanic = "abort"\n'))
    assert (str(one.code), one.severity) == ("R041", Severity.WARNING)


def test_a_crate_called_test_is_checked_as_any_other(tmp_path: Path) -> None:
    """The macros skip their own check of dependencies where the name has `test` in it."""
    lib = LIB.replace(GOOD, GOOD + task('dependencies = ["nobody"]'))
    files = crate(lib=lib)
    files["Cargo.toml"] = files["Cargo.toml"].replace("orders", "latest-orders")
    assert [one[0] for one in short(found_in(tmp_path, files))] == ["G002"]
