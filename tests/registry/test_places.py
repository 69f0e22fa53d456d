"""A registry whose path no locale can spell, and output that has to say it all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.json_schemas import judge
from tests.support.projects import FIXTURES

NAME = "daily-report"
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
UTF8 = {"LC_ALL": "C.UTF-8"}
RUNS = (
    ["list"], ["list", "--check"], ["list", "--check", "--repair"], ["rollback", NAME],
    ["rollback", NAME, "--to", "1.1.0"], ["run", NAME, "--plan"], ["uninstall", NAME], ["list"],
)  # fmt: skip


def say(words: list, locale: dict[str, str], **more: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(FIXTURES.parent), **locale, **more}
    return subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", *words],
        capture_output=True, check=False, timeout=60, env=env,
    )  # fmt: skip


@pytest.mark.parametrize("locale", [PLAIN, UTF8], ids=["ascii", "utf-8"])
@pytest.mark.parametrize(
    "name", ["my flows \U0001f680/rég 100%?#", b"r\xff"], ids=["unicode", "no text"]
)
def test_a_registry_may_lie_where_the_locale_has_no_letters_for(user, made, tmp_path, locale, name):
    folder = os.path.join(os.fsencode(tmp_path), name.encode() if isinstance(name, str) else name)
    for words in (["install", made.first], ["install", made.second], *RUNS):
        said = say([*words, "--registry", folder, "--json"], locale)
        assert said.returncode == 0, (words, said.stderr)
        lines = said.stdout.decode("ascii").splitlines()
        judge(json.loads(lines[-1]))
        assert json.loads(lines[-1])["ok"] is True
    assert sorted(os.listdir(folder))[:2] == [b"incoming", b"lock"]
    said = say(["list", "--registry", folder], locale)
    assert b"nothing is installed in" in said.stderr
    assert b"\xff" not in said.stderr


@pytest.mark.parametrize("how", ["home", "settings"])
def test_a_registry_below_a_home_of_other_letters(user, made, tmp_path, monkeypatch, how):
    monkeypatch.delenv("CLOACINA_CTL_REGISTRY")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if how == "settings":
        (user / "config.toml").write_text('registry = "dém"\n', encoding="utf-8")
    home = tmp_path / "dém"
    home.mkdir()
    for words in (["install", made.first], ["list"]):
        said = say([*words, "--json"], PLAIN, HOME=str(home))
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["ok"] is True
    there = user / "dém" if how == "settings" else home
    assert list(there.rglob("public.json"))
