"""The formats of packages: what their bytes are, written and read.

``detect`` what a file is by its first bytes · ``opening`` a package of any format ·
``layout`` names and sections · ``limits`` how large anything may be · ``plan`` and ``sources`` what
gets packed · ``file_index`` the files of a package · ``extraction`` folders on disk · ``threads``
work in the order of a stream · ``native`` the native format · ``legacy`` the older formats ·
``wheel`` Python wheels.

The only door to tar and compression. Signatures are bytes to it: ``signing`` makes and checks them.
"""
