"""What a source folder is, and what of it gets packed. Reads text; runs nothing but cargo.

``reading`` folder to Project · ``detect`` which kind · ``config`` what the author configured ·
``python_project``, ``python_source`` · ``rust_project``, ``crate``, ``rust_source`` ·
``selection``, ``walk``, ``ignore``, ``denied`` which files ·
``credentials`` what must not be in them · ``package_toml`` the manifest of other runtimes ·
``cargo`` the build, ``programs`` the only door to other programs.
"""
