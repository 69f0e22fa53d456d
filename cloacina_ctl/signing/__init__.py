"""Keys, signatures and trust. The only door to cryptography.

``keys`` Ed25519 keys and their files · ``statement`` what a signature says · ``judge`` whether it
holds · ``policy`` whether that is enough · ``store`` the user's keys · ``trust`` whose signatures
count · ``resolve`` from what a user typed to a key.
"""
