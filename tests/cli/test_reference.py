"""The page of the command line."""

from cloacina_ctl.cli.parsing import table
from cloacina_ctl.cli.parsing.reference import reference
from tests.support.projects import DOCS


def test_the_page_is_that_of_this_program():
    page = DOCS / "cli.md"
    assert page.read_text() == reference(), (
        "python -m cloacina_ctl.cli.parsing.reference > docs/cli.md"
    )


def test_the_page_has_every_command_and_option():
    page = reference()
    for command in table.all_commands():
        assert f"### `{command.name}`" in page
        assert all(flag in page for option in command.options for flag in option.flags)
