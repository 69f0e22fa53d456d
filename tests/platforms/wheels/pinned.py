"""The wheels that are compared: small ones, for every platform that the package index has.

Each name has one version. A file of the index never changes, so the same bytes are compared
wherever the test runs.
"""

from __future__ import annotations

PYTHON = "3.12"
AUDITWHEEL = "6.8.2"
VERSIONS = {
    "bcrypt": "5.0.0",
    "cffi": "2.0.0",
    "charset-normalizer": "3.4.4",
    "coverage": "7.11.0",
    "greenlet": "3.2.4",
    "kiwisolver": "1.4.9",
    "markupsafe": "3.0.3",
    "msgpack": "1.1.2",
    "multidict": "6.7.0",
    "ninja": "1.13.0",
    "numpy": "2.3.5",
    "orjson": "3.11.4",
    "psutil": "7.1.3",
    "pydantic-core": "2.41.5",
    "pyyaml": "6.0.3",
    "pyzmq": "27.1.0",
    "rpds-py": "0.28.0",
    "ujson": "5.11.0",
    "watchfiles": "1.1.1",
    "zstandard": "0.25.0",
}
_ALL = "bcrypt cffi charset-normalizer coverage greenlet kiwisolver markupsafe msgpack multidict"
_MORE = "ninja orjson pydantic-core pyyaml pyzmq rpds-py ujson watchfiles"
WHEELS = {
    "manylinux_2_39_x86_64": f"{_ALL} {_MORE} psutil zstandard",
    "manylinux_2_39_aarch64": f"{_ALL} {_MORE} psutil",
    "manylinux_2_39_i686": "cffi charset-normalizer coverage multidict ninja orjson pydantic-core "
    "pyzmq rpds-py ujson watchfiles",
    "manylinux_2_39_armv7l": "bcrypt charset-normalizer coverage multidict ninja orjson "
    "pydantic-core rpds-py watchfiles",
    "manylinux_2_39_ppc64le": "cffi charset-normalizer coverage greenlet kiwisolver multidict "
    "ninja orjson pydantic-core rpds-py watchfiles",
    "manylinux_2_39_s390x": "cffi charset-normalizer coverage greenlet kiwisolver multidict ninja "
    "orjson pydantic-core pyyaml rpds-py watchfiles",
    "manylinux_2_39_riscv64": "charset-normalizer coverage markupsafe multidict ninja rpds-py",
    "musllinux_1_2_x86_64": f"{_ALL} {_MORE}",
    "musllinux_1_2_aarch64": f"{_ALL} {_MORE} numpy",
    "musllinux_1_2_i686": "charset-normalizer coverage multidict ninja orjson pyzmq rpds-py ujson",
    "musllinux_1_2_armv7l": "charset-normalizer coverage multidict ninja orjson pydantic-core",
    "musllinux_1_2_ppc64le": "charset-normalizer coverage kiwisolver multidict ninja",
    "musllinux_1_2_s390x": "charset-normalizer coverage kiwisolver multidict ninja",
    "musllinux_1_2_riscv64": "charset-normalizer coverage markupsafe multidict ninja",
}
# What neither reads: what it is has to be said.
OTHER_SYSTEMS = {
    "macosx_11_0_arm64": "markupsafe orjson",
    "macosx_10_13_x86_64": "markupsafe rpds-py",
    "win_amd64": "markupsafe orjson",
    "win_arm64": "markupsafe",
}
