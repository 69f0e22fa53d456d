"""The rules of ``validate``: one function for each code, over facts that were read before.

``engine`` runs rules over a subject · ``subjects`` the facts · ``project``, ``python``, ``graph``,
``rust`` the rules for a project · ``native_package``, ``legacy_package`` those for a package. A
rule reads no file and starts nothing.
"""
