"""What is said and which status it ends with, whatever happens to a command."""

import json
import os
import signal

import pytest

from cloacina_ctl import __version__, errors
from cloacina_ctl.cli import exits
from cloacina_ctl.cli.parsing import table, typer_app
from cloacina_ctl.cli.parsing.table import GROUPS, NAMES
from cloacina_ctl.cli.parsing.usage_errors import ABSENT, SYNONYMS
from cloacina_ctl.cli.signals import Stopped
from cloacina_ctl.cli.terminal import live, streams
from cloacina_ctl.errors import Code, Diagnostic, Location, Severity

FAMILIES = {
    errors.UsageError: 2, errors.Refused: 3, errors.NotTrusted: 4, errors.BuildFailed: 5,
    errors.Incompatible: 6, errors.FileProblem: 8,
}  # fmt: skip


SEE = "see `cloacina-ctl --help`"
SEE_PACKAGE = "see `cloacina-ctl package --help`"


def raising(error):
    def body(_options, _reporter):
        raise error

    return body


@pytest.mark.parametrize(
    ("family", "status"), FAMILIES.items(), ids=lambda one: getattr(one, "__name__", one)
)
def test_each_family_of_errors_has_its_status(probe, family, status):
    ended = probe(raising(family.of(Code.BAD_HEAD, "bad", where="x.cloacina", hint="do this")))
    assert ended == (status, "", "error[A008] x.cloacina: bad — do this\n")


def test_a_failure_has_the_same_object_as_a_success(probe):
    error = errors.Refused(
        Diagnostic(Code.BAD_HEAD, "bad", "x", "cure", location=Location("y/x", 3)),
        Diagnostic(Code.LIMIT, "much", severity=Severity.NOTE),
    )
    assert probe(raising(error), "json").json == {
        "schema": "cloacina-ctl/probe/1", "ok": False, "result": None,
        "diagnostics": [
            {"code": "A008", "severity": "error", "message": "bad", "where": "x", "file": "y/x",
             "line": 3, "column": None, "hint": "cure", "doc_url": Code.BAD_HEAD.page},
            {"code": "L001", "severity": "note", "message": "much", "where": None, "file": None,
             "line": None, "column": None, "hint": None, "doc_url": Code.LIMIT.page},
        ],
    }  # fmt: skip


def test_a_command_that_fails_after_its_result_prints_one_object(probe):
    def body(_options, reporter):
        reporter.result({"all": "well"})
        raise errors.Refused.of(Code.BAD_HEAD, "or not")

    ended = probe(body, "json")
    assert (ended.status, ended.json["ok"], ended.json["result"]) == (3, False, None)


def test_a_command_that_says_nothing_prints_an_object_all_the_same(probe):
    assert probe(lambda _v, _r: exits.NO, "json").json == {
        "schema": "cloacina-ctl/probe/1", "ok": False, "result": None, "diagnostics": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        ValueError("\x1b[2Jodd\nnext"),
        RecursionError("deep"),
        SystemExit(1),
        AssertionError(),
    ],
)
def test_a_bug_says_that_it_is_one_in_one_line(probe, error):
    ended = probe(raising(error))
    assert ended.status == 70
    assert ended.err.count("\n") == 1
    assert ended.err.startswith(
        f"error[X001] this is a bug in cloacina-ctl: {type(error).__name__}"
    )
    assert "--debug" in ended.err
    assert "\x1b" not in ended.err


def test_debug_shows_the_traceback_escaped(probe):
    ended = probe(raising(ValueError("\x1b[2J")), "debug")
    assert "Traceback" in ended.err
    assert "\x1b" not in ended.err
    assert "Traceback" in probe(raising(errors.Refused.of(Code.BAD_HEAD, "bad")), "debug").err


def test_every_text_of_a_traceback_is_escaped_and_on_one_line(probe):
    def body(_options, _reporter):
        try:
            try:
                raise KeyError("first\x1b[31m")
            except KeyError as error:
                raise OSError("second\x1b[0m\nforged") from error
        except OSError:
            last = ValueError("third\u202e")
            last.__notes__ = ["note\x1b[32m", "https://ada:s3cr3t@host.example"]
            raise last  # noqa: B904 - so that it has a context and no cause

    told = probe(body, "debug").err
    lines = told.splitlines()
    assert all(line.isprintable() for line in lines)
    ends = [line for line in lines if line.startswith(("KeyError", "OSError", "ValueError"))]
    assert ends == [
        r"KeyError: 'first\x1b[31m'", r"OSError: second\x1b[0m\nforged", r"ValueError: third\u202e",
    ]  # fmt: skip
    assert r"note\x1b[32m" in lines
    assert "https://[not shown]@host.example" in lines
    assert told.count("Traceback (most recent call last):") == 3
    assert "direct cause" in told
    assert "During handling" in told


def test_an_error_that_names_itself_as_its_cause_has_a_traceback_with_an_end(probe):
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    assert probe(raising(first), "debug").err.count("ValueError: ") == 3


def test_what_the_system_refuses_is_no_bug(probe, tmp_path, monkeypatch):
    assert probe(lambda _v, _r: (tmp_path / "absent").read_bytes()).err.startswith(
        f"error[I002] {tmp_path}/absent"
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ended = probe(lambda _v, _r: os.getcwd())
    assert (ended.status, ended.err.split()[0]) == (8, "error[I002]")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (KeyboardInterrupt(), 130, "SIGINT"),
        (Stopped(signal.SIGTERM), 143, "SIGTERM"),
        (Stopped(signal.SIGHUP), 129, "SIGHUP"),
    ],
)
def test_a_signal_has_its_status_and_one_line(probe, error, status, name):
    assert probe(raising(error)) == (status, "", f"error[X002] stopped by {name}\n")


def test_an_error_is_bounded_however_many_and_long_its_diagnostics_are(probe):
    many = errors.Refused(*[Diagnostic(Code.BAD_HEAD, "é" * 9000, "w" * 9000, "h" * 9000)] * 60)
    short = probe(raising(many))
    assert len(short.err.encode()) <= 4096
    assert short.err.splitlines()[-1].startswith("... and 59 more")
    assert all(len(line.encode()) < 4096 for line in short.err.splitlines())
    assert len(probe(raising(many), "verbose").err.splitlines()) == 60
    assert len(probe(raising(many), "json").json["diagnostics"]) == 60


def test_json_is_ascii_and_has_no_half_of_a_surrogate_pair(probe):
    def body(_options, reporter):
        reporter.result({"name": "a\udc80\\udc81\\\udc82 😀 \x1b\u202e"})
        return 0

    out = probe(body, "json").out
    assert out.isascii()
    assert json.loads(out)["result"]["name"] == "a\\udc80\\udc81\\\\udc82 😀 \x1b\u202e"
    json.loads(out)["result"]["name"].encode()


def test_a_line_that_somebody_forgot_to_escape_cannot_move_the_cursor(probe):
    def body(_options, reporter):
        reporter.line("\x1b[2J" + reporter.paint("red", "red"))
        reporter.note("\x1b]0;title\x07")
        return 0

    assert probe(body) == (0, "\\x1b[2Jred\n", "\\x1b]0;title\\x07\n")


def test_quiet_leaves_errors_alone(probe):
    def body(_options, reporter):
        reporter.line("line")
        reporter.note("note")
        reporter.warnings([Diagnostic(Code.BAD_HEAD, "w", severity=Severity.WARNING)])
        reporter.data("data")
        raise errors.Refused.of(Code.BAD_HEAD, "bad")

    assert probe(body, "quiet") == (3, "data\n", "error[A008] bad\n")


@pytest.mark.parametrize(
    ("choice", "environment", "coloured"),
    [
        ("auto", {}, False),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": "", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colour_is_decided_by_flag_environment_and_terminal(
    cli, monkeypatch, choice, environment, coloured
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in cli("inspect", "absent", "--color", choice).err) is coloured
    assert ("\x1b[" in cli("inspect", "--help", "--color", choice).out) is coloured
    assert os.environ.get("NO_COLOR") == environment.get("NO_COLOR")


def test_the_version_is_answered_everywhere_before_a_command(cli):
    assert cli("--version") == (0, f"cloacina-ctl {__version__}\n", "")
    assert cli("--color", "never", "--version", "schema").out == f"cloacina-ctl {__version__}\n"
    assert cli("--json", "--version").json["result"] == {"version": __version__}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("schma", "no such command: schma — did you mean `schema`?"),
        ("frobnicate", "no such command: frobnicate — `cloacina-ctl --help` lists them"),
        ("key genrate", "no such command: key genrate — did you mean `key generate`?"),
        ("pack etl", "no such command: pack — use `cloacina-ctl package`"),
        ("version", "no such command: version — use `cloacina-ctl --version`"),
        ("key rm x", "no such command: key rm — use `cloacina-ctl key remove`"),
        ("explain A001", "no such command: explain — docs/codes.md explains each code"),
        ("key", "a command is missing — `cloacina-ctl key --help` lists them"),
        ("--json", "a command is missing — `cloacina-ctl --help` lists them"),
        ("schema --jsn", "no such option: --jsn — did you mean `--json`?"),
        ("schema -x", "no such option: -x — see `cloacina-ctl schema --help`"),
        ("inspect", "argument is missing: PACKAGE — see `cloacina-ctl inspect --help`"),
        ("package a b", "unexpected argument: b — see `cloacina-ctl package --help`"),
        ("sign a --jobs x", None),
        ("package --level x", "--level: expected a whole number, found: x — " + SEE_PACKAGE),
        (
            "package --profile x",
            "--profile: expected one of release, dev; found: x — " + SEE_PACKAGE,
        ),
        ("--color x schema", "--color: expected one of auto, always, never; found: x — " + SEE),
        ("unpack a b", None),
        ("package --output", "a value is missing: --output"),
        (
            "package -o --json .",
            "-o: expected a value, found: --json — if --json is the value: `-o=--json`",
        ),
        ("schema --json=1", None),
        ("verify --threshold -1 a", None),
    ],
)
def test_a_wrong_line_is_told_in_one_line_and_as_json(cli, line, said):
    told = cli(*line.split())
    assert told.status == 2
    assert told.err.startswith("error[U001] ")
    assert told.err.count("\n") == 1
    if said is not None:
        assert told.err == f"error[U001] {said}\n"
    found = cli(*line.split(), "--json")
    assert found.status == 2
    assert found.json["diagnostics"][0]["code"] == "U001"


def test_a_word_of_other_programs_leads_to_a_verb_and_is_none_itself():
    assert set(SYNONYMS.values()) <= {*NAMES, "--version"}
    assert not {*SYNONYMS, *ABSENT} & {*NAMES, *GROUPS}


def test_the_object_names_the_command_as_far_as_it_is_known(cli):
    assert cli("key", "generate", "--bad", "--json").json["schema"] == "cloacina-ctl/key-generate/1"
    assert cli("key", "--json").json["schema"] == "cloacina-ctl/key/1"
    assert cli("--json", "nothing").json["schema"] == "cloacina-ctl/usage/1"


def test_hostile_words_are_escaped_in_complaints(cli):
    for words in (
        ["\x1b[2J"],
        ["schema", "--\x1b[2J"],
        ["package", "--level", "\u202e1"],
        ["schema", "\x9bx"],
    ):
        told = cli(*words)
        assert told.status == 2
        assert told.err.removesuffix("\n").isprintable()


def test_no_words_at_all_show_the_help_on_standard_error(cli):
    shown = cli()
    assert (shown.status, shown.out) == (2, "")
    assert "Usage: cloacina-ctl" in shown.err


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_commands_examples_and_statuses(cli, words):
    shown = cli(*words)
    assert (shown.status, shown.err) == (0, "")
    assert all(name.split()[0] in shown.out for name in table.NAMES)
    for number, meaning in exits.MEANINGS:
        assert f"{number:<9} {meaning}" in shown.out


@pytest.mark.parametrize("name", table.NAMES)
@pytest.mark.parametrize("color", ["never", "always"])
def test_help_of_a_command_shows_its_examples_and_options(cli, name, color):
    command = table.load(name)
    shown = cli(*name.split(), "--help", "--color", color)
    assert shown.status == 0
    assert ("╭" in shown.out) is (color == "always")
    for line, what in command.examples:
        assert line in shown.out
        assert what in shown.out
    assert cli("help", *name.split(), "--color", "never").out.startswith(
        f"Usage: cloacina-ctl {name} "
    )


def test_brackets_in_our_texts_are_no_markup(monkeypatch, cli):
    odd = table.load("schema")._replace(summary="Print [bold]brackets[/bold] and [x].")
    monkeypatch.setattr(typer_app, "all_commands", lambda: [odd])
    assert "[bold]brackets[/bold] and [x]." in cli("schema", "--help", "--color", "always").out


def test_completion_is_shown_and_answers(cli, monkeypatch):
    monkeypatch.setenv("_CLOACINA_CTL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "cloacina-ctl package --profile ")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert cli().out.split() == ["release", "dev"]
    monkeypatch.setenv("COMP_WORDS", "cloacina-ctl ke")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert cli().out.split() == ["key"]


def test_no_more_memory_is_the_system_s_refusal_and_no_bug(probe):
    def body(_options, _reporter):
        raise MemoryError

    ended = probe(body)
    assert (ended.status, "error[I006]" in ended.err) == (8, True)


def test_a_bar_that_comes_back_is_taken_away_again(probe, monkeypatch):
    """What reports progress keeps the bar that it was given, whatever is printed meanwhile."""
    monkeypatch.setattr(streams, "is_terminal", lambda _stream: True)
    monkeypatch.setattr(live, "DELAY_SECONDS", 0.0)
    bars = []

    def body(_options, reporter):
        report = reporter.progress()
        bars.append(reporter._bar)
        for done in (1, 2):
            report("verifying", done, 10)
            assert bars[0]._bar is not None
            reporter.note("meanwhile")
            assert bars[0]._bar is None
        report("verifying", 10, 10)
        return 0

    assert probe(body).status == 0
    assert bars[0]._bar is None
