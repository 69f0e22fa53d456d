"""The user's keys and trust: nothing overwritten, nothing lost, nothing taken from others."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys

import pytest

from cloacina_ctl.errors import CloacinaError, Code, FileProblem, NotTrusted, UsageError
from cloacina_ctl.files import locks
from cloacina_ctl.files.folders import hidden_name
from cloacina_ctl.files.staging import StagedFile
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.names import check_name
from cloacina_ctl.signing.resolve import find_private, find_public
from cloacina_ctl.signing.signatures import KnownKey
from cloacina_ctl.signing.store import KeyStore
from cloacina_ctl.signing.trust import TrustStore, find_trusted, known_keys
from tests.support.machine import as_user, folder_of, need

KEY = PrivateKey.from_raw(bytes(range(32)))
FINGERPRINT = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"
ADMINISTRATOR = os.geteuid() == 0


def public(number):
    return PrivateKey.from_raw(number.to_bytes(32, "big")).public


def code_of(caught):
    return caught.value.diagnostics[0].code


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "config" / "cloacina-ctl"


@pytest.fixture
def store(folder):
    return KeyStore(str(folder))


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_key_is_private_whatever_the_umask(folder, store, umask):
    made = store.generate("work")
    assert made == store.find("work")
    assert made.fingerprint == made.public.fingerprint
    assert (made.name, made.has_private, made.encrypted) == ("work", True, False)
    assert mode_of(folder / "keys" / "work.pem") == 0o600
    assert mode_of(folder / "keys" / "work.pub.pem") == 0o644
    for path in (folder.parent, folder, folder / "keys"):
        assert mode_of(path) == 0o700
    assert store.load_private("work").public == made.public
    assert sorted(os.listdir(folder / "keys")) == ["work.pem", "work.pub.pem"]


def test_keys_are_listed_by_name_without_opening_them(store):
    assert store.list() == ()
    store.generate("b", b"secret")
    store.generate("a")
    store.add_public("c", KEY.public)
    found = [(key.name, key.has_private, key.encrypted) for key in store.list()]
    assert found == [("a", True, False), ("b", True, True), ("c", False, False)]


def test_what_is_no_key_by_its_name_is_not_listed(folder, store):
    store.generate("a")
    for name in (".hidden.pub.pem", "-x.pub.pem", "deadbeef.pub.pem", "notes.txt"):
        (folder / "keys" / name).write_text("x")
    assert [key.name for key in store.list()] == ["a"]


def test_a_damaged_key_is_said_with_its_file_to_who_needs_it_and_the_others_count(folder, store):
    store.generate("a")
    kept = store.generate("b")
    (folder / "keys" / "a.pub.pem").write_text("x")
    for use in (store.find, store.load_private, store.remove):
        with pytest.raises(NotTrusted) as caught:
            use("a")
        assert caught.value.diagnostics[0].where.endswith("a.pub.pem")
    assert store.list() == (kept,)
    assert [one.name for one in store.unusable()] == ["a"]
    assert store.load_private("b").public == kept.public
    assert [key.name for key in known_keys(str(folder))] == ["b"]


def test_the_cure_for_a_damaged_public_half_makes_it_anew(folder, store):
    openssl = need("openssl")
    made = store.generate("a")
    store.add_public("lost", KEY.public)
    for name in ("a", "lost"):
        (folder / "keys" / f"{name}.pub.pem").write_text("x")
    for one in store.unusable():
        command = one.error.diagnostics[0].hint.split("`")[1]
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert openssl
    assert store.unusable() == ()
    assert store.list() == (made,)


@pytest.mark.skipif(not ADMINISTRATOR, reason="another user is needed")
def test_a_public_half_that_cannot_be_read_is_left_out_and_its_cure_works():
    """So an umask of 0777 once made them."""
    with folder_of(12345) as home, as_user(12345):
        store = KeyStore(str(home / "config"))
        store.generate("a")
        store.generate("b")
        (home / "config" / "keys" / "a.pub.pem").chmod(0)
        (bad,) = store.unusable()
        assert bad.error.diagnostics[0].code is Code.PERMISSION
        assert [key.name for key in store.list()] == ["b"]
        subprocess.run(["sh", "-c", bad.error.diagnostics[0].hint], check=True)
        assert [key.name for key in store.list()] == ["a", "b"]


@pytest.mark.skipif(not ADMINISTRATOR, reason="another user is needed")
@pytest.mark.parametrize("mask", [0o777, 0o277, 0o577])
def test_keys_and_trust_of_an_umask_that_takes_its_owner_s_rights_can_be_used(mask):
    with folder_of(12345) as home, as_user(12345):
        before = os.umask(mask)
        try:
            made = KeyStore(str(home / "new" / "config")).generate("a")
        finally:
            os.umask(before)
        assert KeyStore(str(home / "new" / "config")).load_private("a").public == made.public
        KeyStore(str(home / "new" / "config")).generate("b")  # under the same lock


def test_a_private_half_that_is_no_file_is_left_out_without_waiting_for_it(folder, store):
    store.generate("a")
    store.generate("b")
    (folder / "keys" / "a.pem").unlink()
    os.mkfifo(folder / "keys" / "a.pem", 0o600)
    assert [key.name for key in store.list()] == ["b"]
    assert [one.name for one in store.unusable()] == ["a"]
    assert store.unusable_public() == ()
    assert len(known_keys(str(folder))) == 2  # the public half is whole
    assert store.remove("a").has_private


def test_a_public_half_that_others_can_write_is_left_out(folder, store):
    store.generate("a")
    (folder / "keys" / "a.pub.pem").chmod(0o666)
    (one,) = store.unusable()
    assert one.error.diagnostics[0].code is Code.SHARED_FOLDER
    assert known_keys(str(folder)) == ()
    subprocess.run(["sh", "-c", one.error.diagnostics[0].hint.split("then: ")[1]], check=True)
    assert store.unusable() == ()


def test_a_key_that_others_can_read_can_be_listed_but_not_used(folder, store):
    store.generate("a")
    (folder / "keys" / "a.pem").chmod(0o644)
    assert [key.name for key in store.list()] == ["a"]
    assert len(known_keys(str(folder))) == 1
    with pytest.raises(NotTrusted) as caught:
        store.load_private("a")
    assert code_of(caught) is Code.KEY_EXPOSED


def test_nothing_is_overwritten(folder, store):
    store.generate("a")
    before = {path: path.read_bytes() for path in (folder / "keys").iterdir()}
    for again in (
        lambda: store.generate("a"),
        lambda: store.add_private("a", KEY),
        lambda: store.add_public("a", KEY.public),
    ):
        with pytest.raises(NotTrusted) as caught:
            again()
        assert code_of(caught) is Code.KEY_EXISTS
    assert before == {path: path.read_bytes() for path in (folder / "keys").iterdir()}


@pytest.mark.parametrize("left", ["a.pem", "a.pub.pem"])
def test_a_name_is_taken_by_either_half_and_by_anything_else(folder, store, left):
    (folder / "keys").mkdir(parents=True, mode=0o700)
    (folder / "keys" / left).symlink_to("nowhere")
    with pytest.raises(NotTrusted) as caught:
        store.generate("a")
    assert code_of(caught) is Code.KEY_EXISTS


@pytest.mark.parametrize("half", ["a.pem", "a.pub.pem"])
def test_a_key_that_comes_meanwhile_is_not_replaced(folder, store, monkeypatch, half):
    """The check before the write sees nothing; the write itself must not replace."""
    store.generate("other")
    commit = StagedFile.commit

    def after_another_program(staged):
        (folder / "keys" / half).write_text("of another program")
        commit(staged)

    monkeypatch.setattr(StagedFile, "commit", after_another_program)
    with pytest.raises(NotTrusted) as caught:
        store.generate("a")
    assert code_of(caught) is Code.KEY_EXISTS
    assert (folder / "keys" / half).read_text() == "of another program"
    assert sorted(os.listdir(folder / "keys")) == sorted([half, "other.pem", "other.pub.pem"])


def left_by_a_killed_run(folder, *names):
    """Mark the public half `a` as the store does, and leave it with the halves `names` alone."""
    os.link(folder / "keys" / "a.pub.pem", folder / "keys" / hidden_name())
    for name in {"a.pem", "a.pub.pem"} - set(names):
        (folder / "keys" / name).unlink()


def test_a_key_that_a_killed_run_added_or_removed_by_half_is_gone_with_the_next_change(
    folder, store
):
    store.generate("a")
    left_by_a_killed_run(folder, "a.pub.pem")
    store.generate("b")
    assert sorted(os.listdir(folder / "keys")) == ["b.pem", "b.pub.pem"]
    store.generate("a")
    assert [key.has_private for key in store.list()] == [True, True]


def test_a_whole_key_and_a_public_half_without_a_mark_stay(folder, store):
    store.generate("a")
    store.add_public("c", public(3))
    left_by_a_killed_run(folder, "a.pem", "a.pub.pem")
    store.remove("c")
    assert sorted(os.listdir(folder / "keys")) == ["a.pem", "a.pub.pem"]
    store.add_public("c", public(3))
    store.generate("b")
    assert [key.name for key in store.list()] == ["a", "b", "c"]


KEYS_AT_ONCE = """
import sys
from cloacina_ctl.errors import NotTrusted
from cloacina_ctl.signing.store import KeyStore
store, name = KeyStore(sys.argv[1]), sys.argv[2]
for number in range(10):
    for act in (lambda: store.generate(name), lambda: store.remove(name)):
        try:
            act()
        except NotTrusted:
            pass
    store.list()
"""


def test_keys_that_are_made_and_removed_at_once_never_stay_by_half(folder, store):
    running = [
        subprocess.Popen([sys.executable, "-c", KEYS_AT_ONCE, str(folder), name])
        for name in ("a", "a", "b", "a")
    ]
    assert [process.wait(60) for process in running] == [0] * 4
    left = {path.name.partition(".")[0] for path in (folder / "keys").iterdir()}
    assert sorted(os.listdir(folder / "keys")) == sorted(
        name + end for name in left for end in (".pem", ".pub.pem")
    )


def test_a_passphrase_seals_the_key_and_an_empty_one_is_none(folder, store):
    store.generate("a", b"secret")
    assert store.load_private("a", lambda _: b"secret").public == store.find("a").public
    with pytest.raises(NotTrusted) as caught:
        store.load_private("a", lambda _: b"wrong")
    assert code_of(caught) is Code.PASSPHRASE
    with pytest.raises(NotTrusted):
        store.generate("b", b"")
    assert [key.name for key in store.list()] == ["a"]


def test_halves_that_do_not_belong_together_are_refused(folder, store):
    store.generate("a")
    (folder / "keys" / "a.pub.pem").write_bytes(KEY.public.to_pem())
    with pytest.raises(NotTrusted, match="other half"):
        store.load_private("a")


def test_a_key_is_found_by_name_and_by_the_beginning_of_its_fingerprint(store):
    store.add_private("a", KEY)
    store.generate("b")
    for spec in ("a", FINGERPRINT, FINGERPRINT[:8], FINGERPRINT[:16].upper()):
        assert store.find(spec).name == "a"
    for spec in (FINGERPRINT[:7], "ffffffff", "", "../a", "A", FINGERPRINT + "0"):
        with pytest.raises(NotTrusted) as caught:
            store.find(spec)
        assert code_of(caught) is Code.NO_SUCH_KEY


def test_a_beginning_that_two_keys_share_is_refused(store, folder):
    store.add_public("x", KEY.public)
    first = KEY.public.fingerprint
    trusted = TrustStore(str(folder))
    trusted.add("y", public(1))
    keys = (*store.public_keys(), *trusted.list())
    # 32 bits cannot be made to collide here, so the rule is shown on names that collide
    trusted.add("x", public(2))
    with pytest.raises(NotTrusted, match="2 keys") as caught:
        find_public("x", str(folder))
    assert "fingerprint" in caught.value.diagnostics[0].hint
    assert find_public(first[:8], str(folder)) == KEY.public
    assert len(keys) == 2


def test_only_the_public_half_cannot_sign(store):
    store.add_public("a", KEY.public)
    with pytest.raises(NotTrusted, match="only the public half"):
        store.load_private("a")


def test_a_removed_key_is_gone_with_both_halves(folder, store):
    store.generate("a")
    store.add_public("b", KEY.public)
    assert store.remove("a").name == "a"
    assert store.remove("b").name == "b"
    assert os.listdir(folder / "keys") == []
    with pytest.raises(NotTrusted):
        store.remove("a")
    store.generate("a")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/b", "/a", ".a", "-a", "a b", "a\n", "\u00e9", "a" * 65, "a.pem",
     "a.pub", "a.key", "a.pub.pem", "deadbeef", FINGERPRINT, "a\0"],
)  # fmt: skip
def test_a_name_that_could_mean_something_else_is_refused(store, folder, name):
    for use in (
        lambda: store.generate(name),
        lambda: store.add_public(name, KEY.public),
        lambda: TrustStore(str(folder)).add(name, KEY.public),
    ):
        with pytest.raises(UsageError):
            use()
    assert not folder.parent.exists()


@pytest.mark.parametrize(
    "name", ["a", "default", "A-1_b.c", "g" * 64, "0", "deadbee", "alice.2026"]
)
def test_ordinary_names_are_taken(name):
    check_name(name)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o1777])
def test_a_folder_that_others_can_write_to_is_not_trusted(folder, store, mode):
    store.generate("a")
    for path in (folder, folder / "keys"):
        path.chmod(mode)
        for use in (store.list, lambda: store.generate("b"), lambda: known_keys(str(folder))):
            with pytest.raises(NotTrusted) as caught:
                use()
            assert code_of(caught) is Code.SHARED_FOLDER
            assert f"chmod go-w {path}" in caught.value.diagnostics[0].hint
        path.chmod(0o700)
    assert len(store.list()) == 1


def test_a_folder_that_cannot_be_made_is_said(folder, store):
    folder.parent.parent.joinpath("config").write_text("a file")
    with pytest.raises(FileProblem):
        store.generate("a")
    with pytest.raises(FileProblem):
        TrustStore(str(folder)).add("a", KEY.public)


def test_a_folder_that_cannot_be_looked_into_is_not_one_without_keys(folder):
    folder.parent.mkdir()
    folder.write_text("a file")
    with pytest.raises(FileProblem):
        known_keys(str(folder))
    with pytest.raises(FileProblem):
        TrustStore(str(folder)).list()


@pytest.mark.skipif(ADMINISTRATOR, reason="nothing is closed to the administrator")
def test_a_folder_that_is_closed_is_said(folder, store):
    store.generate("a")
    (folder / "keys").chmod(0o500)
    with pytest.raises(FileProblem) as caught:
        store.generate("b")
    assert code_of(caught) is Code.PERMISSION


def test_a_full_disk_leaves_no_key(folder, store):
    store.generate("other")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(FileProblem) as caught:
            store.generate("a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert code_of(caught) is Code.NO_SPACE
    assert sorted(os.listdir(folder / "keys")) == ["other.pem", "other.pub.pem"]


# Trust


@pytest.fixture
def trusted(folder):
    return TrustStore(str(folder))


def test_trust_is_added_listed_and_removed(folder, trusted, umask):
    assert trusted.list() == ()
    trusted.add("bob", public(2))
    trusted.add("alice", public(1))
    assert [key.name for key in trusted.list()] == ["alice", "bob"]
    assert mode_of(folder / "trust.json") == 0o600
    assert trusted.remove("bob").public == public(2)
    assert trusted.remove(public(1).fingerprint[:10]).name == "alice"
    assert trusted.list() == ()
    with pytest.raises(NotTrusted) as caught:
        trusted.remove("alice")
    assert code_of(caught) is Code.NO_SUCH_KEY


def test_the_file_is_for_people_too(folder, trusted):
    trusted.add("alice", KEY.public)
    assert json.loads((folder / "trust.json").read_text()) == {
        "version": 1,
        "keys": [{"name": "alice", "key": KEY.public.raw.hex()}],
    }


def test_the_same_again_changes_nothing_and_another_of_that_name_or_key_is_refused(folder, trusted):
    trusted.add("alice", public(1))
    before = (folder / "trust.json").read_bytes()
    assert trusted.add("alice", public(1)).fingerprint == public(1).fingerprint
    for name, key in (("alice", public(2)), ("other", public(1))):
        with pytest.raises(NotTrusted) as caught:
            trusted.add(name, key)
        assert code_of(caught) is Code.KEY_EXISTS
        assert "trust remove alice" in caught.value.diagnostics[0].hint
    assert (folder / "trust.json").read_bytes() == before


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_trust_file_that_others_can_write_to_is_refused(folder, trusted, mode):
    trusted.add("alice", public(1))
    (folder / "trust.json").chmod(mode)
    for use in (
        trusted.list,
        lambda: trusted.add("bob", public(2)),
        lambda: known_keys(str(folder)),
    ):
        with pytest.raises(NotTrusted) as caught:
            use()
        assert code_of(caught) is Code.BAD_TRUST_FILE
        assert "chmod go-w" in caught.value.diagnostics[0].hint


@pytest.mark.skipif(not ADMINISTRATOR, reason="only the administrator can give files away")
def test_a_trust_file_of_another_user_is_refused(folder, trusted):
    trusted.add("alice", public(1))
    os.chown(folder / "trust.json", 12345, -1)
    with pytest.raises(NotTrusted):
        trusted.list()


ROW = {"name": "alice", "key": KEY.public.raw.hex()}
BAD_FILES = [
    b"", b"\xff", b"[]", b"null", b"{}", b'{"version":1}', b"[" * 100_000,
    json.dumps({"version": 2, "keys": []}).encode(),
    json.dumps({"version": 1, "keys": {}}).encode(),
    json.dumps({"version": 1, "keys": [], "x": 1}).encode(),
    b'{"version":1,"keys":[],"keys":[]}',
    *(
        json.dumps({"version": 1, "keys": rows}).encode()
        for rows in (
            [1], [{}], [{**ROW, "x": 1}], [ROW, ROW], [ROW, {**ROW, "name": "other"}],
            [ROW, {**ROW, "key": public(1).raw.hex()}], [{**ROW, "name": "../x"}],
            [{**ROW, "name": 1}], [{**ROW, "key": 1}], [{**ROW, "key": "ab"}],
            [{**ROW, "key": ROW["key"].upper()}], [{**ROW, "key": " " + ROW["key"][1:]}],
        )
    ),
    b" " * ((4 << 20) + 1),
]  # fmt: skip


@pytest.mark.parametrize("data", BAD_FILES)
def test_a_damaged_trust_file_is_refused_and_left_as_it_is(folder, trusted, data):
    folder.mkdir(parents=True, mode=0o700)
    path = folder / "trust.json"
    path.write_bytes(data)
    for use in (
        trusted.list,
        lambda: trusted.add("bob", public(2)),
        lambda: trusted.remove("alice"),
    ):
        with pytest.raises(NotTrusted) as caught:
            use()
        assert code_of(caught) is Code.BAD_TRUST_FILE
    assert path.read_bytes() == data


def test_a_weak_key_in_the_trust_file_is_refused(folder, trusted):
    folder.mkdir(parents=True, mode=0o700)
    weak = json.dumps({"version": 1, "keys": [{"name": "a", "key": "01" + "00" * 31}]})
    (folder / "trust.json").write_text(weak)
    with pytest.raises(NotTrusted, match="small order"):
        trusted.list()


def test_a_trust_file_that_is_no_file_does_not_block(folder, trusted):
    folder.mkdir(parents=True, mode=0o700)
    os.mkfifo(folder / "trust.json", 0o600)
    with pytest.raises(NotTrusted):
        trusted.list()


ADD_FIVE = """
import sys
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.trust import TrustStore
folder, process = sys.argv[1:]
for number in range(5):
    seed = (100 * int(process) + number + 1).to_bytes(32, "big")
    TrustStore(folder).add(f"key-{process}-{number}", PrivateKey.from_raw(seed).public)
"""


def test_nothing_is_lost_when_many_change_trust_at_once(folder, trusted):
    running = [
        subprocess.Popen([sys.executable, "-c", ADD_FIVE, str(folder), str(number)])
        for number in range(8)
    ]
    assert [process.wait(60) for process in running] == [0] * 8
    assert len(trusted.list()) == 40
    assert sorted(os.listdir(folder)) == [".trust.lock", "trust.json"]


def test_a_lock_that_is_never_released_is_said(folder, trusted, monkeypatch):
    import fcntl

    trusted.add("alice", public(1))
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.1)
    with open(folder / ".trust.lock") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FileProblem, match="another program is changing the file"):
            trusted.add("bob", public(2))
    trusted.add("bob", public(2))


# What a user types


def test_the_keys_that_count_are_the_users_own_and_the_trusted_ones(folder, store, trusted):
    assert known_keys(str(folder)) == ()
    store.add_private("own", KEY)
    trusted.add("alice", public(1))
    trusted.add("me-elsewhere", KEY.public)
    assert set(known_keys(str(folder))) == {
        KnownKey(public(1), "alice"),
        KnownKey(KEY.public, "me-elsewhere"),
    }


def test_a_key_is_meant_by_file_name_or_fingerprint(folder, store, trusted, tmp_path):
    store.add_private("own", KEY)
    trusted.add("alice", public(1))
    (tmp_path / "author.pub").write_bytes(public(3).to_pem())
    where = str(folder)
    assert find_public("own", where) == KEY.public
    assert find_public("alice", where) == public(1)
    assert find_public(public(1).fingerprint[:8], where) == public(1)
    assert find_public(str(tmp_path / "author.pub"), where) == public(3)
    assert find_private("own", where).public == KEY.public
    assert find_private(str(folder / "keys" / "own.pem"), where).public == KEY.public
    for find in (find_public, find_private):
        for spec in ("nobody", "ffffffff"):
            with pytest.raises(NotTrusted) as caught:
                find(spec, where)
            assert code_of(caught) is Code.NO_SUCH_KEY
        with pytest.raises(FileProblem):
            find("./nobody", where)
    with pytest.raises(NotTrusted):
        find_private("alice", where)
    assert find_trusted(trusted.list(), "alice").public == public(1)


def test_a_file_in_the_current_folder_is_never_taken_for_a_key_of_that_name(
    folder, store, tmp_path, monkeypatch
):
    """A project that holds a file called `default` must not choose the key that signs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").write_bytes(KEY.to_pem())
    (tmp_path / "default").chmod(0o600)
    for find in (find_public, find_private):
        with pytest.raises(NotTrusted) as caught:
            find("default", str(folder))
        assert caught.value.diagnostics[0].hint == "if the file of that name is meant: ./default"
    own = store.generate("default")
    assert find_private("default", str(folder)).public == own.public


def test_every_refusal_is_of_one_family(folder, store):
    for use in (lambda: store.find("x"), lambda: check_name(""), lambda: find_public("/none", "x")):
        with pytest.raises(CloacinaError):
            use()
