"""Reads a project and selects the files to pack. Reads text; runs nothing but cargo.

``reading`` folder to Project · ``detect`` which kind · ``config`` what the author configured ·
``python`` and ``rust`` what the source says · ``selection`` which files get packed ·
``crate_source`` a crate's source that builds elsewhere · ``build`` cargo · ``packaged`` the source
inside a package · ``package_toml`` the manifest of older formats · ``subprocesses`` the only door
to other programs.
"""
