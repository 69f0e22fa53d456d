"""What ``validate`` knows: one function a code, over facts that were read before.

``engine`` runs rules over a subject · ``subjects`` the facts · ``graph``, ``python``, ``rust``,
``project``, ``package`` the rules. A rule reads no file and starts nothing.
"""
