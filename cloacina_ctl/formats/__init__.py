"""The formats of packages: what their bytes are, written and read.

``detect`` what a file is by its first bytes · ``opening`` a package of any format ·
``layout`` names and sections · ``limits`` the largest sizes · ``plan`` and ``sources`` the files to
pack · ``file_index`` the files of a package · ``extraction`` folders on disk · ``threads``
work in the order of a stream · ``native`` the native format · ``legacy`` the older formats ·
``wheel`` Python wheels.

Only this package uses tar and compression. Signatures are bytes to it: ``signing`` makes and checks
them.
"""
