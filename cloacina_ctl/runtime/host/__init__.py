"""The code of the child process, imported nowhere else.

``__main__`` the start · ``serve`` answers requests · ``host`` the interface of a host ·
``confinement`` the isolation of the process · ``native`` a compiled package: ``fidius`` or
``c_abi``, over ``callbacks``, ``bincode`` and ``messages`` · ``python_import`` a Python package,
with ``cloaca_api`` as its `cloaca` module · ``engine`` a run by the engine's wheel.
"""
