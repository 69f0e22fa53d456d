"""Adding compiler flags to those of the author, wherever those come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cloacina_ctl.errors import Refused
from cloacina_ctl.project.rust.cargo_config import add_flags, compiler_variables, configured_flags
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("--cfg", "ours")


def test_without_flags_of_the_author_ours_are_those_of_the_build() -> None:
    added = add_flags(OURS, {}, {})
    assert added == (('--config=build.rustflags=["--cfg", "ours"]',), {}, True)


def test_flags_of_the_environment_are_kept_and_hide_all_others() -> None:
    added = add_flags(OURS, {"RUSTFLAGS": " -C  debuginfo=1"}, {"build.rustflags": ["-g"]})
    assert added.environment == {"CARGO_ENCODED_RUSTFLAGS": "-C\x1fdebuginfo=1\x1f--cfg\x1fours"}
    assert added.arguments == ()


def test_encoded_flags_win_over_plain_ones() -> None:
    added = add_flags(OURS, {"RUSTFLAGS": "-g", "CARGO_ENCODED_RUSTFLAGS": "-C\x1fx y"}, {})
    assert added.environment == {"CARGO_ENCODED_RUSTFLAGS": "-C\x1fx y\x1f--cfg\x1fours"}


def test_an_empty_variable_still_hides_the_configuration() -> None:
    assert add_flags(OURS, {"RUSTFLAGS": ""}, {}).environment == {
        "CARGO_ENCODED_RUSTFLAGS": "--cfg\x1fours"
    }


def test_ours_join_each_place_in_its_own_form() -> None:
    added = add_flags(OURS, {}, {'target."cfg(unix)".rustflags': ["-g"], "build.rustflags": "-O"})
    assert added.arguments == (
        '--config=build.rustflags="-O --cfg ours"',
        '--config=target."cfg(unix)".rustflags=["--cfg", "ours"]',
    )


def test_the_variable_of_a_target_is_extended() -> None:
    environment = {"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS": "-g", "HOME": "/h"}
    assert add_flags(OURS, environment, {}).environment == {
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS": "-g --cfg ours"
    }


@pytest.mark.parametrize(
    ("environment", "configured"),
    [({"CARGO_TARGET_X_RUSTFLAGS": "-g"}, {}), ({}, {"build.rustflags": "-g"})],
)
def test_says_when_a_flag_with_a_space_cannot_join_a_text(
    environment: dict[str, str], configured: dict[str, Any]
) -> None:
    added = add_flags(("--remap-path-prefix=/a b=/c",), environment, configured)
    assert not added.complete
    assert '"-g' not in " ".join(added.arguments)


def test_finds_what_cargo_would_the_nearest_first(tmp_path: Path) -> None:
    project = plant(
        tmp_path,
        {
            ".cargo/config.toml": "[build]\nrustflags = '-far'\n",
            "a/.cargo/config": "[build]\nrustflags = '-near'\n[target.x]\nlinker = 'ld'\n",
            "a/.cargo/config.toml": "[build]\nrustflags = '-hidden'\n",
            "a/b/.cargo/config.toml": "include = ['more.toml', 'absent.toml', {path = 'x.toml'}]\n",
            "a/b/.cargo/more.toml": "[target.'cfg(unix)']\nrustflags = ['-u']\n",
            "a/b/.cargo/x.toml": "build = 1\ntarget = 1\ninclude = 'x.toml'\n",
            "home/config.toml": "[target.'cfg(unix)']\nrustflags = '-home'\n",
        },
    )
    assert configured_flags(str(project / "a" / "b"), str(project / "home")) == {
        'target."cfg(unix)".rustflags': ["-u"],
        "build.rustflags": "-near",
    }


def test_a_file_that_includes_itself_is_read_a_few_times(tmp_path: Path) -> None:
    plant(
        tmp_path, {".cargo/config.toml": "include = ['config.toml']\n[build]\nrustflags = ['-g']"}
    )
    assert configured_flags(str(tmp_path), "/nowhere") == {"build.rustflags": ["-g"]}


def test_the_same_file_counts_once(tmp_path: Path) -> None:
    plant(tmp_path, {".cargo/config.toml": "[build]\nrustflags = ['-g']"})
    found = configured_flags(str(tmp_path), os.path.join(tmp_path, ".cargo"))
    assert found == {"build.rustflags": ["-g"]}


def test_a_configuration_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, {".cargo/config.toml": "[build"})
    with pytest.raises(Refused):
        configured_flags(str(tmp_path), "/nowhere")


def test_names_the_variables_that_choose_the_compiler() -> None:
    environment = dict.fromkeys(
        ("RUSTC_WRAPPER", "HOME", "CARGO_TARGET_X_LINKER", "CARGO_TARGET_DIR", "RUSTFLAGS"), "x"
    )
    assert compiler_variables(environment) == (
        "CARGO_TARGET_X_LINKER", "RUSTC_WRAPPER", "RUSTFLAGS",
    )  # fmt: skip
