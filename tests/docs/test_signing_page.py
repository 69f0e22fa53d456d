"""The recipes of the page on keys run as they stand there."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from cloacina_ctl.errors import NotTrusted
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.signing.keys import PrivateKey, load_private_key
from tests.support.machine import as_user, folder_of
from tests.support.projects import ROOT

PAGE = (ROOT / "docs" / "signing.md").read_text("utf-8")
CI = PAGE.partition("### In CI")[2].partition("### ")[0]
KEY = PrivateKey.from_raw(bytes(range(32)))
COMMANDS = tuple(dict.fromkeys(re.findall(r"(?:run: |- )(cloacina-ctl .*)", CI)))


@pytest.fixture
def job(tmp_path):
    """Make the folder of a job of CI: a package, and the secrets that its settings give it."""
    (tmp_path / "dist").mkdir()
    made = PackageRequest(
        str(ROOT / "fixtures" / "python_report"), str(tmp_path / "dist" / "etl.cloacina")
    )
    package(made)
    (tmp_path / "file").write_bytes(KEY.to_pem())
    (tmp_path / "file").chmod(0o666)
    (tmp_path / "release.pub").write_bytes(KEY.public.to_pem())
    return tmp_path


def run(job, command):
    words = f"{shlex.quote(sys.executable)} -m cloacina_ctl"
    return subprocess.run(
        ["bash", "-c", command.replace("cloacina-ctl", words, 1)], cwd=job, check=False,
        capture_output=True, text=True,
        env={
            **os.environ, "SIGNING_KEY": KEY.to_pem().decode(),
            "SIGNING_KEY_FILE": str(job / "file"), "PYTHONPATH": str(ROOT),
        },
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_recipe_signs_and_what_it_signed_is_verified(job, command):
    assert "sign dist/etl.cloacina" in command
    done = run(job, command)
    assert done.returncode == 0, done.stderr
    verify = re.search(r"`(cloacina-ctl verify .*?)`", CI)[1]
    assert run(job, verify).returncode == 0


def test_the_recipes_of_the_page_are_found():
    assert len(COMMANDS) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_secret_with_the_mode_and_group_of_the_recipe_is_taken_and_by_default_refused():
    user, group = (int(re.search(rf"{name}: (\d+)", CI)[1]) for name in ("runAsUser", "fsGroup"))
    mode = int(re.search(r"defaultMode: (\d+)", CI)[1], 8)
    with folder_of(0) as volume:  # as the kubelet makes it: sticky, of root and the group
        os.chown(volume, 0, group)
        volume.chmod(0o3777)
        (volume / "..data").mkdir(mode=0o755)
        (volume / "..data" / "key.pem").write_bytes(KEY.to_pem())
        os.chown(volume / "..data" / "key.pem", 0, group)
        (volume / "key.pem").symlink_to("..data/key.pem")
        (volume / "..data" / "key.pem").chmod(mode)
        with as_user(user, groups=(group,)):
            assert load_private_key(str(volume / "key.pem")).public == KEY.public
        (volume / "..data" / "key.pem").chmod(0o644)
        with as_user(user, groups=(group,)), pytest.raises(NotTrusted, match="others can use"):
            load_private_key(str(volume / "key.pem"))
