"""The child process that a package's code runs in, as seen from this side.

``child`` starts and ends it, ``exit`` waits for its end · ``bundle`` the files it loads ·
``grants`` and ``places`` the files it may use · ``rpc`` calls and answers, over ``framing`` and
``incoming`` · ``decode`` and ``results`` check answers · ``output`` handles its output.
"""
