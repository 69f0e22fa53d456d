"""The module ``cloaca`` that a Python package imports, as on a server: authoring, no runner.

``context`` the input and result of tasks · ``retry`` policies · ``rules`` trigger rules ·
``registry`` the declarations · ``tasks`` and ``triggers`` the decorators · ``graphs`` computation
graphs · ``workflows`` builders and names · ``module`` all of it under its public names.

Behaves like the bindings of the newest release, errors at import included; it accepts mistakes that
they accept, so that code does not fail here and run there. Runs only in the child process and needs
only the standard library.
"""
