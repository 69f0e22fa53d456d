"""What `run` says of lines that make no sense, and of code that does not do what it should."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.runs import lines_of, statuses

FINE = "@cloaca.task(id='load_orders', retry_attempts=1)\ndef load_orders(context): ...\n"
ONCE = "@cloaca.task(id='a', retry_attempts=1)\ndef a(context):\n    "


def check_lines(outcome):
    """Nobody meets a bug, or a line that moves the cursor; a task's own traceback is welcome."""
    text = outcome.out + outcome.err
    assert "this is a bug in" not in text, outcome
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)


@pytest.mark.parametrize(
    ("context", "place", "words"),
    [
        ("[1]", "--context", "not a JSON object"),
        ('{"a": 1', "--context:1:8", "not JSON"),
        ('{"a": 1, "a": 2}', "--context", "stands twice"),
        ('{"a": NaN}', "--context", "no number"),
        ('{"a": "\\ud800"}', "--context", "surrogate"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "--context", "deep"),
        ("", "--context", "not JSON"),
        ("@bad.json", "bad.json:2:9", "not JSON"),
    ],
)
def test_a_context_that_is_no_json_object_is_told_with_its_place(
    refused,
    signed,
    tmp_path,
    context,
    place,
    words,
):
    (tmp_path / "bad.json").write_text('{\n  "day" 1}\n')
    told = refused("run", signed, "--context", context, status=2, code="U001")
    assert place in told.err
    assert words in told.err


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("@", "the name of a file behind the @"),
        ("in.json", "the file of that name is meant by @in.json"),
    ],
)
def test_a_context_that_was_to_be_a_file_says_how(refused, signed, tmp_path, context, words):
    (tmp_path / "in.json").write_text("{}")
    assert words in refused("run", signed, "--context", context, status=2, code="U001").err


def test_a_context_file_may_begin_with_a_mark_of_its_encoding(cli, signed, tmp_path):
    (tmp_path / "in.json").write_bytes(b'\xef\xbb\xbf{"orders": []}')
    ran = cli("run", signed, "--task", "check_orders", "--context", "@in.json")
    assert ran.status == 0, ran.err


def test_a_context_on_standard_input_is_called_that(signed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", "run", str(signed), "--context", "@-"],
        input=b"{1}", capture_output=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"standard input:1:2" in done.stderr


def test_a_context_file_that_is_not_there(refused, signed):
    refused("run", signed, "--context", "@lost.json", status=8, code="I002")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--task", "read_order"), "did you mean `read_orders`"),
        (("--task", "zzz"), "it has `check_orders`"),
        (("--workflow", "daily_reports"), "did you mean `daily_report`"),
        (("--trigger", "zzz"), "no such trigger"),
        (("--task", "a\x1b[2J"), "\\x1b[2J"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_the_near_ones(
    refused,
    signed,
    words,
    said,
):
    told = refused("run", signed, *words, status=2, code="T007")
    assert said in told.err


@pytest.mark.parametrize(
    "words",
    [
        ("--task", "a", "--trigger", "b"),
        ("--task", "a", "--plan"),
        ("--plan", "--trigger", "b"),
        ("--task", "a", "--keep-going"),
        ("--task", "a", "--graph", "b"),
        ("--plan", "--graph", "b"),
        ("--graph", "b", "--trigger", "c"),
        ("--graph", "b", "--engine", "cloaca"),
        ("--graph", "b", "--keep-going"),
        ("--trigger", "a", "--context", "{}"),
        ("--jobs", "0"),
        ("--timeout", "0"),
        ("--timeout=-5",),
        ("--timeout", "9999999999999"),
        ("--jobs=-1",),
        ("--jobs", "1001"),
        ("--timeout", "1.5"),
        ("--jobs", "many"),
        ("--engine",),
    ],
)
def test_a_line_that_makes_no_sense(refused, signed, words):
    refused("run", signed, *words, status=2, code="U001")


def test_package_and_context_cannot_both_come_on_standard_input(refused):
    told = refused("run", "-", "--context", "@-", status=2, code="U001")
    assert "standard input" in told.err


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("lost.cloacina", 8, "I002"),
        ("./lost", 8, "I002"),
        ("nobody", 8, "D001"),
        ("nobody@1.0", 8, "D001"),
        ("@1.0", 2, "U001"),
    ],
)
def test_a_package_that_is_not_there(refused, word, status, code):
    refused("run", word, "--registry", "registry", status=status, code=code)


def test_something_that_is_no_package(refused, tmp_path):
    (tmp_path / "x.cloacina").write_text("hello")
    refused("run", "x.cloacina", status=3, code="A001")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys\nsys.exit(3)\n", "SystemExit(3)"),
        ("import sys\nsys.exit(3)\n", 'under `if __name__ == "__main__":`'),
        ("import os\nos.abort()\n", "its code crashed while it was loaded"),
        ("import no_such_module_here\n", "no_such_module_here"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("import os\nos._exit(0)\n", ""),
        ("import os\nos.abort()\n", "SIGABRT"),
        ("import threading\nraise KeyboardInterrupt\n", ""),
    ],
)
def test_a_package_that_cannot_be_imported_is_refused_with_its_own_words(
    cli,
    made,
    text,
    words,
):
    path = made(FINE + text)
    told = cli("run", path)
    assert told.status == 3, told
    check_lines(told)
    assert "error[T00" in told.err
    assert words in told.err
    answered = cli("run", path, "--json", "--events")
    (events, answer) = lines_of(answered)
    assert (answered.status, events, answer["result"]) == (3, [], None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no \\x1b[2J stock')", "no \\x1b[2J stock"),
        ("raise SystemExit(3)", ""),
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os._exit(0)", ""),
        ("import os, signal; os.kill(0, signal.SIGKILL)", "SIGKILL"),
        ("return {'a': 1}", ""),
        ("context.set('a', float('nan')); return context", ""),
        ("context.set('a', {1, 2}); return context", ""),
        ("raise ValueError('x' * 1000000)", "xxx"),
        ("import cloaca_is_not_this", "cloaca_is_not_this"),
        ("a(context)", "recursion"),
    ],
)
def test_a_task_that_goes_wrong_is_a_task_that_failed(cli, made, body, words):
    path = made(ONCE + body + "\n")
    told = cli("run", path)
    assert told.status == 1, told
    check_lines(told)
    assert "error[T001]" in told.err
    assert words in told.err
    assert len(told.out) < 10_000
    assert len(told.err.splitlines()[-1]) < 5_000
    _, answer = lines_of(cli("run", path, "--json"))
    assert statuses(answer) == {"a": "failed"}


def test_half_of_a_surrogate_pair_harms_nobody(cli, made):
    path = made(ONCE + "context.set('a', 'x\\ud800y'); return context\n")
    check_lines(cli("run", path))
    lines_of(cli("run", path, "--json"))


def test_a_crash_is_a_failed_attempt_and_the_next_one_has_a_new_process(cli, made, tmp_path):
    mark = str(tmp_path / "mark")
    text = (
        "import os\n@cloaca.task(id='a', retry_attempts=2, retry_delay_ms=0)\ndef a(context):\n"
        f"    if not os.path.exists({mark!r}):\n        open({mark!r}, 'w')\n        os.abort()\n"
        "@cloaca.task(id='b', dependencies=['a'])\ndef b(context): ...\n"
    )
    ran = cli("run", made(text), "--json", "--allow-write", tmp_path)
    assert ran.status == 0, ran.err
    _, answer = lines_of(ran)
    assert [task["attempts"] for task in answer["result"]["tasks"]] == [2, 1]


def test_a_flood_of_output_ends_and_is_an_error(cli, made):
    text = ONCE + "while True: print('x' * 1000)\n"
    ran = cli("run", made(text), "--quiet")
    assert ran.status == 1
    assert "output" in ran.err
    assert len(ran.err) < 10_000


def test_files_that_are_read_late_are_warned_of_and_read(cli, made):
    text = (
        "import os\n@cloaca.task(id='a', retry_attempts=1)\ndef a(context):\n"
        "    path = os.path.join(os.path.dirname(__file__), 'rates.txt')\n"
        "    context.set('rates', open(path).read())\n    return context\n"
    )
    path = made(text, rates__txt="1.5")
    ran = cli("run", path, "--json")
    assert ran.status == 0, ran.err
    _, answer = lines_of(ran)
    assert answer["result"]["context"] == {"rates": "1.5"}
    assert [one["code"] for one in answer["diagnostics"]] == ["T009"]
    assert "warning[T009]" in ran.err


def test_a_reader_that_goes_away_does_not_change_how_it_ends(cli, made, tmp_path):
    line = f"{sys.executable} -m cloacina_ctl run {made(FINE)}"
    done = subprocess.run(
        ["bash", "-c", f"{line} --json | head -c 5; echo; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.split(b"\n")[-2] == b"0"
    assert done.stderr == b""


def test_the_answer_to_a_refusal_has_no_events(cli, signed):
    told = cli("run", signed, "--task", "zzz", "--json")
    assert told.out.count("\n") == 1
    assert json.loads(told.out)["schema"] == "cloacina-ctl/run/1"


def test_a_crash_that_takes_others_along_names_them_and_says_how_to_find_out(cli, made, tmp_path):
    both = str(tmp_path / "both")
    text = (
        "import os, time\n"
        "@cloaca.task(id='boom', retry_attempts=1)\ndef boom(context):\n"
        f"    while not os.path.exists({both!r}): time.sleep(0.01)\n    os.abort()\n"
        "@cloaca.task(id='fine', retry_attempts=1)\ndef fine(context):\n"
        f"    open({both!r}, 'w').close()\n    time.sleep(600)\n"
    )
    ran = cli("run", made(text), "--keep-going", "--json", "--allow-write", tmp_path)
    assert ran.status == 1
    _, answer = lines_of(ran)
    for found in answer["diagnostics"]:
        assert "`boom` and `fine` ran in it" in found["message"]
        assert found["hint"].startswith("--jobs 1 ")
