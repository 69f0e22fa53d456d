"""The module ``cloaca`` that a Python package imports, as a server has it: authoring, no runner.

``context`` what tasks get and return · ``retry`` policies · ``rules`` trigger rules · ``registry``
what the decorators declared · ``tasks`` and ``triggers`` the decorators · ``graphs`` computation
graphs · ``workflows`` builders and names · ``module`` all of it under its public names.

Behaves as the bindings of the newest release do, errors at import included; where they stay silent
about a mistake it does too, for code that fails here and runs there is no help to anybody. Runs
in the child process alone, on the standard library alone.
"""
