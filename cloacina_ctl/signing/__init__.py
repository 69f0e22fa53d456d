"""Keys, signatures and trust. Only this package uses cryptography.

``keys`` Ed25519 keys · ``key_formats`` the formats of their files · ``sources`` reading a key from
a file, pipe, descriptor or variable · ``files`` checks of who can change a key file · ``names``
names of keys · ``statement`` the signed statement · ``signatures`` whether a signature holds ·
``policy`` whether the signatures are enough · ``sidecar``, ``fidius_signature`` the signatures of
legacy formats, ``schemes`` what those cover · ``store`` the user's keys · ``trust`` the trusted
keys · ``resolve`` the key for a text that a user typed.
"""
