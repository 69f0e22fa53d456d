"""What runs in the child process, and is imported nowhere else.

``__main__`` the start · ``serve`` answers requests · ``host`` what a host has to offer ·
``confinement`` what the process gives up first · ``native`` a compiled package: ``fidius`` or
``c_abi``, over ``callbacks``, ``bincode`` and ``messages`` · ``python_import`` a Python package,
with ``cloaca_api`` as its `cloaca` module · ``engine`` a run by the real engine.
"""
