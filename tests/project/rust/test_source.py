"""Tasks, workflows and triggers of Rust source, by its syntax tree alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.manifest import Param, Retry, Trigger
from cloacina_ctl.project.rust import source, syntax
from cloacina_ctl.project.rust.source import CrateSource, build_script_use, read_source
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

    from cloacina_ctl.project.model import SourceTask, SourceWorkflow
    from cloacina_ctl.project.rust.macro_uses import MacroArgument


def source_of(root: Path, lib: str, **files: str | bytes) -> CrateSource:
    named = {f"src/{name}": text for name, text in files.items()}
    plant(root, {"src/lib.rs": lib, **named})
    return read_source(str(root), "src/lib.rs", frozenset({"packaged"}))


def workflow_of(root: Path, inside: str, arguments: str = 'name = "w"') -> SourceWorkflow:
    found = source_of(root, f"#[workflow({arguments})]\npub mod w {{\n{inside}\n}}\n")
    assert found.syntax_problems == ()
    return found.workflows[0]


def task_of(root: Path, arguments: str) -> SourceTask:
    return workflow_of(root, f"#[task({arguments})]\npub async fn f() {{}}").tasks[0]


def test_reads_every_key_of_a_task(tmp_path: Path) -> None:
    task = task_of(
        tmp_path,
        """id = "load", dependencies = ["a", r"b",], retry_attempts = 1_0u32, // why
        retry_backoff = "fixed", retry_delay_ms = 0x10, retry_max_delay_ms = 2000,
        retry_condition = "transient", retry_jitter = false, on_success = crate::done::<u8, u8>,
        on_failure = |e| log(e, 1), invokes = computation_graph("g"), post_invocation = after,
        trigger_rules = all(  task_success("a, b"),
            /* not */ always)""",
    )
    assert task.id == "load"
    assert [need.id for need in task.dependencies] == ["a", "b"]
    assert task.retry == Retry(
        attempts=10, backoff="fixed", delay_ms=16, max_delay_ms=2000, jitter=False,
        condition="transient",
    )  # fmt: skip
    assert task.trigger_rules == 'all( task_success("a, b"), always)'
    assert task.unreadable_arguments == ()
    assert (task.function, task.place) == ("f", "src/lib.rs:9")
    assert (task.is_async, task.is_visible) == (True, True)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ('"gr\\u{f6}\\\n      ß"', '"größ"'), ('r#"a "b""#', '"a \\"b\\""'),
        ('"\\012"', '"\\u000012"'), ("0x1_fu8", "31"), ("5u64", "5"), ("1_0.5f64", "10.5"),
        ("1.0f32", "1.0"), ("1f32", "1f32"), ("1e3", "1000.0"),
        ("true", "true"), ("b\"a\"", "b\"a\""), ("'c'", "'c'"), ("LIMIT", "LIMIT"),
    ],
)  # fmt: skip
def test_a_rule_has_its_literals_as_every_reader_of_a_manifest_knows_them(
    tmp_path: Path, value: str, plain: str
) -> None:
    task = task_of(tmp_path, f'trigger_rules = context_value("k", equals, {value})')
    assert task.trigger_rules == f'context_value("k", equals, {plain})'


def test_a_closures_parameters_are_no_arguments(tmp_path: Path) -> None:
    more = "on_success = |id, c| done(id), on_failure = async move |_, _| (), "
    task = task_of(tmp_path, f'id = "a", {more} dependencies = ["b"], retry_attempts = 1 | 2')
    assert [need.id for need in task.dependencies] == ["b"]
    assert [use.name for use in source_of_task(tmp_path)] == [
        "id", "on_success", "on_failure", "dependencies", "retry_attempts"
    ]  # fmt: skip


def source_of_task(root: Path) -> tuple[MacroArgument, ...]:
    found = read_source(str(root), "src/lib.rs", frozenset())
    return next(use for use in found.code.uses if use.macro == "task").arguments


def test_an_id_is_optional_and_then_the_functions_name(tmp_path: Path) -> None:
    assert task_of(tmp_path, "dependencies = []").id == "f"
    assert workflow_of(tmp_path, "#[task]\npub async fn r#async() {}").tasks[0].id == "async"


def test_settings_that_are_left_out_are_those_of_the_macro(tmp_path: Path) -> None:
    assert task_of(tmp_path, "retry_attempts = 7").retry == Retry(attempts=7)
    assert task_of(tmp_path, "").retry is None


def test_a_stray_comma_or_operator_does_not_hurt(tmp_path: Path) -> None:
    task = task_of(tmp_path, ', id = "a",, retry_jitter = !true')
    assert task.id == "a"
    assert task.unreadable_arguments == ("retry_jitter",)


def test_values_that_only_the_compiler_knows_are_noted(tmp_path: Path) -> None:
    task = task_of(
        tmp_path,
        'id = NAME, dependencies = [A, "b"], retry_attempts = -1, retry_backoff = "spiral", '
        "retry_jitter = yes, retry_delay_ms = 99999999999999999999, colour = 1, retry_condition",
    )
    assert task.id is None
    assert [(need.id, need.text) for need in task.dependencies] == [(None, "A"), ("b", '"b"')]
    assert task.unreadable_arguments == (
        "id", "dependencies", "retry_attempts", "retry_delay_ms", "retry_condition",
        "retry_jitter", "retry_backoff",
    )  # fmt: skip
    assert task.retry == Retry()
    assert task_of(tmp_path, "dependencies = NEEDS").unreadable_arguments == ("dependencies",)
    assert task_of(tmp_path, "dependencies = NEEDS").dependencies == ()


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"plain"', "plain"),
        (r'"\n\r\t\0\\\'\""', "\n\r\t\0\\'\""),
        (r'"\x41\u{e9}\u{1F600}"', "Aé\U0001f600"),
        ('"a\\\n     b"', "ab"),
        ('"a\n b"', "a\n b"),
        ('r"a\\n"', "a\\n"),
        ('r#"a"b"#', 'a"b'),
        ('r##"a"#b"##', 'a"#b'),
        ('r#""#', ""),
        ('""', ""),
        ('b"a"', None),
        ('br"a"', None),
        (r'"\q"', None),
        (r'"\u{d800}"', None),
        (r'"\u{110000}"', None),
        (r'"\u{}"', None),
        ("1", None),
        ('"a" "b"', None),
    ],
)
def test_decodes_texts_as_the_compiler_does(
    tmp_path: Path, literal: str, value: str | None
) -> None:
    assert task_of(tmp_path, f"id = {literal}").id == value


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("9" * 41, None),
        ("true", None),
        ("0b11", 3),
        ("0o17", 15),
        ("010", 10),
        ("7usize", 7),
        ("0xFFu8", 255),
        ("1.5", None),
    ],
)
def test_reads_integers_in_every_base(tmp_path: Path, literal: str, value: int | None) -> None:
    retry = task_of(tmp_path, f"retry_attempts = {literal}").retry
    assert (retry.attempts if retry else None) == value


def test_the_first_line_of_the_documentation_is_the_description(tmp_path: Path) -> None:
    tasks = workflow_of(
        tmp_path,
        """
        // a comment
        /// First line.
        /// Second.
        #[task(id = "a")] pub async fn a() {}
        #[task(id = "b")]
        /**
         * In a block.
         */
        pub async fn b() {}
        #[doc = "By attribute."] #[task(id = "c")] pub async fn c() {}
        //// not documentation
        /// 
        #[task(id = "d")] #[doc(hidden)] pub async fn d() {}
        """,  # noqa: W291 - an empty line of documentation
    ).tasks
    assert [task.description for task in tasks] == [
        "First line.", "In a block.", "By attribute.", None,
    ]  # fmt: skip


def test_visibility_and_asyncness(tmp_path: Path) -> None:
    tasks = workflow_of(
        tmp_path,
        "#[task] pub(crate) async fn a() {}\n#[task] fn b() {}\n#[task] pub(self) unsafe fn c() {}",
    ).tasks
    assert [(t.is_visible, t.is_async) for t in tasks] == [
        (True, True), (False, False), (False, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("visibility", "is_visible"),
    [
        ("pub", True), ("pub(crate)", True), ("pub(super)", True), ("pub ( in  super )", True),
        ("pub(in crate::outer)", True), ("pub(in crate)", True), ("pub(in super::super)", True),
        ("", False), ("pub(self)", False), ("pub(in self)", False),
        ("pub(in crate::outer::flow)", False),
    ],
)  # fmt: skip
def test_what_can_be_named_outside_of_the_workflows_module(
    tmp_path: Path, visibility: str, is_visible: bool
) -> None:
    """Each of these was built, at all releases: see R008."""
    task = f"#[task]\n{visibility} async fn a() {{}}"
    text = f'mod outer {{ #[workflow(name = "w")] mod flow {{ {task} }} }}'
    (flow,) = source_of(tmp_path, text).workflows
    assert [task.is_visible for task in flow.tasks] == [is_visible]
    (flow,) = source_of(tmp_path, "mod outer;", **{"outer.rs": text[11:-1]}).workflows
    assert [task.is_visible for task in flow.tasks] == [is_visible]


def test_reads_a_workflow_with_its_parameters(tmp_path: Path) -> None:
    workflow = workflow_of(
        tmp_path,
        "",
        'name = "w", tenant = "t", description = "D", author = "", secrets(a), size = 1, '
        "params(day: String, map: HashMap<String, Vec<u8>> = HashMap::<String, u8>::new(), "
        "n: i64 = 1 + 2, bad)",
    )
    assert (workflow.name, workflow.description, workflow.author) == ("w", "D", None)
    assert workflow.params == (
        Param("day", "String"),
        Param("map", "HashMap<String, Vec<u8>>", "HashMap::<String, u8>::new()"),
        Param("n", "i64", "1 + 2"),
    )
    assert workflow.place == "src/lib.rs:2"


def test_a_workflow_without_readable_arguments_has_no_name(tmp_path: Path) -> None:
    assert workflow_of(tmp_path, "", "name = NAME, params = 1").name is None
    found = source_of(tmp_path, "#[workflow]\nmod w;\n")
    assert found.workflows[0].name is None


def test_packaged_workflow_is_the_macro_of_the_first_releases(tmp_path: Path) -> None:
    found = source_of(
        tmp_path,
        '#[cloacina::packaged_workflow(name = "w", package = "p")]\npub mod w { #[task(id="a")] '
        "pub fn a() {} }",
    )
    assert found.packaged_workflow
    assert found.workflows[0].tasks[0].id == "a"
    assert not source_of(tmp_path, '#[workflow(name = "w")] mod w {}').packaged_workflow


def test_only_tasks_directly_in_the_module_are_the_workflows(tmp_path: Path) -> None:
    """The macro looks at the functions of its module and no further."""
    found = source_of(
        tmp_path,
        """
        #[task(id = "outside")] pub fn outside() {}
        #[workflow(name = "w")] pub mod w {
            #[task(id = "in")] pub fn inside() {}
            pub fn plain() { #[task(id = "local")] fn local() {} }
            pub mod deeper { #[task(id = "deeper")] pub fn f() {} }
            macro_rules! m { () => { #[task(id = "macro")] fn g() {} } }
            // #[task(id = "comment")] fn h() {}
            const TEXT: &str = "#[task(id = \\"text\\")] fn i() {}";
            #[rtic::task(id = "other")] fn j() {}
            #[cloacina_workflow::task(id = "path")] pub fn k() {}
        }
        """,
    )
    assert [task.id for task in found.workflows[0].tasks] == ["in", "path"]
    assert [task.id for task in found.stray_tasks] == ["outside", "deeper"]


@pytest.mark.parametrize(
    ("cfg", "stands"),
    [
        ("test", False), ("false", False), ("true", True), ("all()", True), ("any()", False),
        ('feature = "packaged"', True), ('not(feature = "packaged")', False),
        ('feature = "maybe"', False), ('any(test, feature = "maybe")', False),
        ('any(unix, feature = "packaged")', True), ('all(feature = "packaged", unix)', None),
        ("all(unix, test)", False), ("any(test, not(test))", True), ("unix", None),
        ('not(target_os = "linux")', None), ("", None), ("odd(test), 1", None),
        ("odd(test)", None), ("feature = NAME", None), ("debug_assertions", None),
    ],
)  # fmt: skip
def test_cfg_decides_by_features_and_leaves_the_rest_uncertain(
    tmp_path: Path, cfg: str, stands: bool | None
) -> None:
    for text in (
        f'#[cfg({cfg})]\n#[workflow(name = "w")] mod w {{}}',
        f'#[workflow(name = "w")]\n#[cfg({cfg})] mod w {{}}',
        f'#[cfg_attr({cfg or "odd"}, workflow(name = "w"))] mod w {{}}',
        f'#[cfg({cfg})] mod inner {{ #[workflow(name = "w")] mod w {{}} }}',
        f'mod inner {{ #![cfg({cfg})] #[workflow(name = "w")] mod w {{}} }}',
        f'#![cfg({cfg})]\n#[workflow(name = "w")] mod w {{}}',
    ):
        found = source_of(tmp_path, text).workflows
        assert [flow.is_certain for flow in found] == ([] if stands is False else [stands is True])


def test_a_file_that_cfg_leaves_out_is_not_read_and_its_feature_is_named(tmp_path: Path) -> None:
    lib = """
    #[cfg(feature = "one")] mod one;
    #[cfg(all(feature = "two", not(feature = "packaged"), test))] mod absent;
    mod inner { #![cfg(feature = "three")] mod absent; }
    #[cfg(feature = "four")] const N: u8 = 4;
    """
    flow = '#[workflow(name = "w")] mod w { #[task(id = "a")] pub fn a() {} }'
    found = source_of(tmp_path, lib, **{"one.rs": flow})
    assert (found.workflows, found.syntax_problems) == ((), ())
    assert found.features_off == ("one", "three", "two")
    chosen = read_source(str(tmp_path), "src/lib.rs", frozenset({"packaged", "one"}))
    assert [flow.name for flow in chosen.workflows] == ["w"]


def test_the_macro_of_a_workflow_looks_at_its_tasks_before_cfg_does(tmp_path: Path) -> None:
    """Built at 0.3 to 0.12: what `cfg` leaves out is named all the same, `cfg_attr` hides."""
    found = source_of(
        tmp_path,
        """
        #[cfg_attr(feature = "packaged", cloacina_workflow::workflow(name = "w"), doc = "D")]
        pub mod w {
            #[task(id = "a")] #[cfg_attr(all(), doc = "Said.")] pub fn a() {}
            #[cfg_attr(all(), task(id = "b"))] pub fn b() {}
            #[cfg(feature = "maybe")] #[task(id = "c")] pub fn c() {}
            #[cfg(feature = "packaged")] #[task(id = "d")] pub fn d() {}
            #[cfg(unix)] #[task(id = "e")] pub fn e() {}
            #[cfg(windows)] #[task(id = "e")] pub fn e() {}
            #[cfg_attr(test, task(id = "g"))] pub fn g() {}
            #[cfg_attr()] #[cfg_attr] pub fn h() {}
        }
        #[cfg(test)] #[task(id = "stray")] pub fn stray() {}
        """,
    )
    tasks = found.workflows[0].tasks
    assert [(task.id, task.is_certain) for task in tasks] == [
        ("a", True), ("c", False), ("d", True), ("e", False), ("e", False),
    ]  # fmt: skip
    assert tasks[0].description == "Said."
    assert found.stray_tasks == ()


def test_a_constructor_is_a_task(tmp_path: Path) -> None:
    tasks = workflow_of(
        tmp_path,
        """
        constructor!(id = "fetch", from = "p@1", constructor = "http", dependencies = ["a"],
                     config = { url = "x, y" }, grants = { http = ["h"] }, runtime = "wasm");
        constructor! { id = NAME, size = 1 }
        other!(id = "no");
        """,
    ).tasks
    assert [(task.id, task.function) for task in tasks] == [
        ("fetch", "constructor!"), (None, "constructor!"),
    ]  # fmt: skip
    assert [need.id for need in tasks[0].dependencies] == ["a"]
    assert tasks[1].unreadable_arguments == ("id",)
    assert source_of(tmp_path, 'constructor!(id = "x");').workflows == ()


def test_triggers_belong_to_the_workflow_that_they_name_or_that_names_them(tmp_path: Path) -> None:
    found = source_of(
        tmp_path,
        """
        #[trigger(on = "w", cron = "0 0 * * *", timezone = "Europe/Berlin", name = "nightly")]
        async fn at_night() {}
        #[trigger(on = "v", poll_interval = "500ms", allow_concurrent = true)]
        async fn watch() {}
        #[trigger(on = "v", poll_interval = "2h")] async fn other() {}
        #[workflow(name = "w", triggers = ["watch", NAME])] pub mod w {}
        """,
    )
    assert found.workflows[0].triggers == (
        Trigger("nightly", "cron", cron="0 0 * * *", timezone="Europe/Berlin"),
        Trigger("watch", "poll", poll_interval_ms=500, allow_concurrent=True),
    )


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("cloacina_workflow_plugin::package!();", "src/lib.rs:1"),
        ("\n::cloacina_workflow_plugin::package! {}", "src/lib.rs:2"),
        ("use cloacina_workflow_plugin::package;\npackage!();", "src/lib.rs:2"),
        ("mod a { mod b {\n cloacina_workflow_plugin::package!(); } }", "src/lib.rs:2"),
        ('#[cfg(feature = "packaged")]\ncloacina_workflow_plugin::package!();', "src/lib.rs:2"),
        ("#[cfg(test)]\ncloacina_workflow_plugin::package!();", None),
        ("// cloacina_workflow_plugin::package!();", None),
        ("/* cloacina_workflow_plugin::package!(); */", None),
        ('const A: &str = "package!();";', None),
        ("#[cfg(test)] mod tests { cloacina_workflow_plugin::package!(); }", None),
        ("packages!(); fn package() {}", None),
    ],
)
def test_finds_the_package_macro_in_code_alone(
    tmp_path: Path, code: str, place: str | None
) -> None:
    assert source_of(tmp_path, code).package_macro == place


def test_follows_modules_as_the_compiler_does(tmp_path: Path) -> None:
    def marked(name: str, more: str = "") -> str:
        return f'{more}\n#[task(id = "{name}")] pub fn f() {{}}\n'

    found = source_of(
        tmp_path,
        'mod flat; pub mod nested; #[path = "odd/named.rs"] mod odd; mod inline { mod inner; '
        '#[path = "up.rs"] mod up; } #[cfg(windows)] mod absent; mod flat_again { }',
        **{
            "flat.rs": marked("flat", 'mod child; mod here { #[path = "side.rs"] mod side; }'),
            "flat/child.rs": marked("child"),
            "flat/here/side.rs": marked("side"),
            "nested/mod.rs": marked("nested", "mod child;"),
            "nested/child.rs": marked("nested-child"),
            "odd/named.rs": marked("odd", "mod beside;"),
            "odd/beside.rs": marked("beside"),
            "inline/inner.rs": marked("inner"),
            "inline/up.rs": marked("up"),
            "unused.rs": marked("unused"),
        },
    )
    assert found.syntax_problems == ()
    assert {task.id: task.place for task in found.stray_tasks} == {
        "flat": "src/flat.rs:2", "child": "src/flat/child.rs:2", "side": "src/flat/here/side.rs:2",
        "nested": "src/nested/mod.rs:2", "nested-child": "src/nested/child.rs:2",
        "odd": "src/odd/named.rs:2", "beside": "src/odd/beside.rs:2",
        "inner": "src/inline/inner.rs:2", "up": "src/inline/up.rs:2",
    }  # fmt: skip


def test_a_workflow_may_stand_in_a_module_of_its_own_file(tmp_path: Path) -> None:
    flow = '#[workflow(name = "w")]\npub mod w {\n#[task] pub async fn a() {} }'
    found = source_of(tmp_path, "mod flow;", **{"flow.rs": flow})
    assert found.workflows[0].place == "src/flow.rs:2"
    assert found.workflows[0].tasks[0].place == "src/flow.rs:3"


@pytest.mark.parametrize(
    ("lib", "files"),
    [
        ('#[path = "far"] mod a { mod b; #[path = "d.rs"] mod c; }', ("far/b.rs", "far/d.rs")),
        ('#[cfg_attr(windows, path = "w.rs")] #[cfg_attr(unix, path = "u.rs")] mod a;', ("u.rs",)),
        ('#[cfg_attr(windows, path = "w.rs")] mod a;', ("a.rs",)),
        ('#[cfg(windows)] #[path = "w.rs"] mod a;', ()),
        ("#[cfg(windows)] mod a { mod b; }", ()),
    ],
)
def test_looks_for_the_file_of_a_module_where_the_compiler_does(
    tmp_path: Path, lib: str, files: tuple[str, ...]
) -> None:
    found = source_of(tmp_path, lib, **dict.fromkeys(files, "#[task] pub fn f() {}"))
    assert found.syntax_problems == ()
    assert {task.place for task in found.stray_tasks} == {f"src/{name}:1" for name in files}


@pytest.mark.parametrize(
    ("lib", "files", "problem"),
    [
        ('#[cfg_attr(windows, path = "w.rs")] mod a;', {}, "no file for the module: a"),
        ("mod a;", {"a.rs": "", "a/mod.rs": ""},
         "two files for the module: src/a.rs and src/a/mod.rs"),
        ("mod a;", {"a.rs": b"// caf\xe9"}, "not UTF-8"),
        ('#[cfg(feature = "packaged")] mod a;', {}, "no file for the module: a"),
    ],
)  # fmt: skip
def test_says_of_a_module_what_the_compiler_says(
    tmp_path: Path, lib: str, files: dict[str, str | bytes], problem: str
) -> None:
    found = source_of(tmp_path, lib, **files)
    assert [one.message for one in found.syntax_problems] == [problem]


def test_what_a_platform_reads_is_read_by_some_builds_alone(tmp_path: Path) -> None:
    lib = "#[cfg(windows)] mod a;\nmod b;"
    found = source_of(tmp_path, lib, **{"a.rs": 'include!("c.rs");', "b.rs": ""})
    certain = {read.path: read.is_certain for read in found.reads}
    assert certain == {
        "src/lib.rs": True, "src/a.rs": False, "src/c.rs": False, "src/b.rs": True
    }  # fmt: skip


def test_modules_that_name_each_other_are_read_once(tmp_path: Path) -> None:
    loop = '#[path = "lib.rs"] mod top; #[path = "a.rs"] mod again; #[task] pub fn a() {}'
    found = source_of(tmp_path, "mod a;", **{"a.rs": loop})
    assert len(found.stray_tasks) == 1


@pytest.mark.parametrize(
    "path", ["../../outside.rs", "/etc/hostname", "link.rs", "linked/inner.rs", "../../a/../x.rs"]
)
def test_reads_no_file_outside_of_the_crate(tmp_path: Path, path: str) -> None:
    root = tmp_path / "crate"
    plant(
        tmp_path, {"outside.rs": "#[task] pub fn a() {}", "far/inner.rs": "#[task] pub fn a() {}"}
    )
    plant(root, {"src/lib.rs": ""})
    (root / "src" / "link.rs").symlink_to(tmp_path / "outside.rs")
    (root / "src" / "linked").symlink_to(tmp_path / "far")
    found = source_of(root, f'\n#[path = "{path}"] mod a;')
    assert found.stray_tasks == ()
    assert found.reads[-1].place == "src/lib.rs:2"
    if "link" in path:
        assert found.syntax_problems[0].place == "src/lib.rs:2"
        assert found.syntax_problems[0].message.startswith("outside of the crate, not read: ")
    else:  # the compiler reads it all the same, and it is no fault of the source
        assert found.syntax_problems == ()


def test_says_which_files_are_missing_or_no_files(tmp_path: Path) -> None:
    plant(tmp_path, {"src/folder.rs/": ""})
    os.mkfifo(tmp_path / "src" / "pipe.rs")
    found = source_of(
        tmp_path,
        'mod gone;\nmod folder;\nmod pipe;\n#[path = "no.rs"] mod no;\n#[path] mod x;'
        '\n#[path = "\\0"] mod nul;',
    )
    assert [(problem.place, problem.message) for problem in found.syntax_problems] == [
        ("src/lib.rs:1", "no file for the module: gone"),
        ("src/lib.rs:2", "not a regular file: src/folder.rs"),
        ("src/lib.rs:3", "not a regular file: src/pipe.rs"),
        ("src/lib.rs:4", "no such file or directory: src/no.rs"),
        ("src/lib.rs:5", "not a regular file: src"),
        ("src/lib.rs:6", "no such file or directory: src/\ufffd"),
    ]


def test_a_file_that_is_no_rust_is_named_and_the_others_still_count(tmp_path: Path) -> None:
    found = source_of(
        tmp_path, "mod a;\n#[task] pub fn b() {}", **{"a.rs": "\npub fn half(", "c.rs": ""}
    )
    assert [problem.place for problem in found.syntax_problems] == ["src/a.rs:2"]
    assert [task.id for task in found.stray_tasks] == ["b"]


def test_what_the_grammar_does_not_know_inside_of_a_function_is_no_problem(tmp_path: Path) -> None:
    code = 'unsafe extern "C" { safe fn a(); }\nimpl const A for B {}\nfn f() { let = ; }'
    assert source_of(tmp_path, code).syntax_problems == ()


def test_a_missing_delimiter_is_a_problem(tmp_path: Path) -> None:
    assert source_of(tmp_path, "mod a { pub fn f() {}").syntax_problems != ()


def test_bytes_that_are_no_text_do_not_hurt(tmp_path: Path) -> None:
    lib = b'#[task(id = "\xff")] pub fn a() {}\n\x00'
    plant(tmp_path, {"src/lib.rs": lib})
    assert read_source(str(tmp_path), "src/lib.rs", frozenset()).stray_tasks[0].id == "�"


def test_bounds_files_bytes_time_and_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "mod a {" * 70 + "}" * 70
    found = source_of(tmp_path, deep)
    assert found.syntax_problems[0].message == "modules more than 64 deep"
    monkeypatch.setattr(source, "MAX_FILES", 2)
    found = source_of(tmp_path, "mod a; mod b;", **{"a.rs": "", "b.rs": ""})
    assert found.syntax_problems[0].message == "more than 2 files, not read: src/b.rs"
    monkeypatch.setattr(source, "MAX_TOTAL_BYTES", 10)
    found = source_of(tmp_path, "mod abcdefgh;")
    assert found.syntax_problems[0].message == "too much source to read: src/lib.rs"
    monkeypatch.undo()
    found = source_of(tmp_path, "a" * (syntax.MAX_SOURCE_BYTES + 1))
    assert found.syntax_problems[0].message == "too much source to read: src/lib.rs"


def test_a_file_that_takes_long_to_parse_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open quotation mark makes the parser look for its end, again and again."""
    monkeypatch.setattr(source, "MAX_PARSE_SECONDS", 0.2)
    found = source_of(tmp_path, "mod a; mod b;", **{"a.rs": '"' * 500_000, "b.rs": ""})
    assert [problem.message for problem in found.syntax_problems] == [
        "takes too long to parse: src/a.rs", "takes too long to parse: src/b.rs",
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["(", "#[", "mod a {", "a<", "/*", "fn f() {", "x::<", "'", "|"])
def test_nesting_without_end_is_a_finding_and_not_a_crash(tmp_path: Path, code: str) -> None:
    source_of(tmp_path, code * (100_000 // len(code)))


@pytest.mark.slow
@pytest.mark.parametrize("code", ['include!("a");', '#[doc = include_str!("a")]', "concat!("])
def test_many_files_that_are_compiled_in_take_a_look_each(tmp_path: Path, code: str) -> None:
    """Of the first two there are thousands, and the third is as deep."""
    lib = code * 8_000 + ('include!("a"' + ")" * 8_001 + ";" if code.endswith("(") else "")
    assert {read.path for read in source_of(tmp_path, lib).reads} == {"src/lib.rs", "src/a"}


@pytest.mark.parametrize("code", ["#[]", "#[=]", "#[()]", "#[", "#[cfg_attr(x, =)]", "#[::]"])
def test_an_attribute_that_is_none_does_not_hurt(tmp_path: Path, code: str) -> None:
    source_of(tmp_path, f"{code} mod a {{ {code} fn b() {{}} }}")


def test_deep_groups_in_an_attribute_do_not_recurse(tmp_path: Path) -> None:
    depth = 20_000
    rules = "all(" * depth + ")" * depth
    task = task_of(tmp_path, f"trigger_rules = {rules}")
    assert task.trigger_rules == rules
    found = source_of(tmp_path, f"#[cfg({'not(' * depth}test{')' * depth})] #[task] fn a() {{}}")
    assert len(found.stray_tasks) == 1


def test_a_nested_workflow_keeps_its_own_tasks(tmp_path: Path) -> None:
    found = source_of(
        tmp_path,
        '#[workflow(name = "a")] mod a { #[task] fn x() {} #[workflow(name = "b")] mod b '
        "{ #[task] fn y() {} } #[task] fn z() {} }",
    )
    tasks = {workflow.name: [task.id for task in workflow.tasks] for workflow in found.workflows}
    assert tasks == {"a": ["x", "z"], "b": ["y"]}


@pytest.mark.parametrize(
    ("script", "place"),
    [
        ("fn main() {\n cloacina_build::configure();\n}", "build.rs:2"),
        ("use cloacina_build::configure;\nfn main() { configure(); }", "build.rs:1"),
        ("use cloacina_build::*;\n", "build.rs:1"),
        ("use cloacina_build::{configure};\n", "build.rs:1"),
        ("// cloacina_build::configure();\nfn main() { other::configure(); }", None),
    ],
)
def test_finds_what_a_build_script_uses(tmp_path: Path, script: str, place: str | None) -> None:
    plant(tmp_path, {"build.rs": script})
    assert build_script_use(str(tmp_path), "build.rs", "cloacina_build") == place


def test_a_build_script_that_cannot_be_read_uses_nothing(tmp_path: Path) -> None:
    assert build_script_use(str(tmp_path), "build.rs", "cloacina_build") is None
