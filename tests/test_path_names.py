"""Which names a member may have, rule by rule."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.paths import MemberPath, all_plain, check_path
from tests.support.member_names import ACCEPTED, REFUSED

NOT_EVEN_BYTES = {"not UTF-8": {"a surrogate": "a\ud800"}}
DEVICES = ["con", "prn", "aux", "nul", "conin$", "conout$"]
DEVICES += [f"{port}{n}" for port in ("com", "lpt") for n in "123456789\u00b9\u00b2\u00b3"]


@pytest.mark.parametrize("name", ACCEPTED.values(), ids=ACCEPTED)
def test_takes_a_name_that_every_system_takes(name: str) -> None:
    assert check_path(name) is None
    assert MemberPath.parse(name) == name


@pytest.mark.parametrize("rule", REFUSED)
def test_refuses_a_name_and_says_which_rule_it_breaks(rule: str) -> None:
    for key, name in {**REFUSED[rule], **NOT_EVEN_BYTES.get(rule, {})}.items():
        assert rule in (check_path(name) or ""), key
        with pytest.raises(Refused) as caught:
            MemberPath.parse(name)
        diagnostic = caught.value.diagnostics[0]
        assert diagnostic.code is Code.MEMBER_NAME
        assert rule in diagnostic.message
        assert len(diagnostic.message) < 400


@pytest.mark.parametrize("device", DEVICES)
def test_refuses_the_names_of_windows_devices_in_every_spelling(device: str) -> None:
    for name in (device, device.upper(), device + ".txt", device + "  .tar.gz", f"a/{device}/b"):
        assert "Windows" in (check_path(name) or ""), name
    for name in (device + "x", "x" + device, f"a-{device}"):
        assert check_path(name) is None, name


def test_a_path_has_its_parts() -> None:
    assert MemberPath.parse("a/b c/d.py").parts == ("a", "b c", "d.py")
    assert MemberPath.parse("a").parts == ("a",)


ODD = st.sampled_from([*"aA.b/ -_~`é\u0301\u200b\\:*\n", "..", "con", "nul", "//", "é" * 90])


@given(st.lists(ODD, max_size=12).map("".join))
def test_the_short_way_for_plain_names_judges_as_the_long_one(text: str) -> None:
    from cloacina_ctl import paths

    assert check_path(text) == paths._check_slowly(text)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_an_exception(text: str) -> None:
    verdict = check_path(text)
    if verdict is None:
        assert text.encode()
        assert MemberPath.parse(text).parts == tuple(text.split("/"))


def test_two_hundred_and_fifty_thousand_names_take_no_time() -> None:
    names = [f"workflow/package_{n % 99}/module-{n}.py" for n in range(250_000)]
    started = time.process_time()
    assert not any(map(check_path, names))
    assert time.process_time() - started < 3


@given(
    st.lists(
        st.text(st.sampled_from("ab/. C\\\nn\u00e9:~$1"), max_size=12)
        | st.sampled_from(["con", "x/AUX.txt", "a/com1", "nul ", "conin$", ".hidden/x", "a" * 256])
    )
)
def test_names_that_are_plain_all_together_are_allowed_one_by_one(paths):
    if all_plain(paths):
        assert [check_path(path) for path in paths] == [None] * len(paths)


def test_ordinary_names_are_plain_all_together():
    assert all_plain([])
    assert (
        all_plain(["workflow/demo/__init__.py", "vendor/.libs/x.so.1", "a b/con.d/x", "commons"])
        is False
    )
    assert all_plain(["workflow/demo/__init__.py", "vendor/.libs/x.so.1", "a b/conx/x", "commons"])


@pytest.mark.parametrize("path", [path for path in ACCEPTED.values() if path.isascii()])
def test_a_name_that_is_refused_is_not_plain_in_any_company(path):
    for spoiled in (
        path + "/",
        "/" + path,
        path + ".",
        path + "\n",
        path + "/nul.txt",
        path + "//x",
    ):
        assert not all_plain(["workflow/a.py", spoiled, "workflow/b.py"])
