"""The filter of system calls, run step by step as the kernel would, for both machines."""

from __future__ import annotations

import struct

import pytest

from cloacina_ctl.runtime.host.confinement import syscall_filter as bpf
from cloacina_ctl.runtime.host.confinement.syscall_filter import (
    ALLOW,
    EPERM,
    KILL,
    Sockets,
    program,
)
from cloacina_ctl.runtime.host.confinement.syscall_numbers import LAST_KNOWN, NUMBERS, REFUSED

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Calls that everything needs, by the tables of both machines.
EVERYDAY = {
    "x86_64": {"read": 0, "write": 1, "open": 2, "mmap": 9, "fork": 57, "execve": 59, "kill": 62,
               "futex": 202, "openat": 257, "socketpair": 53, "memfd_create": 319, "seccomp": 317},
    "aarch64": {"read": 63, "write": 64, "mmap": 222, "execve": 221, "kill": 129, "futex": 98,
                "openat": 56, "socketpair": 199, "memfd_create": 279, "seccomp": 277},
}  # fmt: skip


def judge(machine, number, arguments=(), sockets=Sockets(), architecture=None):
    """Return what the filter says of a call."""
    architecture = MACHINES[machine] if architecture is None else architecture
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, architecture, 0, *padded)
    steps = program(machine, sockets)
    at = value = 0
    while True:
        operation, if_true, if_false, operand = steps[at]
        at += 1
        if operation == bpf.RETURN:
            return operand
        if operation == bpf.LOAD:
            (value,) = struct.unpack_from("<I", data, operand)
            continue
        test = {
            bpf.EQUAL: value == operand,
            bpf.AT_LEAST: value >= operand,
            bpf.ANY_BIT: bool(value & operand),
        }[operation]
        at += if_true if test else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_everyday_calls_pass_and_refused_ones_do_not(machine):
    column = machine == "aarch64"
    for name, number in EVERYDAY[machine].items():
        assert judge(machine, number) == ALLOW, name
    for name, numbers in REFUSED.items():
        if numbers[column] >= 0:
            assert judge(machine, numbers[column]) == EPERM, name
    refused = {numbers[column] for numbers in REFUSED.values()}
    special = {NUMBERS[name][column] for name in ("clone", "clone3", "ioctl", "socket")}
    for number in set(range(LAST_KNOWN + 1)) - refused - special:
        assert judge(machine, number) == ALLOW, number


@pytest.mark.parametrize("machine", MACHINES)
def test_no_two_calls_have_one_number(machine):
    numbers = [one[machine == "aarch64"] for one in NUMBERS.values()]
    numbers = [one for one in numbers if one >= 0]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_other_architectures_end_the_process(machine):
    for architecture in (0x40000003, 0x40000028, *MACHINES.values()):  # i386, arm
        if architecture != MACHINES[machine]:
            assert judge(machine, 0, architecture=architecture) == KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("number", [LAST_KNOWN + 1, 0x3FFFFFFF, 0x40000000, 0x40000041, 0xFFFFFFFF])
def test_later_calls_and_those_of_x32_are_not_there(machine, number):
    assert judge(machine, number) == bpf.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_processes_and_threads_can_be_started_and_namespaces_cannot(machine):
    number = NUMBERS["clone"][machine == "aarch64"]
    threads, fork = 0x003D0F00, 0x01200011  # as glibc has them
    assert judge(machine, number, [threads]) == judge(machine, number, [fork]) == ALLOW
    for bit in (17, 25, 26, 27, 28, 29, 30):
        assert judge(machine, number, [fork | 1 << bit]) == EPERM
    assert judge(machine, NUMBERS["clone3"][machine == "aarch64"]) == bpf.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_a_terminal_cannot_be_typed_into(machine):
    number = NUMBERS["ioctl"][machine == "aarch64"]
    assert judge(machine, number, [0, 0x5401]) == ALLOW
    # The kernel looks at the low half of a request alone.
    for request in (0x5412, 0x541C, 0x1_0000_5412):
        assert judge(machine, number, [0, request]) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("sockets", "allowed", "refusal"),
    [
        (Sockets(), {1, 2, 10, 16}, bpf.NO_FAMILY),
        (Sockets(network=False), {1}, bpf.UNREACHABLE),
        (Sockets(unix=False), {2, 10, 16}, bpf.NO_FAMILY),
        (Sockets(network=False, unix=False), set(), bpf.UNREACHABLE),
    ],
)
def test_sockets_are_those_of_known_families(machine, sockets, allowed, refusal):
    number = NUMBERS["socket"][machine == "aarch64"]
    for family in range(46):
        found = judge(machine, number, [family], sockets)
        if family in allowed:
            assert found == ALLOW
        else:
            assert found == (bpf.EACCES if family == 1 else refusal)
