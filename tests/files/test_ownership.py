"""What is trusted lies where nobody else can put something else: each folder and link is judged."""

import os
import shlex
import shutil
import subprocess

import pytest

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.files import ownership
from cloacina_ctl.files.ownership import find_shared, refuse_shared, steps_to
from cloacina_ctl.settings import signing_key
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.store import KeyStore
from cloacina_ctl.signing.trust import TrustStore, known_keys
from tests.support.machine import as_user, folder_of

KEY = PrivateKey.from_raw(bytes(range(32))).public
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "home" / ".config" / "cloacina-ctl"
    KeyStore(str(folder)).add_public("own", KEY)
    TrustStore(str(folder)).add("alice", PrivateKey.from_raw(bytes(32)).public)
    (folder / "config.toml").write_text('signing_key = "own"\n')
    return folder


def uses(folder, monkeypatch):
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder))
    return (
        KeyStore(str(folder)).list,
        TrustStore(str(folder)).list,
        lambda: known_keys(str(folder)),
        lambda: KeyStore(str(folder)).generate("new"),
        signing_key,
    )


def refusal(use):
    with pytest.raises(NotTrusted) as caught:
        use()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code is Code.SHARED_FOLDER
    return diagnostic


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o757])
@pytest.mark.parametrize("above", [1, 2])
def test_a_folder_above_that_everybody_can_write_to_is_refused(config, monkeypatch, above, mode):
    folder = config.parents[above - 1]
    folder.chmod(mode)
    for use in uses(config, monkeypatch):
        found = refusal(use)
        assert found.where == str(folder)
        assert f"{mode:04o}" in found.message
        assert found.hint.endswith(f"chmod go-w {shlex.quote(str(folder))}")
    subprocess.run(["sh", "-c", found.hint.split("then: ")[1]], check=True)
    for use in uses(config, monkeypatch):
        use()


def test_a_folder_above_that_is_open_to_all_but_sticky_is_taken(config, monkeypatch):
    config.parents[1].chmod(0o1777)  # as /tmp: nobody can rename what is another's there
    for use in uses(config, monkeypatch):
        use()


@needs_root
def test_a_folder_above_that_belongs_to_somebody_else_is_refused(config, monkeypatch):
    os.chown(config.parent, 12345, 12345)
    for use in uses(config, monkeypatch):
        found = refusal(use)
        assert found.where == str(config.parent)
        assert "CLOACINA_CTL_CONFIG_DIR" in found.hint
    command = found.hint.split("`")[1]
    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    for use in uses(made.stdout.strip(), monkeypatch):
        use()
    shutil.rmtree(made.stdout.strip())


@needs_root
def test_a_link_that_somebody_else_made_is_refused_though_it_leads_to_what_is_ours(
    config, monkeypatch
):
    """Below a sticky folder others can make a link, to our own old keys for example."""
    shared = config.parents[1]
    shared.chmod(0o1777)
    (shared / "old").symlink_to(config)
    os.lchown(shared / "old", 12345, 12345)
    for use in uses(shared / "old", monkeypatch):
        assert refusal(use).where == str(shared / "old")
    os.lchown(shared / "old", 0, 0)
    for use in uses(shared / "old", monkeypatch):
        use()


@needs_root
def test_the_way_behind_a_link_is_judged(config, monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to("home/../home/.config")
    config.parents[1].chmod(0o777)
    for use in uses(tmp_path / "link" / "cloacina-ctl", monkeypatch):
        assert refusal(use).where == str(config.parents[1])


def test_a_trust_file_that_leads_elsewhere_is_judged_there(config, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (config / "trust.json").rename(elsewhere / "trust.json")
    (config / "trust.json").symlink_to(elsewhere / "trust.json")
    assert len(TrustStore(str(config)).list()) == 1
    elsewhere.chmod(0o777)
    assert refusal(TrustStore(str(config)).list).where == str(elsewhere)


def test_the_way_to_a_path_names_each_folder_and_link(tmp_path):
    (tmp_path / "real" / "end").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to("loop")
    names = [step.path for step in steps_to(str(tmp_path / "link" / "end" / "no" / "more"))]
    assert names[0] == "/"
    assert names[-3:] == [str(tmp_path / "link"), str(tmp_path / "real"), f"{tmp_path}/real/end"]
    assert len(list(steps_to(str(tmp_path / "loop")))) < 100


@needs_root
def test_a_user_with_an_ordinary_home_is_not_refused():
    with folder_of(12345) as home:
        home.chmod(0o750)
        with as_user(12345):
            KeyStore(str(home / ".config" / "cloacina-ctl")).generate("a")
            assert len(known_keys(str(home / ".config" / "cloacina-ctl"))) == 1
            assert find_shared(str(home)) is None


@needs_root
@pytest.mark.parametrize(
    ("members", "group", "is_refused"),
    [((), "u", False), (("u",), "u", False), (("u", "x"), "u", True), ((), "staff", True)],
)
def test_a_group_of_ones_own_may_write_above_and_no_other(monkeypatch, members, group, is_refused):
    """Debian and Fedora give each user such a group, and an umask of 002."""
    import grp
    import pwd

    row = ("u", "x", 12345, 12345, "", "/", "")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd(row))
    found = grp.struct_group((group, "x", 12345, list(members)))
    monkeypatch.setattr(grp, "getgrgid", lambda _: found)
    with folder_of(12345) as home:
        (home / "above" / "config").mkdir(parents=True)
        for path in (home / "above", home / "above" / "config"):
            os.chown(path, 12345, 12345)
        (home / "above").chmod(0o775)
        with as_user(12345):
            if is_refused:
                refusal(lambda: refuse_shared(str(home / "above" / "config")))
            else:
                refuse_shared(str(home / "above" / "config"))
            (home / "above" / "config").chmod(0o775)  # that one is for nobody else
            refusal(lambda: refuse_shared(str(home / "above" / "config")))


IN_A_NAMESPACE = """
from cloacina_ctl.files.ownership import find_shared
import os, sys
print(os.stat("/").st_uid, find_shared(sys.argv[1]))
"""


@needs_root
def test_a_sandbox_that_does_not_show_the_administrator_is_not_refused():
    """There / belongs to the overflow user, as do all folders of the administrator."""
    python = "/usr/bin/python3"  # one that other users may start
    with folder_of(12345) as home, as_user(12345):
        (home / "keys").mkdir(mode=0o700)
        done = subprocess.run(
            ["unshare", "--user", "--map-user=12345", "--map-group=12345", python, "-c",
             IN_A_NAMESPACE, str(home / "keys")],
            capture_output=True, text=True, check=False, cwd="/",
            env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(ownership.__file__))},
        )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no user namespace, or no Python in it: {done.stderr[-80:]}")
    owner, shared = done.stdout.split(maxsplit=1)
    assert owner != "0"
    assert shared.strip() == "None"


@needs_root
def test_the_overflow_user_is_somebody_else_where_the_administrator_is_shown(tmp_path):
    (tmp_path / "a").mkdir()
    os.chown(tmp_path / "a", 65534, 65534)
    assert refusal(lambda: refuse_shared(str(tmp_path / "a"))).where == str(tmp_path / "a")
