"""The quick parser and typer, which must never disagree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.cli import main
from cloacina_ctl.cli.parsing import fast_parser, table, typer_app
from cloacina_ctl.cli.parsing.declaration import COMMON, Argument, Command, Kind, Option
from cloacina_ctl.errors import UsageError

COMMANDS = list(table.all_commands())
PROBE = Command(
    "probe", "Every kind of option.", lambda _values, _reporter: 0,
    arguments=(Argument("first", "One."), Argument("others", "More.", "", many=True)),
    options=(
        Option(("--flag", "-f"), "A flag."), Option(("--on", "-o"), "On.", Kind.FLAG),
        Option(("--many", "-m"), "Some.", Kind.MANY),
        Option(("--number", "-n"), "N.", Kind.INTEGER),
        Option(("--one",), "One of.", choices=("a", "b"), default="a"),
    ),
)  # fmt: skip
WORDS = st.text("abAB01./=é ", min_size=1, max_size=6).filter(
    lambda word: not word.startswith("=")
) | st.just("-")


def values_of(option):
    if option.kind is Kind.INTEGER:
        return st.integers(0, 10**9).map(str)
    return st.sampled_from(option.choices) if option.choices else WORDS


@st.composite
def spelt(draw, option):
    flag = draw(st.sampled_from(option.flags))
    if option.kind is Kind.FLAG:
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
    for argument in command.arguments:
        least = 1 if argument.default is None else 0
        words = draw(st.lists(WORDS, min_size=least, max_size=3 if argument.many else 1))
        pieces += [[word] for word in words]
        if not words:
            break
    line = [word for piece in draw(st.permutations(pieces)) for word in piece]
    if command.rest and draw(st.booleans()):
        line += ["--", *draw(st.lists(WORDS | st.just("--x"), max_size=3))]
    return line


def by_typer(line):
    answer = typer_app.read(line, rich=False)
    assert not isinstance(answer, int)
    return answer


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_both_parsers_read_a_well_formed_line_alike(command):
    @settings(max_examples=6, deadline=None, database=None)
    @given(lines(command))
    def alike(line):
        plain = fast_parser.parse(command, line)
        assert plain is not None
        assert by_typer([*command.name.split(), *line]) == (command, plain)

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
    assert by_typer(["probe", *line]) == (PROBE, plain)


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
    plain = main._read_plain(words)
    if plain is not None:
        assert by_typer(words) == plain


@pytest.mark.parametrize(
    "before", [["--json"], ["-q", "--color", "never"], ["--color=always", "-v"]]
)
def test_common_options_mean_the_same_before_and_after_the_command(before):
    assert by_typer([*before, "key", "list"]) == by_typer(["key", "list", *before])
    assert by_typer([*before, "schema"]) == by_typer(["schema", *before])
    assert main._read_plain([*before, "schema"]) in (None, by_typer(["schema", *before]))


def test_what_stands_behind_dashes_is_handed_on_as_it_is():
    line = ["package", "here", "--", "--features", "x", "--help"]
    command, values = by_typer(["--color", "auto", *line])
    assert values["cargo_flags"] == ("--features", "x", "--help")
    assert main._read_plain(line) == (command, values)


def test_a_word_too_many_is_not_taken_for_one_behind_dashes():
    with pytest.raises(UsageError, match="too many: there"):
        typer_app.read(["package", "here", "there", "--", "--x"], rich=False)


def test_no_command_shadows_a_common_option_and_none_has_two_options_of_one_name():
    for command in COMMANDS:
        options = (*command.options, *COMMON)
        flags = [flag for option in options for flag in option.flags]
        keys = [option.key for option in options] + [
            argument.name for argument in command.arguments
        ]
        assert len(set(flags)) == len(flags)
        assert len(set(keys)) == len(keys)
        assert not {"-h", "--help"} & set(flags)
