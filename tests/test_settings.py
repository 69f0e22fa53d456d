"""Settings: where the user's folder is, and what its configuration may say."""

import os
import sys

import pytest

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, FileProblem, UsageError
from cloacina_ctl.settings import (
    config_folder,
    expanded,
    names_a_source,
    registry_folder,
    signing_key,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv(settings.ENV_SIGNING_KEY, raising=False)
    monkeypatch.setenv(settings.ENV_FOLDER, str(tmp_path))
    return tmp_path


def test_the_folder_that_the_environment_names_wins(folder, monkeypatch):
    assert config_folder() == str(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv(settings.ENV_FOLDER, "here")
    assert config_folder() == str(folder / "here")


def test_on_linux_the_folder_follows_the_xdg_specification(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv(settings.ENV_FOLDER, "")
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert config_folder() == "/elsewhere/cloacina-ctl"
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CONFIG_HOME", ignored)
        assert config_folder() == "/home/a/.config/cloacina-ctl"


def test_on_macos_the_folder_is_application_support(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv(settings.ENV_FOLDER, raising=False)
    monkeypatch.setenv("HOME", "/Users/a")
    assert config_folder() == "/Users/a/Library/Application Support/cloacina-ctl"


def test_without_home_the_system_is_asked_and_a_relative_one_is_refused(monkeypatch):
    for name in (settings.ENV_FOLDER, "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert os.path.isabs(config_folder())
    for home in ("", "relative"):
        monkeypatch.setenv("HOME", home)
        with pytest.raises(FileProblem) as caught:
            config_folder()
        assert caught.value.diagnostics[0].code is Code.NO_HOME
        assert settings.ENV_FOLDER in caught.value.diagnostics[0].hint


def test_nothing_set_is_nothing(folder):
    assert signing_key() is None


def test_the_environment_wins_over_the_file(folder, monkeypatch):
    (folder / "config.toml").write_text('signing_key = "work"\n')
    assert signing_key() == "work"
    monkeypatch.setenv(settings.ENV_SIGNING_KEY, "ci")
    assert signing_key() == "ci"


def test_a_path_in_the_file_is_one_under_its_folder_and_never_under_the_current_one(
    folder, monkeypatch
):
    monkeypatch.setenv("HOME", "/home/a")
    for written, meant in {
        "work": "work",
        "work.pem": f"{folder}/work.pem",
        "sub/work": f"{folder}/sub/work",
        "~/work.pem": "/home/a/work.pem",
        "/abs/work.pem": "/abs/work.pem",
    }.items():
        (folder / "config.toml").write_text(f'signing_key = "{written}"\n')
        assert signing_key() == meant


def test_all_mistakes_are_said_at_once(folder):
    (folder / "config.toml").write_text('signing_kay = "a"\nzzz = 1\nsigning_key = 3\n')
    with pytest.raises(UsageError) as caught:
        signing_key()
    hints = [found.hint for found in caught.value.diagnostics]
    assert hints == ["did you mean `signing_key`?", "known are: signing_key, registry", None]
    assert {found.where for found in caught.value.diagnostics} == {str(folder / "config.toml")}


@pytest.mark.parametrize(
    "text", ["signing_key = ''\n", "signing_key = [\n", "= 1\n", "[signing_key]\n"]
)
def test_a_broken_file_is_a_mistake_of_use(folder, text):
    (folder / "config.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        signing_key()
    assert caught.value.diagnostics[0].code is Code.USAGE
    assert caught.value.diagnostics[0].where.startswith(str(folder / "config.toml"))


def test_a_folder_that_cannot_be_looked_into_is_not_one_without_settings(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv(settings.ENV_FOLDER, str(folder / "file"))
    with pytest.raises(FileProblem):
        signing_key()


def test_the_text_alone_says_whether_a_file_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").write_text("")
    assert not names_a_source("default")
    assert not names_a_source("56475aa75463474c")
    for path in ("./default", "a/b", "author.pub", "key.pem", "second.key"):
        assert names_a_source(path)


@pytest.fixture
def homeless(monkeypatch):
    for name in (settings.ENV_FOLDER, "XDG_CONFIG_HOME", "XDG_DATA_HOME", settings.ENV_REGISTRY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "")


def test_a_variable_that_names_the_key_needs_no_home_and_no_file(homeless, monkeypatch):
    monkeypatch.setenv(settings.ENV_SIGNING_KEY, "./ci.pem")
    assert signing_key() == "./ci.pem"


def test_a_variable_that_names_the_key_wins_over_a_broken_file(folder, monkeypatch):
    (folder / "config.toml").write_text("= 1\n")
    monkeypatch.setenv(settings.ENV_SIGNING_KEY, "./ci.pem")
    assert signing_key() == "./ci.pem"


@pytest.mark.skipif(sys.platform == "darwin", reason="the folder follows the XDG specification")
def test_without_a_home_the_registry_is_where_the_variables_say(homeless, monkeypatch):
    with pytest.raises(FileProblem) as caught:
        registry_folder()
    assert caught.value.diagnostics[0].code is Code.NO_HOME
    assert "--registry" in caught.value.diagnostics[0].hint
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert registry_folder() == "/data/cloacina-ctl/registry"
    monkeypatch.setenv(settings.ENV_REGISTRY, "/packages")
    assert registry_folder() == "/packages"


def test_a_tilde_is_never_a_folder_of_that_name(homeless, monkeypatch):
    assert expanded("a/~/b") == "a/~/b"
    with pytest.raises(FileProblem):
        expanded("~/token")
    monkeypatch.setenv("HOME", "/home/a")
    assert expanded("~/token") == "/home/a/token"
    assert expanded("~") == "/home/a"
