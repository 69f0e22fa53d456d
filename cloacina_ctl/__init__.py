"""Package, inspect, verify and deliver Cloacina workflows.

A map of the package, from the bottom up; imports point downwards only:

``values``         named tuples that are quick to declare
``suggestions``    what a mistyped word may mean
``progress``       how far an operation is
``clock``          the time as signatures and records have it
``errors``         diagnostics with permanent codes, and the one family of exceptions
``redaction``      recognizes secrets, and removes them from every text that is shown
``files``          folders held by descriptors, files that appear whole, locks, ownership
``toml``           TOML, bounded, with places in its errors
``settings``       the user's folder, configuration and environment
``unicode_names``  which characters beyond ASCII a name may hold
``paths``          ``MemberPath``: what a member of a package may be called
``digest``         ``Digest``: SHA-256, and the identity of a package
``manifest``       public, standard library only: the manifest's schema
``strict_json``    JSON from outside, bounded, without duplicate keys
``dsse``           the exact form of a signature envelope, no cryptography
``formats``        the formats of packages: plan, writers, readers, extraction, limits
``platforms``      what a compiled library says of itself, read without running it
``signing``        keys, signatures, trust
``verification``   whether a package is the one that was asked for, signed by keys that count
``releases``       the releases of Cloacina, and what each of them loads
``project``        what a source folder is, and what of it gets packed
``inspection``     what a package of an older format contains, in the terms of the manifest
``vendoring``      the wheels of a Python project: which, from where, locked
``registry``       the local registry of installed packages, and a daemon's folder
``server``         the HTTP API of a Cloacina server
``runtime``        public: verify a package, load it in a child process, run its tasks
``checks``         what ``validate`` knows, one function a code
``operations``     public: one function a verb
``cli``            the command line, a translator over ``operations``

This module imports nothing, so that any part can be imported alone.
"""

__version__ = "0.1.0"
