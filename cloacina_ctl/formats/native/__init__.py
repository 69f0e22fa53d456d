"""The native format: writing a package, and proving every byte of it.

``signature_block`` the signature frame · ``head`` the three members in front · ``frames`` zstd
frames · ``tar`` the tar profile · ``writer`` · ``reader`` · ``payload`` the files, read once ·
``processes`` a second process that reads beside this one.
"""
