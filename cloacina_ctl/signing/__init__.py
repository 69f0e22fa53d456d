"""Keys, signatures and trust. The only door to cryptography.

``keys`` Ed25519 keys · ``key_formats`` how their files are written · ``sources`` where a key comes
from · ``files`` who else may have written to one · ``names`` what keys are called · ``statement``
what a signature says · ``judge`` whether it holds · ``policy`` whether that is enough ·
``sidecar``, ``fidius_signature`` the signatures of older formats, ``schemes`` what those cover ·
``store`` the user's keys · ``trust`` whose signatures count · ``resolve`` from what a user typed to
a key.
"""
