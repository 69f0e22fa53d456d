"""The package format: what a package's bytes are, written and read.

``layout`` names and sections · ``limits`` how large anything may be · ``container`` what a file is
by its first bytes · ``frames`` zstd frames · ``tar`` the tar profile · ``block`` the signature
frame · ``tables`` files.json and index.json · ``head`` the three members in front ·
``plan`` what gets packed · ``writer`` and ``reader`` · ``extraction`` folders on disk.

The only door to tar and zstd. Signatures are bytes to it: ``signing`` makes and judges them.
"""
