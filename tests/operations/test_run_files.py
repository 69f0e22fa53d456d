"""Which option gives a file that a task was refused; by the task's own error, and never a guess."""

import json
import os

import pytest

from cloacina_ctl.operations.execution.files import FileAccess, refusal_hint
from tests.support.runs import lines_of

ONCE = (
    "import os\n@cloaca.task(id='a', retry_attempts=1)\ndef a(context):\n"
    "    exec(context['do'], {'os': os, 'context': context, '__file__': __file__})\n"
    "    return context\n"
)


@pytest.fixture
def run(cli, made, tmp_path):
    """Return what runs a statement as a task, in the folder `here` below that of the test."""
    path = made(ONCE)
    here = tmp_path / "here"
    here.mkdir()

    def run_it(what, *words, cwd=here):
        return cli("run", path, "--context", json.dumps({"do": what}), *words, cwd=cwd)

    return run_it


def test_a_file_that_is_not_given_is_named_with_the_option_that_gives_it(run, tmp_path):
    secret = tmp_path / "a letter.txt"
    secret.write_text("dear reader")
    what = f"context['said'] = open({str(secret)!r}).read()"
    refused = run(what)
    assert refused.status == 1
    assert f"the code may not read it here: --allow-read '{secret}' lets it" in refused.err
    assert "dear reader" not in refused.out + refused.err
    given = run(what, "--allow-read", secret, "--json")
    assert lines_of(given)[-1]["result"]["context"]["said"] == "dear reader"


def test_a_file_that_is_wanted_while_the_code_is_loaded_is_named_too(cli, made, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "data").touch()
    path = made(f"open({str(tmp_path / 'data')!r})\n" + ONCE)
    refused = cli("run", path, cwd=tmp_path / "here")
    assert refused.status == 3
    assert f"--allow-read {tmp_path / 'data'} lets it" in refused.err


def test_the_current_folder_is_read_and_not_written(run, tmp_path):
    (tmp_path / "here" / "in").write_text("x")
    assert run(f"open({str(tmp_path / 'here' / 'in')!r})").status == 0
    refused = run(f"open({str(tmp_path / 'here' / 'out')!r}, 'w')")
    assert f"may not write there: --allow-write {tmp_path / 'here'} lets it" in refused.err
    written = run(f"open({str(tmp_path / 'here' / 'out')!r}, 'w')", "--allow-write", ".")
    assert written.status == 0, written.err
    assert (tmp_path / "here" / "out").exists()


def test_a_file_of_the_current_folder_by_its_name_alone_is_told_with_its_whole_path(run, tmp_path):
    (tmp_path / "here" / "in.csv").write_text("x")
    refused = run("open('in.csv')")
    assert f"give the task the whole path, {tmp_path / 'here' / 'in.csv'}" in refused.err
    (tmp_path / "here" / "out").mkdir()
    refused = run("open('out/sums.csv', 'w')", "--allow-write", "out")
    assert f"give the task the whole path, {tmp_path / 'here' / 'out' / 'sums.csv'}" in refused.err
    assert "whole path" not in run("open('absent.csv')").err


@pytest.mark.parametrize("option", ["--allow-read", "--allow-write"])
def test_an_empty_path_gives_nothing(run, option):
    refused = run("pass", option, "")  # of a variable that is not set
    assert refused.status == 2
    assert f"{option}: the path is empty" in refused.err


def test_the_keys_are_given_by_no_option(run, config):
    config.mkdir(exist_ok=True)
    (config / "config.toml").touch()
    refused = run(f"open({str(config / 'config.toml')!r})")
    assert "no code is given your keys, configuration or registry" in refused.err
    for option in ("--allow-read", "--allow-write"):
        usage = run("pass", option, config.parent)
        assert usage.status == 2
        assert "holds your keys" in usage.err


def test_a_folder_that_is_not_given_because_it_holds_keys_is_told(run, config):
    told = run("pass", "--verbose", cwd=config)
    assert told.status == 0
    assert "T017" in told.err
    assert "T017" not in run("pass", cwd=config).err


def test_of_a_task_that_failed_each_warning_and_note_is_told_once(run, config):
    for words, count in ((), 1), (("--verbose",), 1), (("--quiet",), 0):
        assert run("open('absent')", *words, cwd=config).err.count("T017") == count
    late = "open(__file__).read(); 1/0"
    assert run(late).err.count("warning[T009]") == 1
    answer = lines_of(run(late, "--json"))[-1]
    assert [one["code"] for one in answer["diagnostics"]].count("T009") == 1


def test_isolation_can_be_required(run):
    ran = run("pass", "--require-isolation", "--json")
    last = lines_of(ran)[-1]
    if ran.status:  # where the kernel does not give all of it
        assert last["diagnostics"][0]["code"] == "T016"
    else:
        assert all("isolates the code" not in one["message"] for one in last["diagnostics"])


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: '{0}/there'", "read {0}/there"),
        ("PermissionError: [Errno 13] Permission denied: '{0}/there'", "read {0}/there"),
        ("cannot open {0}/there: No such file or directory (os error 2)", "read {0}/there"),
        ("cannot open `{0}/there`: Permission denied (os error 13)", "read {0}/there"),
        ("OSError: [Errno 30] Read-only file system: '{0}/there'", "write {0}/there"),
        ("[Errno 2] No such file or directory: '{0}/absent'", "or --allow-write {0} gives"),
        ("[Errno 2] No such file or directory: '/usr/lib/absent'", None),
        ("[Errno 2] No such file or directory: '/nowhere/at/all'", None),
        ("[Errno 2] No such file or directory: '/tmp/absent'", None),
        ("[Errno 13] Permission denied: '/tmp/absent'", "write /tmp gives it yours"),
        ("[Errno 2] No such file or directory: 'relative'", None),
        ("[Errno 22] Invalid argument: '{0}/there'", None),
        ("{0}/there is odd", None),
        ("[Errno 13] Permission denied: '/proc/1/environ'", None),
        (None, None),
    ],
)
def test_a_hint_is_given_where_the_error_leaves_nothing_open(tmp_path, error, hint):
    (tmp_path / "there").touch()
    found = refusal_hint(error and error.format(tmp_path), FileAccess())
    if hint is None:
        assert found is None
    else:
        assert f"--allow-{hint.format(tmp_path)}" in found or hint.format(tmp_path) in found


def test_what_was_given_is_not_offered_again(tmp_path):
    (tmp_path / "there").touch()
    given = FileAccess(reads=(str(tmp_path),), writes=(str(tmp_path),))
    for number in (2, 13, 30):
        assert refusal_hint(f"[Errno {number}] no: '{tmp_path}/there'", given) is None
    assert os.path.exists(tmp_path / "there")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("PermissionError: [Errno 13] Permission denied", "write /dev/shm"),
        (
            "PermissionError: [Errno 13] Permission denied: '/psm_4a2bd5f1'",
            "write /dev/shm",
        ),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/tmp/absent'", None),
    ],
)
def test_where_shared_memory_is_everybodys_the_hint_says_so(error, hint):
    found = refusal_hint(error, FileAccess(has_root=False))
    assert found is None if hint is None else hint in found
    assert refusal_hint(error, FileAccess()) is None
