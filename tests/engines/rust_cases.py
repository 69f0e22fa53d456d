"""Small crates that the macros of Cloacina take or refuse, each with the finding it must get.

One table, read twice: `tests/checks/test_rust_rules.py` asks the rules, for every release, and
`test_rust_rules.py` beside this file asks rustc, for some. A case says in which releases it is
refused; in the others it builds, and nothing is found.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.engines.crates import ALL, dependencies, minor

NEWEST = 99


class Case(NamedTuple):
    """One crate: the text in the workflow's module and around it, and its finding.

    It is there from release 0.``first`` to 0.``last``, and refused from ``since`` to ``until``.
    ``builds`` is true where rustc takes what we refuse. ``files`` are more files, ``without`` names
    dependencies that are taken away, ``more`` adds some. ``also`` are findings beside its own.
    """

    name: str
    code: str = ""
    inside: str = ""
    around: str = ""
    since: int = 0
    until: int = NEWEST
    first: int = 4
    last: int = NEWEST
    workflow: str = 'name = "flow"'
    builds: bool = False
    body: str = "mod flow { use super::*; %s }"
    without: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    package: int = 1
    also: tuple[str, ...] = ()

    def is_refused(self, release: str) -> bool:
        """Tell whether it has its finding in that release."""
        return bool(self.code) and self.since <= minor(release) <= self.until


def task(arguments: str = "", signature: str = "", name: str = "b") -> str:
    """Return a task; ``signature`` is what stands behind its name."""
    signature = signature or "(context: &mut Context<Value>) -> Result<(), TaskError>"
    end = "Ok(())" if "->" in signature else ""
    line = f'id = "{name}"' + (f", {arguments}" if arguments else "")
    return f"#[task({line})] pub async fn {name}{signature} {{ {end} }}\n"


GOOD = task(name="a")
RULE = "trigger_rules = {}".format
CONTEXT = "context: &mut Context<Value>"
ALIAS = "type Result<T> = std::result::Result<T, TaskError>;"
PLAIN = GOOD.replace("Result<(", "std::result::Result<(")


def trigger(arguments: str) -> str:
    """Return a trigger that polls."""
    head = f"#[cloacina_workflow::trigger({arguments})] pub async fn poll()"
    said = "Result<cloacina_workflow::TriggerResult, cloacina_workflow::TriggerError>"
    return f"{head} -> {said} {{ Ok(cloacina_workflow::TriggerResult::Skip) }}\n"


CASES = (
    # what is right
    Case("plain", inside=GOOD, first=2),
    Case("names_of_the_context", inside=GOOD
         + task(signature="(_context: &mut Context<Value>) -> Result<(), TaskError>")
         + task(signature="(contextual: &Context<Value>) -> Result<(), String>", name="c")
         + task(signature="(mut context: &mut Context<Value>) -> Result<(), TaskError>", name="d")),
    Case("every_argument", inside=GOOD + task(
        'dependencies = ["a",], retry_attempts = -1, retry_backoff = "spiral", '
        "retry_delay_ms = 0x10, retry_jitter = true, retry_condition = r\"transient\", "
        'trigger_rules = any(task_success("a"), context_value("k", equals, 1.5),)')),
    Case("two_arguments_of_result", around="type Result<T, E = TaskError> = "
         "std::result::Result<T, E>;", inside=GOOD),
    Case("only_for_the_crate", inside=GOOD.replace("pub async", "pub(super) async")),
    Case("cron", around=trigger('on = "flow", cron = "*/5 0-9 1,2 * *"'), inside=GOOD, first=6),
    Case("poll", around=trigger('on = "flow", poll_interval = " 5m "'), inside=GOOD, first=6),
    Case("either_of_two", around='#[cfg(feature = "x")] cloacina_workflow_plugin::package!();'
         '#[cfg(not(feature = "x"))] cloacina_workflow_plugin::package!();', inside=GOOD,
         first=6, package=0),
    Case("own_modules", around="mod tokio { pub fn f() {} } pub fn g() { tokio::f(); }",
         inside=GOOD, first=6),
    # the task's function
    Case("context_by_another_name", "R034", task(signature="(c: &mut Context<Value>) -> "
         "Result<(), TaskError>"), first=2),
    Case("context_by_value", "R034", task(signature="(context: Context<Value>) -> "
         "Result<(), TaskError>")),
    Case("more_than_the_context", "R034", task(signature=f"({CONTEXT}, n: u8) -> "
         "Result<(), TaskError>")),
    Case("returns_nothing", "R034", task(signature=f"({CONTEXT})")),
    Case("not_async", "R034", GOOD.replace("async ", ""), until=5),
    Case("without_id", "R032", GOOD.replace('id = "a"', "dependencies = []"), until=7),
    Case("bare", "R032", GOOD + task().replace('(id = "b")', ""), until=7),
    Case("on_a_struct", "R033", GOOD + '#[task(id = "s")] pub struct S;'),
    # its arguments
    Case("unknown_argument", "R016", GOOD + task("retries = 3"), first=2),
    Case("unquoted_id", "R032", GOOD + task().replace('"b"', "B")),
    Case("dependency_that_is_no_text", "R032", GOOD + task("dependencies = [a]")),
    Case("too_many_attempts", "R032", GOOD + task("retry_attempts = 3_000_000_000")),
    Case("attempts_as_text", "R032", GOOD + task('retry_attempts = "3"')),
    Case("jitter_as_word", "R032", GOOD + task("retry_jitter = yes")),
    Case("two_commas", "R032", GOOD + task(", retry_attempts = 1")),
    Case("graph_without_quotes", "R032", GOOD + task("invokes = computation_graph(g)"), first=6,
         also=("R043",)),
    Case("after_without_graph", "R032", GOOD + task("post_invocation = f"), first=6),
    Case("graph_before_its_time", "R016", GOOD + task('invokes = computation_graph("g")'),
         last=5),
    Case("graph_of_the_engine", "R043", GOOD + task('invokes = computation_graph("g")'),
         first=6, until=9),
    # its trigger rule
    *(Case(f"rule_{number}", "R035", GOOD + task(RULE(rule))) for number, rule in enumerate((
        "never", 'all(any(task_success("a")))', "all(always)", 'task_done("a")',
        'task_success("a", "b")', "task_failed(a)", 'context_value("k", equals)',
        'context_value("k", is, 1)', 'context_value("k", less_than, -1)', '"always"',
        "rules::always"))),
    # its place
    Case("by_its_path", "R037", GOOD + task().replace("task(", "cloacina_workflow::task("),
         builds=True),
    Case("by_another_name", "R037", GOOD + task().replace("task(", "step("), builds=True,
         around="use cloacina_workflow::task as step;"),
    Case("behind_cfg_attr", "R037", GOOD + task().replace("task(id", "cfg_attr(all(), task(id")
         .replace('"b")', '"b"))'), builds=True),
    Case("only_for_tests", "R037", GOOD + "#[cfg(test)]" + task()),
    Case("outside", "R017", GOOD, around=task(), builds=True),
    Case("in_a_module_of_the_workflow", "R017", GOOD + f"mod inner {{ use super::*; {task()} }}",
         builds=True),
    Case("no_task_at_all", "R033", "fn f() {}"),
    Case("in_a_file", "R033", body="mod flow;", files=(("flow.rs", f"use super::*; {GOOD}"),)),
    Case("id_of_another_workflow", "R038", GOOD, around='#[workflow(name = "two")] pub mod two '
         f"{{ use super::*; {GOOD.replace('fn a', 'fn c')} }}", also=("R009",)),
    Case("id_of_a_stray_task", "R038", GOOD, around=GOOD.replace("fn a", "fn c"), also=("R017",)),
    Case("unknown_dependency", "G002", GOOD + task('dependencies = ["nobody"]')),
    Case("cycle", "G003", task('dependencies = ["c"]') + task('dependencies = ["b"]', name="c")),
    # the workflow
    Case("nameless", "R032", GOOD, workflow='description = "x"'),
    Case("name_as_word", "R032", GOOD, workflow="name = flow"),
    Case("unknown_key", "R016", GOOD, workflow='name = "flow", colour = "blue"', first=2),
    Case("package_in_workflow", "R016", GOOD, workflow='name = "flow", package = "p"'),
    Case("params_before_their_time", "R016", GOOD, workflow='name = "flow", params(n: i64 = 1)',
         until=8),
    Case("two_params_of_a_name", "R032", GOOD, workflow='name = "flow", params(n: i64, n: i64)',
         first=9),
    Case("secrets_before_their_time", "R016", GOOD, workflow='name = "flow", secrets(n)',
         until=9),
    Case("param_and_secret", "R032", GOOD, workflow='name = "flow", params(n: i64), secrets(n)',
         first=10),
    Case("triggers_before_their_time", "R016", GOOD, workflow='name = "flow", triggers = ["t"]',
         until=5),
    Case("on_a_function", "R033", GOOD, around='#[workflow(name = "f")] pub fn f() {}'),
    # constructors
    Case("unknown_grant", "R032", GOOD + 'constructor!(id = "c", from = "p", constructor = "x", '
         'grants = { web = ["*"] });', first=10),
    Case("constructor_from_nowhere", "R032", GOOD + 'constructor!(id = "c", constructor = "x");',
         first=10),
    # triggers
    *(Case(f"trigger_{number}", code, GOOD, around=trigger(said), first=6)
      for number, (code, said) in enumerate((
          ("R036", 'on = "flow"'),
          ("R036", 'on = "flow", poll_interval = "1s", cron = "* * * * *"'),
          ("R032", 'poll_interval = "1s"'), ("R036", 'on = "flow", poll_interval = "1 day"'),
          ("R036", 'on = "flow", cron = "* * * *"'), ("R036", 'on = "flow", cron = "* * * * MON"'),
          ("R016", 'on = "flow", poll_interval = "1s", every = "2s"'),
          ("R032", 'on = "flow", poll_interval = 5'),
          ("R032", 'on = "flow", poll_interval = "1s", allow_concurrent = 1')))),
    # the crate
    Case("package_twice", "R039", GOOD, first=6, package=2),
    Case("package_in_two_modules", "R039", GOOD, first=6,
         around="mod other { cloacina_workflow_plugin::package!(); }"),
    Case("package_before_its_time", "R043", GOOD, last=5, package=1, until=5),
    Case("one_argument_of_result", "R040", PLAIN, around=ALIAS),
    Case("result_of_io", "R040", "use std::io::Result;" + PLAIN),
    Case("crate_of_the_macros", "R013", GOOD, without=("chrono",), until=9),
    Case("graph_crate_of_another_release", "R030", GOOD, without=("cloacina-computation-graph",),
         more=('cloacina-computation-graph = "=0.11.1"',), first=6, last=9),
    Case("graph_crate_of_another_release_unused", inside=GOOD,
         without=("cloacina-computation-graph",),
         more=('cloacina-computation-graph = "=0.9.0"',), first=10),
    Case("plugin_of_another_release", "R030", GOOD, without=("cloacina-workflow-plugin",),
         more=('cloacina-workflow-plugin = "=0.7.0"',), first=8),
    Case("graph_crate", "R013", GOOD, without=("cloacina-computation-graph",), since=6, until=9),
    Case("graph_crate_of_a_task", "R013", GOOD + task('invokes = computation_graph("g")'),
         without=("cloacina-computation-graph",), first=10),
    Case("crate_of_a_task", "R042", GOOD.replace("Ok(())", "tokio::task::yield_now().await; "
         "Ok(())"), first=6),
    Case("crate_in_a_format", "R042", GOOD.replace("Ok(())", 'println!("{}", uuid::Uuid::nil()); '
         "Ok(())"), first=6),
    Case("engine_by_its_path", "R042", GOOD.replace("TaskError>", "cloacina::TaskError>")),
    Case("new_method", "R043", GOOD.replace("Ok(())", 'let n: u8 = context.get_required("n")?; '
         "let _ = n; Ok(())"), until=7),
    Case("handle_of_the_engine", "R043", task(signature=f"({CONTEXT}, handle: &mut TaskHandle) -> "
         "Result<(), TaskError>"), around="use cloacina_workflow_plugin::TaskHandle;", first=6,
         until=10),
)  # fmt: skip


# What is said below rustc's own words, where it refuses these.
EXPLAINED = {
    "context_by_another_name": "write `context: &mut",
    "crate_of_a_task": "run `cargo add tokio@1`",
    "crate_of_the_macros": "run `cargo add chrono@0.4`",
    "engine_by_its_path": "write `cloacina_workflow` instead of it",
    "graph_crate": "run `cargo add cloacina-computation-graph@",
    "graph_crate_of_another_release": "name one release of all crates of Cloacina",
    "graph_of_the_engine": "invokes a graph (from 0.10 on)",
    "handle_of_the_engine": "packages have a `TaskHandle` only from 0.11 on",
    "id_of_a_stray_task": "the id `a` is twice in the crate",
    "in_a_file": "a macro is on a module in a file of its own",
    "new_method": "`Context::get_required` exists from 0.8 on",
    "no_task_at_all": "the workflow's macro sees no task",
    "one_argument_of_result": "a `Result` with fewer than two arguments",
    "package_before_its_time": "`package!()` exists from 0.6 on",
    "package_in_workflow": "`package` is an argument of 0.2 and 0.3",
    "package_in_two_modules": "`package!()` is used twice",
    "package_twice": "`package!()` is used twice",
    "plugin_of_another_release": "name one release of all crates of Cloacina",
}


def named(name: str) -> Case:
    """Return the case of that name."""
    return next(case for case in CASES if case.name == name)


def changes(case: Case) -> bool:
    """Tell whether a case is not the same in all releases from 0.4 on."""
    return (case.since, case.until, case.first, case.last) != (0, NEWEST, 4, NEWEST)


def releases_of(case: Case) -> tuple[str, ...]:
    """Return the releases in which a case is there."""
    return tuple(one for one in ALL if case.first <= minor(one) <= case.last)


def files_of(case: Case, release: str) -> dict[str, str]:
    """Return the crate of the case, written for ``release``."""
    old = minor(release) < 4
    uses = "cloacina::{packaged_workflow, task" if old else "cloacina_workflow::{task, workflow"
    package = case.package if minor(release) >= 6 or case.code == "R043" else 0
    arguments = f'{case.workflow}, package = "p"' if old else case.workflow
    lines = [
        f"use {uses}, Context, TaskError}};",
        "use serde_json::Value;",
        *["cloacina_workflow_plugin::package!();"] * package,
        case.around,
        f"#[{'packaged_workflow' if old else 'workflow'}({arguments})]",
        "pub " + (case.body % case.inside if "%" in case.body else case.body),
    ]
    return {
        "Cargo.toml": manifest(case, release),
        "src/lib.rs": "\n".join(lines) + "\n",
        **{f"src/{path}": text for path, text in case.files},
    }


def manifest(case: Case, release: str) -> str:
    """Return the Cargo.toml of a case, a member of a workspace."""
    name = f"{case.name.replace('_', '-')}-{release.replace('.', '-')}"
    needed = [line for line in dependencies(release) if line.split(" = ")[0] not in case.without]
    return "\n".join(
        [
            "[package]", f'name = "{name}"', 'version = "1.0.0"', 'edition = "2021"',
            "[features]", 'default = ["packaged"]', "packaged = []", "x = []",
            "[lib]", 'crate-type = ["cdylib"]',
            "[dependencies]", *needed, *case.more, "",
        ]
    )  # fmt: skip
