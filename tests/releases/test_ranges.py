"""Which releases a range of runtimes takes, as both languages write ranges."""

from __future__ import annotations

import pytest

from cloacina_ctl.releases.ranges import takes_release
from cloacina_ctl.releases.table import RELEASES


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (">=0.6", "0.6 0.7 0.8 0.9 0.10 0.11 0.12"),
        (">=0.6.1, <0.10", "0.6 0.7 0.8 0.9"),
        ("<0.5", "0.2 0.3 0.4"),
        ("<=0.5", "0.2 0.3 0.4 0.5"),
        ("<0.5.1", "0.2 0.3 0.4 0.5"),
        (">0.11", "0.11 0.12"),
        (">=0.6, <0.6", ""),
        ("0.8", "0.8"),
        ("^0.8.3", "0.8"),
        ("^0", "0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 0.10 0.11 0.12"),
        ("=0.10.0", "0.10"),
        ("==0.10.*", "0.10"),
        ("0.10.*", "0.10"),
        ("~0.9.1", "0.9"),
        ("~=0.9.1", "0.9"),
        ("~=0.9", "0.9 0.10 0.11 0.12"),
        (">= 0.12.0-rc.1", "0.12"),
        (">=1", ""),
        (">=0.5,<1", "0.5 0.6 0.7 0.8 0.9 0.10 0.11 0.12"),
        ("0.6.0.0.1", "0.6"),
        (">=0.99999999999, <0.3", "0.2"),
    ],
)
def test_a_range_takes_the_lines_that_have_a_release_in_it(text, taken):
    assert [runtime.name for runtime in RELEASES if takes_release(text, runtime)] == taken.split()
