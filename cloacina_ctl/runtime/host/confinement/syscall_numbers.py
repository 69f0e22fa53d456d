"""The numbers of Linux system calls on x86-64 and on aarch64.

Source: `asm/unistd_64.h` and `asm-generic/unistd.h` of Debian's linux-libc-dev 6.1, and for what is
newer the crates syscalls 0.8.1 and linux-raw-sys 0.12.1, which agree with both headers. From 424 on
all machines have the same numbers. -1: the machine has no such call.
"""

from __future__ import annotations

import os
import sys

# The last call of Linux 6.17: later calls are not in this table.
LAST_KNOWN = 469

# Refused calls, which no task needs. Most of them need a capability; they are refused because
# faults of the kernel are reached through them.
REFUSED: dict[str, tuple[int, int]] = {
    # Mounts, and other roots.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # Namespaces; `clone` is checked by its flags.
    "unshare": (272, 97),
    "setns": (308, 268),
    # Other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # The user's keyrings, which no namespace separates.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # Large parts of the kernel that any process can use.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    # The machine.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, -1),
    "get_kernel_syms": (177, -1),
    "query_module": (178, -1),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "syslog": (103, 116),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "modify_ldt": (154, -1),
    # Calls of former kernels.
    "nfsservctl": (180, 42),
    "uselib": (134, -1),
    "ustat": (136, -1),
    "sysfs": (139, -1),
    "_sysctl": (156, -1),
    "lookup_dcookie": (212, 18),
}

NUMBERS: dict[str, tuple[int, int]] = {
    **REFUSED,
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "socket": (41, 198),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}


def is_known_machine() -> bool:
    """Return whether these are the numbers that this process calls the kernel by."""
    is_wide = sys.maxsize > 1 << 32 and sys.byteorder == "little"
    return is_wide and os.uname().machine in ("x86_64", "aarch64")
