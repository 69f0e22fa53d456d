"""Keys, signatures and trust. The only door to cryptography.

``keys`` Ed25519 keys · ``curve`` which points vouch for nothing · ``sources`` where one comes from
· ``forms`` what their files may look like: ``pem``, ``der``, ``pkcs8``, ``openssh`` ·
``recognized`` what a file is instead · ``files`` who else could have had a hand in one · ``names``
what keys are called · ``statement`` what a signature says · ``judge`` whether it holds ·
``policy`` whether that is enough · ``sidecar``, ``fidius_signature`` the signatures of other
generations, ``schemes`` what those cover · ``store`` the user's keys · ``trust`` whose signatures
count · ``resolve`` from what a user typed to a key.
"""
