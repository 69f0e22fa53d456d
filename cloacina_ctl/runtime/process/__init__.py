"""The child process that a package's code runs in, as seen from this side.

``child`` starts and ends it, ``exit`` tells how it ended · ``bundle`` the files it is given ·
``grants`` and ``places`` the user's files it is given · ``rpc`` calls and answers, over ``framing``
and ``incoming`` · ``decode`` and ``results`` what an answer means · ``output`` what it prints.
"""
