"""Passphrases that nobody types."""

import os

import pytest

from cloacina_ctl.cli.terminal import prompt
from cloacina_ctl.errors import FileProblem, NotTrusted


@pytest.fixture
def pipe():
    made = []

    def filled(data: bytes) -> int:
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        made.append(reader)
        return reader

    yield filled
    for reader in made:
        os.close(reader)


def test_a_descriptor_is_read_once_for_every_key_and_to_its_line_end(pipe):
    fd = pipe(b"sesame\r\nfor somebody else")
    ask = prompt.provider(fd)
    assert [ask("one"), ask("two")] == [b"sesame", b"sesame"]
    assert prompt.new_passphrase(fd) == b"for somebody else"


def test_the_file_that_the_environment_names_may_be_a_pipe(tmp_path, monkeypatch, pipe):
    (tmp_path / "secret").write_bytes(b"sesame\n")
    monkeypatch.setenv("CLOACINA_CTL_PASSPHRASE_FILE", str(tmp_path / "secret"))
    assert prompt.provider(None)("key") == b"sesame"
    assert prompt.provider(pipe(b"other"))("key") == b"other"
    monkeypatch.setenv("CLOACINA_CTL_PASSPHRASE_FILE", f"/dev/fd/{pipe(b'piped')}")
    assert prompt.provider(None)("key") == b"piped"


def test_what_holds_none_is_refused(tmp_path, monkeypatch, pipe):
    for data in (b"", b"\n", b"\r\n"):
        with pytest.raises(NotTrusted, match="holds no passphrase"):
            prompt.provider(pipe(data))("key")
    monkeypatch.setenv("CLOACINA_CTL_PASSPHRASE_FILE", str(tmp_path / "absent"))
    with pytest.raises(FileProblem, match="no such file"):
        prompt.provider(None)("key")
    with pytest.raises(FileProblem):
        prompt.provider(987)("key")


def test_without_a_terminal_there_is_none_to_be_had(monkeypatch):
    opened = os.open

    def no_terminal(path, *given, **named):
        if path == "/dev/tty":
            raise OSError(6, "no such device")
        return opened(path, *given, **named)

    monkeypatch.setattr(os, "open", no_terminal)
    assert prompt.provider(None)("key") is None
    with pytest.raises(NotTrusted, match="no terminal"):
        prompt.new_passphrase(None)
