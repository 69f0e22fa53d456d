"""What the verbs of the registry say where there is nothing of what was asked for."""

NAME = "daily-report"


def test_an_empty_registry_is_named(cli, tmp_path):
    registry = tmp_path / "none"
    said = cli("list", "--registry", registry)
    assert (said.status, said.out) == (0, "")
    assert said.err == (
        f"nothing is installed in {registry}; install a package: `cloacina-ctl install`\n"
    )


def test_a_name_that_is_not_installed_does_not_make_the_registry_empty(cli, made):
    cli("install", made.first)
    said = cli("list", "nothing-like-it\x1b[2J")
    assert (said.status, said.out) == (0, "")
    assert (
        said.err
        == "not installed: nothing-like-it\\x1b[2J; `cloacina-ctl list` shows all packages\n"
    )


def test_a_tenant_who_has_nothing_does_not_make_the_registry_empty(cli, made):
    cli("install", made.first)
    rest = "; `cloacina-ctl list` shows all packages\n"
    assert cli("list", "--tenant", "etl").err == f"nothing is installed for tenant etl{rest}"
    assert cli("list", NAME, "--tenant", "etl").err == f"not installed for tenant etl: {NAME}{rest}"


def test_a_version_to_go_back_to_has_its_option(cli, made):
    cli("install", made.first)
    cli("install", made.second)
    said = cli("rollback", f"{NAME}@1.0.0")
    assert (said.status, said.out) == (2, "")
    assert f"`cloacina-ctl rollback {NAME} --to 1.0.0`" in said.err
    assert cli("rollback", f"{NAME}@").status == 2
