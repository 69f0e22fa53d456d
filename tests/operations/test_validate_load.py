"""``validate --load``: the code itself is asked, in a process of its own."""

from __future__ import annotations

import json


def packed(cli, project, *options):
    assert cli("package", project, "-o", "x.cloacina", *options).status == 0
    return "x.cloacina"


def codes(answer):
    return [one["code"] for one in json.loads(answer)["diagnostics"]]


def test_code_that_says_what_the_manifest_says_is_clean(cli, project):
    cli("key", "generate")
    told = cli("validate", packed(cli, project), "--load")
    assert (told.status, told.out) == (0, "✓ x.cloacina (package): no problems found\n")


def test_code_that_cannot_be_imported_is_found_by_loading_it_alone(cli, project):
    cli("key", "generate")
    module = project / "src" / "daily_report" / "tasks.py"
    module.write_text(module.read_text("utf-8") + "\nraise RuntimeError('not today')\n", "utf-8")
    package = packed(cli, project)
    assert cli("validate", package).status == 0
    told = cli("validate", package, "--load", "--json")
    assert told.status == 1
    assert "not today" in told.out
    assert codes(told.out)[0].startswith("T")


def test_nothing_is_loaded_that_nobody_vouches_for(cli, project):
    module = project / "src" / "daily_report" / "tasks.py"
    module.write_text(module.read_text("utf-8") + "\nraise RuntimeError('loaded')\n", "utf-8")
    package = packed(cli, project, "--no-sign")
    told = cli("validate", package, "--load", "--json")
    assert (told.status, codes(told.out)) == (1, ["S001"])
    assert "'loaded'" not in told.out + told.err
    told = cli("validate", package, "--load", "--allow-unsigned")
    assert told.status == 1
    assert "RuntimeError: loaded" in told.out + told.err


def test_a_project_and_standard_input_are_not_loaded(cli, project):
    for words in ((project, "--load"), ("-", "--load"), (project, "--allow-unsigned")):
        assert cli("validate", *words).status == 2
