"""The quick parser and typer, which must never disagree."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.cli import main
from cloacina_ctl.cli.parsing import fast_parser, table, typer_app
from cloacina_ctl.cli.parsing.declaration import (
    COMMON,
    Argument,
    Command,
    Options,
    argument,
    choice,
    flag,
    number,
    option,
    repeatable,
)
from cloacina_ctl.errors import UsageError

COMMANDS = list(table.all_commands())


class Probed(Options):
    """Every kind of declaration."""

    first = argument("FIRST", "One.")
    others = Argument("OTHERS", "More.", (), required=False, many=True)
    text = option("--flag -f TEXT", "A flag.")
    on = flag("--on -o", "On.")
    many = repeatable("--many -m TEXT", "Some.")
    figure = number("--number -n N", "N.")
    one = choice("--one", "One of.", ("a", "b"), default="a")


PROBE = Command("probe", "Every kind of option.", Probed, lambda _options, _reporter: 0)
WORDS = st.text("abAB01./=é ", min_size=1, max_size=6).filter(
    lambda word: not word.startswith("=")
) | st.just("-")


def values_of(option):
    if option.kind == "number":
        return st.integers(0, 10**9).map(str)
    return st.sampled_from(option.choices) if option.choices else WORDS


@st.composite
def spelt(draw, option):
    flag = draw(st.sampled_from(option.flags))
    if option.kind == "flag":
        return [flag]
    value = draw(values_of(option))
    if flag.startswith("--"):
        return draw(st.sampled_from([[flag, value], [f"{flag}={value}"]]))
    return draw(st.sampled_from([[flag, value], [flag + value]]))


@st.composite
def lines(draw, command):
    """Return a well-formed line for the command, without its name."""
    options = st.sampled_from((*command.options, *COMMON)).flatmap(spelt)
    pieces = draw(st.lists(options, max_size=5))
    for one in command.arguments:
        words = draw(st.lists(WORDS, min_size=one.required, max_size=3 if one.many else 1))
        pieces += [[word] for word in words]
        if not words:
            break
    line = [word for piece in draw(st.permutations(pieces)) for word in piece]
    if command.rest and draw(st.booleans()):
        line += ["--", *draw(st.lists(WORDS | st.just("--x"), max_size=3))]
    return line


def told(invocation):
    """Return the command and every value that a line gives, by its declaration."""
    options, output = invocation.options, invocation.output
    return invocation.command, [*options.items()], [*output.items()]


def by_typer(line):
    answer = typer_app.read(line, rich=False)
    assert not isinstance(answer, int)
    return told(answer)


def plainly(line):
    plain = main._parse_plain(line)
    return None if plain is None else told(plain)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_both_parsers_read_a_well_formed_line_alike(command):
    @settings(max_examples=6, deadline=None, database=None)
    @given(lines(command))
    def alike(line):
        plain = fast_parser.parse(command, line)
        assert plain is not None
        assert by_typer([*command.name.split(), *line]) == told(plain)

    alike()


@pytest.fixture
def with_probe(monkeypatch):
    monkeypatch.setattr(typer_app, "all_commands", lambda: [PROBE])
    monkeypatch.setattr(typer_app, "GROUPS", {})


@pytest.mark.parametrize(
    "line",
    [
        ["a"],
        ["a", "b", "-", "c"],
        ["-oftext", "a"],
        ["-of", "text", "a"],
        ["a", "--flag="],
        ["a", "--", "-o", "--flag"],
        ["-m1", "-m", "2", "--many=3", "a"],
        ["-n0", "a"],
        ["-n", "007", "a"],
        ["a", "--one", "b", "--one=a"],
        ["--json", "a", "-qv"],
        ["", "a"],
        ["--flag", "-", "a"],
    ],
)
def test_every_kind_of_option_is_read_alike(with_probe, line):
    plain = fast_parser.parse(PROBE, line)
    assert plain is not None
    assert by_typer(["probe", *line]) == told(plain)


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["a", "--help"],
        ["a", "-h"],
        ["a", "--nope"],
        ["a", "-x"],
        ["a", "--flag"],
        ["a", "--flag", "--on"],
        ["a", "--on=yes"],
        ["a", "-n", "x"],
        ["a", "-n", "-1"],
        ["a", "-n", "9" * 30],
        ["a", "--one", "c"],
        ["a", "-f=x"],
        ["a", "-n", "²"],
    ],
)
def test_what_is_not_plain_is_left_to_typer(line):
    assert fast_parser.parse(PROBE, line) is None


@settings(max_examples=40, deadline=None, database=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "schema",
                "key",
                "list",
                "--json",
                "-q",
                "--color",
                "always",
                "--color=never",
                "--",
                "-x",
                "--help",
            ]
        ),
        max_size=5,
    )
)
def test_where_both_understand_a_line_they_agree(words):
    plain = plainly(words)
    if plain is not None:
        assert by_typer(words) == plain


@pytest.mark.parametrize(
    "before", [["--json"], ["-q", "--color", "never"], ["--color=always", "-v"]]
)
def test_common_options_mean_the_same_before_and_after_the_command(before):
    assert by_typer([*before, "key", "list"]) == by_typer(["key", "list", *before])
    assert by_typer([*before, "schema"]) == by_typer(["schema", *before])
    assert plainly([*before, "schema"]) in (None, by_typer(["schema", *before]))


def test_what_stands_behind_dashes_is_handed_on_as_it_is():
    line = ["-q", "package", "here", "--", "--features", "x", "--help"]
    read = typer_app.read(line, rich=False)
    assert read.options.cargo_flags == ("--features", "x", "--help")
    assert plainly(line) == told(read)


def test_a_word_too_many_is_not_taken_for_one_behind_dashes():
    with pytest.raises(UsageError, match="unexpected argument: there"):
        typer_app.read(["package", "here", "there", "--", "--x"], rich=False)


def test_no_command_shadows_a_common_option_and_none_has_two_options_of_one_name():
    for command in COMMANDS:
        options = (*command.options, *COMMON)
        flags = [flag for option in options for flag in option.flags]
        keys = [one.key for one in (*command.takes.declarations(), *COMMON)]
        assert len(set(flags)) == len(flags)
        assert len(set(keys)) == len(keys)
        assert not {"-h", "--help"} & set(flags)


def test_options_that_exclude_each_other_exist_and_are_not_given_by_themselves():
    for command in COMMANDS:
        absent = {option.long for option in command.options if not option.default}
        assert {flag for row in command.exclusive for flag in row} <= absent


def test_what_a_verb_takes_cannot_be_changed_afterwards():
    options = Probed({"first": "a"})
    with pytest.raises(AttributeError, match="figure cannot be changed"):
        options.figure = 1
    assert (options.first, options.figure, options.one) == ("a", None, "a")


MISTAKEN = """
from cloacina_ctl.cli.parsing.declaration import Command, Options, flag, group, number
from cloacina_ctl.cli.parsing.options import TrustOptions
from cloacina_ctl.cli.terminal.reporter import Reporter
from cloacina_ctl.cli.commands.schema import SCHEMA

class Taken(Options):
    force: str = flag("--force", "A flag is no text.")  # wrong
    jobs = number("--jobs N", "No number has no default.")
    most = number("--most N", "One with a default.", default=1)
    trust = group(TrustOptions)

def run(options: Taken, reporter: Reporter) -> int:
    options.job  # wrong
    options.trust.treshold  # wrong
    if reporter.json:
        return options.jobs  # wrong
    return options.most + options.trust.threshold

Command("probe", "Takes what it runs with.", Taken, run)
Command("probe", "Takes other options.", Taken, SCHEMA.run)
Command("probe", "Takes less than it runs with.", Options, run)  # wrong
"""


@pytest.mark.slow
def test_the_type_checker_sees_an_option_that_does_not_exist_or_has_another_type(tmp_path):
    pytest.importorskip("mypy")
    words = [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", str(tmp_path)]
    words += ["--strict", "-c", MISTAKEN]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found = {int(line.split(":")[1]) for line in said.splitlines() if ": error: " in line}
    lines = enumerate(MISTAKEN.splitlines(), 1)
    assert found == {number for number, line in lines if line.endswith("# wrong")}, said
