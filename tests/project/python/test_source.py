from __future__ import annotations

import ast

import pytest

from cloacina_ctl.errors import Code
from cloacina_ctl.manifest import Retry, Trigger
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.model import SourceDependency
from cloacina_ctl.project.package_toml import resolved_package_toml
from cloacina_ctl.project.python.source import ModuleSource, read_module
from cloacina_ctl.project.python.syntax import parse_on_large_stack
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.project.workflows import plain_text, to_manifest
from cloacina_ctl.toml import parse_toml
from tests.support.trees import PYPROJECT, TASK, TREE, plant, tree


def read(source: str) -> ModuleSource:
    return read_module(source.encode(), "m.py")


def task(decorator: str, head: str = "import cloaca", name: str = "f"):
    (found,) = read(f"{head}\n{decorator}\ndef {name}(context):\n    pass\n").tasks
    return found


@pytest.mark.parametrize(
    ("head", "decorator"),
    [
        ("import cloaca", "@cloaca.task()"),
        ("import cloaca as c", "@c.task()"),
        ("from cloaca import task", "@task()"),
        ("from cloaca import task as t", "@t()"),
        ("from cloaca import *", "@task()"),
        ("import cloaca; step = cloaca.task", "@step()"),
        ("try:\n    import cloaca\nexcept ImportError:\n    cloaca = None", "@cloaca.task()"),
    ],
)
def test_an_id_defaults_to_the_name_of_the_function_in_every_spelling(head, decorator):
    assert task(decorator, head).id == "f"


def test_what_a_server_makes_of_a_provider_is_a_task(tmp_path):
    made = 'cloaca.constructor(id="fetch", from_="p@1", constructor="read", dependencies=["a"])\n'
    source = f"import cloaca\n{made}node = cloaca.constructor(id=NAME)\n"
    assert [(one.id, one.function, one.unreadable_arguments) for one in read(source).tasks] == [
        ("fetch", "constructor!", ()), (None, "constructor!", ("id",)),
    ]  # fmt: skip
    after = '@cloaca.task(id="a")\ndef a(c):\n    return c\n@cloaca.task(dependencies=["fetch"])\n'
    source = f"import cloaca\n{made}{after}def b(c):\n    return c\n"
    files = {"pyproject.toml": PYPROJECT, "src/demo/__init__.py": "", "src/demo/tasks.py": source}
    assert validate(str(plant(tmp_path, files))).report.findings == ()
    packed = str(package(PackageRequest(str(tmp_path), str(tmp_path / "a.cloacina"))).path)
    assert [one.code for one in validate(packed).report.findings] == [Code.UNSIGNED]


def test_a_decorator_of_something_else_is_no_task():
    assert read("import celery\n@celery.task()\ndef f(): pass\n").tasks == ()


def test_a_dependency_is_a_text_or_the_name_of_a_function_not_its_id():
    source = (
        "import cloaca\nfrom other import g as h, i\nLAST = 'z'\nALL = ['x', LAST]\n"
        "@cloaca.task(id='other')\ndef a(c): pass\n"
        "@cloaca.task(dependencies=['x', a, LAST, i])\ndef b(c): pass\n"
        "@cloaca.task(dependencies=ALL)\ndef d(c): pass\n"
    )
    _, second, third = read(source).tasks
    assert second.dependencies == (
        SourceDependency("x", "'x'"),
        SourceDependency("a", "a", is_function=True),
        SourceDependency("z", "LAST"),
        SourceDependency(None, "i"),
    )
    assert second.unreadable_arguments == ("dependencies",)
    assert [dependency.id for dependency in third.dependencies] == ["x", "z"]


def test_a_retry_policy_has_the_decorators_defaults_for_what_is_left_out():
    policy = task("@cloaca.task(retry_attempts=5, retry_jitter=False)").retry
    assert policy == Retry(attempts=5, jitter=False)
    assert task("@cloaca.task()").retry is None


def test_a_policy_that_cannot_be_read_whole_is_none_rather_than_a_guess():
    found = task("@cloaca.task(retry_attempts=tries(), retry_delay_ms=5)")
    assert found.retry is None
    assert found.unreadable_arguments == ("retry_attempts",)


@pytest.mark.parametrize(
    "argument",
    ["retry_backoff='exponental'", "retry_attempts='3'", "retry_delay_ms=-1", "id=3", "id=''"],
)
def test_a_value_that_the_decorator_does_not_take_is_named(argument):
    (unknown,) = task(f"@cloaca.task({argument})").unknown_arguments
    assert unknown == argument


def test_arguments_that_are_unknown_positional_or_hidden_are_named():
    found = task("@cloaca.task('x', retries=3, **more)")
    assert found.unknown_arguments == ("retries", "'x'")
    assert found.unreadable_arguments == ("**",)
    assert found.id is None


def test_a_coroutine_and_missing_parentheses_are_facts():
    (one,) = read(
        "import cloaca\n@cloaca.task\nasync def f(c):\n    '''Do.\n\n    More.'''\n"
    ).tasks
    assert (one.is_async, one.is_called, one.description, one.place) == (
        True,
        False,
        "Do.",
        "m.py:3",
    )


def test_only_what_an_import_runs_counts():
    source = (
        "import cloaca\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import never\n"
        "if __name__ == '__main__':\n    import script\n"
        "def make():\n    import later\n    @cloaca.task(id='x')\n    def f(c): pass\n"
        "for n in 'ab':\n    cloaca.task(id=n)(make)\n"
        "class C:\n    @cloaca.task()\n    def method(c): pass\n"
        "w = cloaca.WorkflowBuilder('w')\n"
    )
    found = read(source)
    assert {imported.module for imported in found.imports} == {"cloaca", "typing"}
    assert [one.id for one in found.tasks] == ["method"]
    assert found.hidden == ("m.py:9", "m.py:12")
    assert found.loose_builders == ("m.py:16",)


def test_triggers_poll_or_follow_a_cron_expression():
    source = (
        "import cloaca\n"
        "@cloaca.trigger(name='t', poll_interval='500ms', allow_concurrent=True)\ndef a(): pass\n"
        "@cloaca.trigger(on='w', cron='0 * * * *', timezone='UTC')\ndef b(): pass\n"
        "@cloaca.trigger(poll_interval=often())\ndef c(): pass\n"
    )
    found = read(source)
    assert found.triggers == (
        Trigger("t", "poll", poll_interval_ms=500, allow_concurrent=True),
        Trigger("b", "cron", cron="0 * * * *", timezone="UTC"),
    )
    assert found.hidden == ("m.py:7",)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"def f(:\n", 1),
        (b"x = 1\nx = = 2\n", 2),
        (b"x = '\0'\n", 1),
        (b"# coding: punycode\nx = 1\n", 1),
        (b"# coding: no-such\n", 1),
        (b"x = '\xff'\n", 1),
        (b"(" * 100_000, 1),
        (b"x = " + b"-" * 100_000 + b"1", 1),
        (b"#" * (3 << 20), 1),
    ],
)
def test_source_that_no_parser_takes_is_a_problem_with_its_line(data, line):
    problem = read_module(data, "m.py").problem
    assert problem is not None
    assert problem.place == f"m.py:{line}"
    assert "\n" not in problem.message


def test_a_very_long_expression_ends_no_process():
    """Python 3.10 parses it, given the stack; later ones say that it is nested too deep."""
    problem = read_module(b"x = " + b"a+" * 200_000 + b"a", "m.py").problem
    assert problem is None or problem.place == "m.py:1"


def test_warnings_of_the_parser_are_the_authors_business():
    assert read("import cloaca\nx = '\\d'\n").problem is None


def test_other_encodings_are_read():
    source = "# coding: latin-1\nimport cloaca\n@cloaca.task(id='gr\xfcn')\ndef f(c): pass\n"
    (one,) = read_module(source.encode("latin-1"), "m.py").tasks
    assert one.id == "gr\xfcn"


def test_follows_what_the_entry_module_imports_and_nothing_else(tmp_path):
    one = "import cloaca\n@cloaca.task()\ndef {0}(c): pass\n"
    plant(
        tmp_path,
        {
            "package.toml": TREE,
            "workflow/demo/__init__.py": "from .deep import four as again\n",
            "workflow/demo/tasks.py": "from . import two\nimport demo.three, os\n"
            "from .... import x\n"
            "import cloaca\nfrom demo import again\n"
            "@cloaca.task(dependencies=[again])\ndef last(c): pass\n",
            "workflow/demo/two.py": one.format("two"),
            "workflow/demo/three/__init__.py": one.format("three"),
            "workflow/demo/deep.py": one.format("four"),
            "workflow/demo/unused.py": one.format("unused"),
        },
    )
    (workflow,) = read_project(str(tmp_path)).workflows
    assert sorted(str(found.id) for found in workflow.tasks) == ["four", "last", "three", "two"]
    last = next(found for found in workflow.tasks if found.id == "last")
    assert [dependency.id for dependency in last.dependencies] == ["four"]


def test_finds_the_one_module_with_tasks_and_names_several(tmp_path):
    files = {"pyproject.toml": PYPROJECT, "demo/__init__.py": "", "demo/a.py": TASK}
    project = read_project(str(plant(tmp_path, files)))
    assert project.python is not None
    assert project.python.entry_module == "demo.a"
    project = read_project(str(plant(tmp_path, {"demo/b.py": TASK})))
    assert project.python is not None
    assert (project.python.entry_module, project.python.candidates) == (None, ("demo.a", "demo.b"))


def test_a_module_of_tasks_that_cannot_be_parsed_is_said_to_be_so(tmp_path):
    """Not that the project does not name it."""
    files = {"pyproject.toml": PYPROJECT, "src/demo/tasks.py": TASK + "def (:\n",
             "src/demo/__init__.py": "", "src/demo/old.py": "print 'x'\n"}  # fmt: skip
    said = validate(str(plant(tmp_path, files))).report.findings
    assert [(one.code, one.where) for one in said] == [
        (Code.PYTHON_SYNTAX, f"{tmp_path}/src/demo/tasks.py:7"),
    ]


def test_places_and_order_are_those_of_the_manifest(tmp_path):
    source = TASK + "\n\n@cloaca.task(id='b', dependencies=['first', 'a', 'a'])\ndef b(c): pass\n"
    project = read_project(str(tree(tmp_path, {"workflow/demo/tasks.py": source})))
    found = to_manifest(project.workflows[0], {"workflow/demo/tasks.py": "elsewhere.py"})
    assert [(one.id, one.dependencies, one.source) for one in found.tasks] == [
        ("b", ("a", "first"), "elsewhere.py:10"),
        ("first", (), "elsewhere.py:5"),
    ]


def test_descriptions_come_in_characters_that_show():
    assert plain_text("e\u0301\u200b  x\n\x1b[31m") == "\xe9 x [31m"
    assert plain_text("\u200b") is None


def test_the_resolved_manifest_says_everything_and_keeps_what_the_author_added(tmp_path):
    text = TREE + 'author = "A \\"q\\" \\\\"\nreaction_mode = "when_any"\n'
    text += '[[metadata.accumulators]]\nname = "a"\nconfig = { "x y" = "1" }\n'
    project = read_project(str(tree(tmp_path, {"package.toml": text})))
    found = parse_toml(resolved_package_toml(project), where="x")
    assert found["package"] == {
        "name": "demo",
        "version": "1.0",
        "interface": "cloacina-workflow-plugin",
        "interface_version": 1,
        "extension": "cloacina",
        "language": "python",
    }
    assert found["metadata"]["entry_module"] == "demo.tasks"
    assert found["metadata"]["author"] == 'A "q" \\'
    assert found["metadata"]["accumulators"] == [{"name": "a", "config": {"x y": "1"}}]


def test_a_large_stack_parses_the_same_and_raises_the_same():
    assert ast.dump(parse_on_large_stack("x = 1")) == ast.dump(ast.parse("x = 1"))
    with pytest.raises(SyntaxError):
        parse_on_large_stack("x = (")
