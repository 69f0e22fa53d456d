"""No secret that somebody puts into a wrong place is shown, in whole or in part."""

from __future__ import annotations

import pytest

from cloacina_ctl.cli import main
from cloacina_ctl.settings import ENV_PASSPHRASE_FILE, ENV_SIGNING_KEY, ENV_TOKEN, Settings
from tests.cli.secret_places import (
    HEX,
    PASSPHRASE,
    SHAPED,
    Canary,
    Place,
    places,
    seen,
    told,
    variables,
)

PLACES = list(places())
NEAR = [place for place in PLACES if place.near_secret]
PLAIN = [place for place in NEAR if not place.joined]  # what parses: no error of use
WRONG = [
    place for place in PLACES if place.name.startswith(("the verb", "key import,", "sign --k"))
]
SOME = [SHAPED[0], SHAPED[3]]
RUNS = (
    ("package", "."),
    ("sign", "absent.cloacina"),
    ("list",),
    ("key", "list"),
    ("publish", "absent.cloacina", "--server", "https://host.invalid"),
    ("key", "generate", "made", "--passphrase"),
)


@pytest.fixture(autouse=True)
def user(tmp_path, monkeypatch):
    """A user of this test's own, in an empty folder."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(home / "config"))
    for name in variables():
        if name != "CLOACINA_CTL_CONFIG_DIR":
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("cloacina_ctl.cli.terminal.prompt.typed", lambda _: None)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return home


@pytest.fixture
def say(capsys):
    """Run a command line in this process and return all that it said."""

    def run(words):
        main.run(words)
        return told(*capsys.readouterr())

    return run


def check(say, place: Place, canary: Canary):
    for more in (("--debug",), ("--debug", "--json")):
        texts = say((*place.words(canary.text), *more))
        assert seen(canary, *texts) == set(), (place.words("SECRET"), more, texts)


def check_runs(say, canary: Canary, runs=RUNS):
    for words in runs:
        texts = say((*words, "--debug", "--json"))
        assert seen(canary, *texts) == set(), (words, texts)


def set_user(user, text: str, folder: str = "config"):
    (user / folder).mkdir(exist_ok=True)
    (user / folder / "config.toml").write_text(text)


def quoted(canary: Canary) -> str:
    return canary.text.replace("\\", "\\\\").replace("\n", "\\n")


@pytest.mark.parametrize("canary", SOME, ids=lambda one: one.name)
def test_a_secret_in_place_of_its_name_or_file_is_not_shown(say, canary):
    check_runs(say, canary, [place.words(canary.text) for place in PLAIN])


def test_a_secret_in_a_wrong_line_is_not_shown(say):
    for canary in SOME:
        check_runs(say, canary, [place.words(canary.text) for place in WRONG])


def test_a_passphrase_in_place_of_its_file_is_not_shown(say):
    for place in NEAR:
        if "--token-file" in place.before or "--passphrase-fd" in place.before:
            check(say, place, PASSPHRASE)


@pytest.mark.parametrize("canary", [*SOME, PASSPHRASE], ids=lambda one: one.name)
@pytest.mark.parametrize("name", [ENV_SIGNING_KEY, ENV_PASSPHRASE_FILE, ENV_TOKEN])
def test_a_secret_in_a_variable_is_not_shown(say, monkeypatch, name, canary):
    monkeypatch.setenv(name, canary.text)
    runs = {ENV_SIGNING_KEY: RUNS[1], ENV_PASSPHRASE_FILE: RUNS[-1], ENV_TOKEN: RUNS[-2]}
    check_runs(say, canary, (runs[name],))


@pytest.mark.parametrize("canary", SOME, ids=lambda one: one.name)
def test_a_secret_in_a_setting_is_not_shown(say, user, canary):
    set_user(user, f'signing_key = "{quoted(canary)}"\n')
    check_runs(say, canary, RUNS[:2])


@pytest.mark.slow
@pytest.mark.parametrize("canary", SHAPED, ids=lambda one: one.name)
def test_a_secret_in_any_place_of_any_command_is_not_shown(say, canary):
    shown = []
    for place in PLACES:
        # With --json standard error has what is said without, too.
        for more in ((), ("--json",)) if canary.name == "base64" else (("--json",),):
            texts = say((*place.words(canary.text), *more, "--debug"))
            shown += [(place.name, more, texts)] if seen(canary, *texts) else []
    assert shown == []


@pytest.mark.slow
@pytest.mark.parametrize("canary", [HEX, PASSPHRASE], ids=lambda one: one.name)
def test_a_secret_without_a_shape_is_not_shown_where_one_belongs(say, canary):
    for place in NEAR:
        if canary is HEX or any("--pass" in word or "--token" in word for word in place.words("")):
            check(say, place, canary)


@pytest.mark.slow
@pytest.mark.parametrize("canary", SHAPED, ids=lambda one: one.name)
@pytest.mark.parametrize("name", variables())
def test_a_secret_in_any_variable_is_not_shown(say, monkeypatch, name, canary):
    monkeypatch.setenv(name, canary.text)
    check_runs(say, canary)


@pytest.mark.slow
@pytest.mark.parametrize("canary", SHAPED, ids=lambda one: one.name)
@pytest.mark.parametrize("key", [*Settings._fields, "a key", "a broken line"])
def test_a_secret_in_any_setting_is_not_shown(say, user, key, canary):
    value = f'"{quoted(canary)}"'
    line = {"a key": f"{value} = 1", "a broken line": canary.text}.get(key, f"{key} = {value}")
    set_user(user, f"{line}\n")
    check_runs(say, canary)


PROFILE = 'default_profile = "a"\n[profiles.a]\n'
PROFILES = {
    "default_profile": 'default_profile = "{}"\n',
    "server": PROFILE + 'server = "{}"\n',
    "host": PROFILE + 'server = "https://{}"\n',
    "api_key": PROFILE + 'server = "https://h.invalid"\napi_key = "{}"\n',
    "file": PROFILE + 'server = "https://h.invalid"\napi_key = "file:{}"\n',
    "variable": PROFILE + 'server = "https://h.invalid"\napi_key = "env:{}"\n',
    "name": 'default_profile = "{0}"\n[profiles."{0}"]\nserver = 1\n',
}


@pytest.mark.slow
@pytest.mark.parametrize("canary", SHAPED, ids=lambda one: one.name)
@pytest.mark.parametrize("key", PROFILES)
def test_a_secret_in_a_profile_is_not_shown(say, user, key, canary):
    set_user(user, PROFILES[key].format(quoted(canary)), ".cloacina")
    publish = ("publish", "absent.cloacina")
    check_runs(say, canary, (publish, (*publish, "--profile", "other")))


def test_a_flag_behind_the_option_of_a_secret_is_no_secret(say):
    texts = say(("key", "generate", "--passphrase", "--nothing", "--debug"))
    assert "no such option: --nothing" in "".join(texts)
    texts = say(("key", "generate", "made", "more", "--passphrase", "--verbose"))
    assert "see `cloacina-ctl key generate --help`" in "".join(texts)
