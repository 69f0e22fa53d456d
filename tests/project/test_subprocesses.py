"""Running other programs: which, with what environment, how much of them, how they end."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import BuildFailed, Code, FileProblem
from cloacina_ctl.project import subprocesses
from cloacina_ctl.project.subprocesses import Program, clean_environment, find_program, run
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def shell(text: str) -> Program:
    return Program("/bin/sh", ("-c", text), "/", clean_environment())


def python(text: str) -> Program:
    return Program(sys.executable, ("-c", text), "/", clean_environment())


def lines_of(program: Program) -> tuple[int, list[bytes], list[str]]:
    output: list[bytes] = []
    messages: list[str] = []
    status = run(program, output.append, messages.append)
    return status, output, messages


def executable(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def assert_gone(pids: list[int]) -> None:
    """A killed process takes a moment to go."""
    wait_until(lambda: not any(map(is_alive, pids)))


def test_gives_output_and_messages_line_by_line() -> None:
    program = shell("printf 'one\\n\\ntwo'; printf 'said\\r\\nmore\\n\\377' >&2; exit 7")
    assert lines_of(program) == (7, [b"one", b"two"], ["said", "more", "�"])


def test_a_signal_is_a_negative_status() -> None:
    assert lines_of(shell("kill -9 $$"))[0] == -signal.SIGKILL


def test_takes_no_program_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path, "cargo")
    monkeypatch.chdir(tmp_path)
    for entries in ("", ".", "./", f"{os.pathsep}.", "relative"):
        monkeypatch.setenv("PATH", entries)
        assert find_program("cargo") is None
        assert clean_environment()["PATH"] == ""


def test_finds_the_first_executable_and_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name tells rustup which of its tools to be."""
    rustup = executable(tmp_path / "real", "rustup")
    link = tmp_path / "bin" / "cargo"
    link.parent.mkdir()
    link.symlink_to(rustup)
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "cargo").write_text("not executable")
    monkeypatch.setenv("PATH", f"{tmp_path}/first:{tmp_path}/bin")
    assert find_program("cargo") == str(link)


@pytest.mark.parametrize(
    "name",
    [
        "CLOACINA_CTL_SIGNING_KEY", "CARGO_REGISTRY_TOKEN", "CARGO_REGISTRIES_MINE_TOKEN",
        "CARGO_REGISTRIES_MINE_SECRET_KEY", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY",
        "SSH_AUTH_SOCK", "LD_PRELOAD", "PYTHONPATH", "RUSTUP_PASSWORD", "cargo_x",
    ],
)  # fmt: skip
def test_a_build_does_not_see(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "CANARY-SECRET")
    assert name not in clean_environment()


@pytest.mark.parametrize(
    "name",
    [
        "HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CC", "CC_x86_64-unknown-linux-gnu",
        "PKG_CONFIG_PATH", "TMPDIR", "LC_ALL", "https_proxy", "SSL_CERT_FILE", "SOURCE_DATE_EPOCH",
    ],
)  # fmt: skip
def test_a_build_sees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/value")
    assert clean_environment()[name] == "/value"


def test_a_line_without_end_is_an_error_and_not_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses._Lines, "longest", 1 << 20)
    with pytest.raises(BuildFailed, match="a line of more than 1048576 bytes") as error:
        lines_of(shell("yes | tr -d '\\n'"))
    assert error.value.diagnostics[0].code is Code.BUILD_FAILED


def test_output_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses, "MAX_OUTPUT_BYTES", 1 << 20)
    with pytest.raises(BuildFailed, match="more than 1048576 bytes of output"):
        lines_of(shell("yes"))


def test_a_message_that_is_too_long_comes_in_parts() -> None:
    _, _, messages = lines_of(python("import sys; sys.stderr.write('x' * 200_000 + '\\ny')"))
    assert len(messages) > 2
    assert "".join(messages) == "x" * 200_000 + "y"


def test_a_grandchild_that_keeps_the_pipe_open_does_not_hold_us() -> None:
    start = time.monotonic()
    status, output, _ = lines_of(shell("sleep 60 & echo $!; exit 0"))
    assert status == 0
    assert time.monotonic() - start < 20
    assert_gone([int(output[0])])


def test_an_interrupt_ends_the_whole_session() -> None:
    seen: list[int] = []

    def interrupt(line: bytes) -> None:
        seen.append(int(line))
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(shell("sleep 60 & echo $!; echo $$; wait"), interrupt)
    assert_gone(seen)


def test_one_that_ignores_the_polite_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses, "GRACE_SECONDS", 0.2)

    def stop(_: bytes) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(shell("trap '' TERM; echo ready; while :; do sleep 0.1; done"), stop)
    assert time.monotonic() - start < 20


def test_without_a_receiver_messages_go_to_our_own_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    run(shell("echo out; echo err >&2"), lambda _: None)
    assert capfd.readouterr() == ("", "err\n")


def test_input_is_empty() -> None:
    assert lines_of(shell("cat; echo end"))[1] == [b"end"]


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    program = Program(str(tmp_path / "missing"), (), "/", {})
    with pytest.raises(FileProblem) as error:
        lines_of(program)
    assert error.value.diagnostics[0].where == program.path
