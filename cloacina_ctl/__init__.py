"""Package, inspect, verify and deliver Cloacina workflows.

A map of the package, from the bottom up; imports point downwards only:

``values``      named tuples and constants that are quick to declare
``overlay``     bytes laid over a file as it is read
``progress``    how far an operation is
``folders``     folders held by descriptors: what is made, renamed and removed in them
``errors``      diagnostics with permanent codes, and the one family of exceptions
``redaction``   what looks like a secret, and how no text that is shown holds one
``locks``       locks between processes, one mechanism for all
``hidden``      what is on its way to its name, and what a dead process left of it
``staging``     files that appear whole or not at all
``toml``        TOML, bounded, with places in its errors
``ownership``   who else could have had a hand in a file that is trusted
``settings``    the user's folder, configuration and environment
``unicode13``   which characters beyond ASCII a name may hold
``paths``       ``MemberPath``: what a member of a package may be called
``digest``      ``Digest``: SHA-256, and the identity of a package
``manifest``    public, standard library only: the manifest's schema
``envelope``    the exact form of a signature envelope, no cryptography
``archive``     the package format: plan, writer, reader, extraction, limits
``platforms``   what a compiled library says of itself, read without running it
``signing``     keys, signatures, trust
``authenticity``  whether a package is the one that was asked for, and who vouches for it
``project``     what a source folder is, and what of it gets packed
``foreign``     packages of other generations as a whole: what they hold and say, who vouches
``registry``    where packages are delivered to: this machine, servers
``runtime``     public: verify a package, load it in a child process, run its tasks
``checks``      what ``validate`` knows, one function a code
``operations``  public: one function a verb
``cli``         the command line, a translator over ``operations``

This module imports nothing, so that any part can be imported alone.
"""

__version__ = "0.1.0"
