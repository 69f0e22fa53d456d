"""A Rust project as a whole, the fixtures, and what source and library say together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import Code, Refused, Severity
from cloacina_ctl.manifest import Param, Retry, Task, Trigger
from cloacina_ctl.platforms.library import Library, LibraryGraph
from cloacina_ctl.project.model import (
    Config,
    ProjectLayout,
    SourceDependency,
    SourceTask,
    SourceWorkflow,
)
from cloacina_ctl.project.rust.project import merge_library, read_rust_project
from tests.support.projects import FIXTURES
from tests.support.trees import found, plant

if TYPE_CHECKING:
    from pathlib import Path

CARGO = '[package]\nname = "my-flow"\nversion = "1.2.3"\n'


def library(*graphs: LibraryGraph) -> Library:
    return Library("elf", "x86_64", "linux", "manylinux_2_17_x86_64", graphs=graphs)


def graph(*tasks: tuple[str, tuple[str, ...]], name: str | None = "w") -> LibraryGraph:
    return LibraryGraph(tasks, name=name, description="built", author="B", fingerprint="f" * 16)


def task(id_: str | None, *needs: str | None) -> SourceTask:
    dependencies = tuple(SourceDependency(need, str(need)) for need in needs)
    return SourceTask(id_, id_ or "f", f"src/lib.rs:{len(needs) + 1}", dependencies)


def workflow(*tasks: SourceTask, name: str | None = "w") -> SourceWorkflow:
    return SourceWorkflow(name, "src/lib.rs:1", tasks, description="said", author="A")


def test_reads_the_fixture_of_the_migration_guide() -> None:
    project = read_rust_project(os.path.join(FIXTURES, "rust_etl"), Config())
    assert project.layout is ProjectLayout.RUST
    assert project.package.name == "orders-etl"
    assert project.package.keywords == ("etl", "orders")
    assert project.rust is not None
    assert project.rust.package_macro == "src/lib.rs:7"
    assert project.rust.crate.cloacina_release == "=0.6.1"
    assert project.rust.crate.has_lock_file
    assert project.rust.syntax_problems == ()
    (flow,) = project.workflows
    assert [(t.id, t.function) for t in flow.tasks] == [
        ("load_orders", "load_orders"), ("check_orders", "check_orders"),
        ("total_orders", "total_orders"), ("report", "write_report"),
    ]  # fmt: skip
    assert flow.tasks[0].retry == Retry(5, "exponential", 200, 5000)
    assert flow.tasks[0].description == "Loads the orders of the day."


def test_reads_the_fixture_of_the_tutorial() -> None:
    project = read_rust_project(os.path.join(FIXTURES, "rust_tutorial"), Config())
    assert project.rust is not None
    assert project.rust.packaged_workflow
    assert project.rust.package_macro is None
    assert [len(flow.tasks) for flow in project.workflows] == [3]


def test_reads_the_broken_fixture_without_failing() -> None:
    facts = read_rust_project(os.path.join(FIXTURES, "broken_rust"), Config()).rust
    assert facts is not None
    assert facts.package_macro is None
    assert facts.configures_build == "build.rs:2"
    assert [problem.place for problem in facts.syntax_problems] == ["src/unfinished.rs:3"]
    assert [stray.id for stray in facts.stray_tasks] == ["stray"]
    assert not facts.crate.has_lock_file


def test_the_configuration_names_the_package_and_its_runtimes(tmp_path: Path) -> None:
    plant(tmp_path, {"Cargo.toml": CARGO})
    config = Config(name="other", version="2.0.0-rc.1", requires_cloacina=">=0.6")
    project = read_rust_project(str(tmp_path), config)
    assert project.package[:2] == ("other", "2.0.0-rc.1")
    assert project.requires is not None
    assert project.requires.cloacina == ">=0.6"
    assert project.workflows == ()


def test_a_version_that_no_package_may_have_is_refused_with_the_cure(tmp_path: Path) -> None:
    plant(tmp_path, {"Cargo.toml": '[package]\nname = "a"\nversion = "1.0"\n'})
    with pytest.raises(Refused) as error:
        read_rust_project(str(tmp_path), Config())
    assert found(error.value) == [(Code.PROJECT_VERSION, "Cargo.toml")]
    assert "[package.metadata.cloacina]" in (error.value.diagnostics[0].hint or "")


def test_names_the_file_that_tells_cargo_what_to_run(tmp_path: Path) -> None:
    plant(tmp_path, {"Cargo.toml": '[workspace]\nmembers = ["a"]\n', "a/Cargo.toml": CARGO})
    for name in ("rust-toolchain.toml", ".cargo/config.toml"):
        plant(tmp_path, {name: ""})
        facts = read_rust_project(str(tmp_path), Config(), "my-flow").rust
        assert facts is not None
        assert facts.cargo_configuration == os.path.join("..", name)


def test_the_library_says_what_runs_and_the_source_what_it_is() -> None:
    retry = Retry(attempts=7)
    first = task("b", "a", "a")._replace(
        description="Does b\u200b.", retry=retry, trigger_rules="all", function="bee"
    )
    source = workflow(first, task("a"))._replace(
        params=(Param("p", "u8"),), triggers=(Trigger("t", "cron", cron="* * * * *"),)
    )
    (merged,), problems = merge_library((source,), library(graph(("b", ("a",)), ("a", ()))))
    assert problems == ()
    assert merged.tasks == (
        Task("a", function="a", source="src/lib.rs:1"),
        Task("b", ("a",), "Does b.", "bee", "src/lib.rs:3", retry, trigger_rules="all"),
    )
    assert (merged.name, merged.description, merged.author) == ("w", "said", "A")
    assert merged.fingerprint == "f" * 16
    assert (merged.params, merged.triggers) == (source.params, source.triggers)


def test_the_source_names_a_workflow_that_the_library_does_not_name() -> None:
    (merged,), problems = merge_library(
        (workflow(task("a")),), library(graph(("a", ()), name=None))
    )
    assert merged.name == "w"
    assert problems == ()


def test_a_workflow_that_a_macro_writes_is_the_librarys_alone() -> None:
    (merged,), (problem,) = merge_library((), library(graph(("a", ()))))
    assert merged.tasks == (Task("a"),)
    assert (merged.description, merged.author) == ("built", "B")
    assert (problem.code, problem.severity) == (Code.SOURCE_DISAGREES, Severity.WARNING)


def test_a_workflow_without_a_name_anywhere_is_a_problem() -> None:
    merged, (problem,) = merge_library((), library(graph(("a", ()), name=None)))
    assert merged == ()
    assert problem.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("source", "built", "messages", "severity"),
    [
        (
            workflow(task("a"), name="v"), graph(("a", ())),
            ["the workflow is `v` in the source, `w` in the library"], Severity.ERROR,
        ),
        (
            workflow(task("a"), task("c")), graph(("a", ()), ("b", ())),
            [
                "the task `b` is in the library, the source does not show it",
                "the task `c` is in the source, not in the library",
            ],
            Severity.WARNING,
        ),
        (
            workflow(task("a"), task("b", "a")), graph(("a", ()), ("b", ())),
            ["the task `b` waits for `a` in the source, for nothing in the library"],
            Severity.ERROR,
        ),
        (
            workflow(task("a"), task("b")), graph(("a", ()), ("b", ("a",))),
            ["the task `b` waits for nothing in the source, for `a` in the library"],
            Severity.ERROR,
        ),
        (workflow(task("b", "elsewhere")), graph(("b", ())), [], Severity.ERROR),
        (workflow(task("b", "made")), graph(("b", ("made",))), [], Severity.ERROR),
        (workflow(task("a"), task("b", None)), graph(("a", ()), ("b", ("a",))), [], Severity.ERROR),
    ],
)  # fmt: skip
def test_names_where_source_and_library_disagree(
    source: SourceWorkflow, built: LibraryGraph, messages: list[str], severity: Severity
) -> None:
    _, problems = merge_library((source,), library(built))
    assert [problem.message for problem in problems] == messages
    for problem in problems:
        assert problem.code is Code.SOURCE_DISAGREES
        assert problem.severity is severity
        assert problem.where is not None


def test_two_workflows_in_one_crate_are_a_problem() -> None:
    """They compile into one with the tasks of both, the name of one, the graph of the other."""
    sources = (workflow(task("a"), name="v"), workflow(task("b")))
    merged, (problem,) = merge_library(
        sources, library(graph(("b", ())), graph(("a", ()), name="v"))
    )
    assert [flow.name for flow in merged] == ["v", "w"]
    assert problem.code is Code.SEVERAL_WORKFLOWS
    assert "`v`, `w`" in problem.message
    _, problems = merge_library(
        (), library(graph(("a", ()), name=None), graph(("b", ()), name=None))
    )
    assert problems[0].code is Code.SEVERAL_WORKFLOWS
    assert "several workflows in one crate: 2;" in problems[0].message


def test_a_library_without_a_workflow_disagrees_with_a_source_that_has_one() -> None:
    merged, (problem,) = merge_library((workflow(task("a")),), library())
    assert merged == ()
    assert problem.code is Code.SOURCE_DISAGREES
    assert merge_library((), library()) == ((), ())


def test_a_place_that_no_member_may_have_is_left_out() -> None:
    odd = task("a")._replace(place="src/a:b.rs:1")
    (merged,), _ = merge_library((workflow(odd),), library(graph(("a", ()))))
    assert merged.tasks[0].source is None
