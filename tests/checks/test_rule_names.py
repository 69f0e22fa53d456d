"""Trigger rules that name a task by its id alone: engines wait for such a task for ever."""

import pytest

from cloacina_ctl.checks.rule_names import short_names

MODULE = """
import cloaca

@cloaca.task(id="a")
def a(context):
    return context

@cloaca.task(id="b", dependencies=["a"], trigger_rules=cloaca.task_failed({name!r}))
def b(context):
    return context
"""


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ('cloaca.task_success("a")', ["a"]),
        ('all_of(task_failed("b"), task_skipped(task_name="a"), context_value("c", ">", 1))',
         ["a", "b"]),
        ('task_success("public::p::w::a")', []), ("always()", []), ("RULE", []), ("", []),
        ("task_success(NAME)", []), ("task_success(", []), ("(" * 500, []),
    ],
)  # fmt: skip
def test_ids_in_a_rule_are_found_without_running_it(rule, names):
    assert short_names(rule) == names


@pytest.mark.parametrize(("name", "count"), [("a", 1), ("public::rules::rules::a", 0)])
def test_a_short_name_is_a_warning_in_the_project_and_in_each_package(cli, tmp_path, name, count):
    module = tmp_path / "rules" / "src" / "rules"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text("")
    (module / "tasks.py").write_text(MODULE.format(name=name))
    (tmp_path / "rules" / "pyproject.toml").write_text(
        '[project]\nname = "rules"\nversion = "1.0.0"\n'
        '[tool.cloacina]\nentry_module = "rules.tasks"\n'
    )
    for form in ("native", "source"):
        assert cli("package", "rules", "-o", form, "--no-sign", "--format", form).status == 0
    for subject in ("rules", "native", "source"):
        said = cli("validate", subject, "--json")
        assert said.status == 0
        found = [one for one in said.json["diagnostics"] if one["code"] == "Y025"]
        assert len(found) == count, subject
        assert all("names `a` by the id alone" in one["message"] for one in found)
