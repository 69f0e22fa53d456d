"""Legacy packages: tar archives compressed with gzip or bzip2, read and written.

``streams`` one gzip member or bzip2 stream, strictly · ``bounds`` limits on its content ·
``tar_headers`` one tar header · ``tar_members`` the tar stream as members, and the rules for their
names · ``layouts`` the members of each format · ``reader`` an open package, read into a sink in
one pass · ``manifest_json``, ``package_toml`` the manifests, read with ``table_reader`` ·
``defaults`` the values that they leave out · ``tar_writer``, ``write_source``, ``write_v1`` the
writers.

docs/formats.md describes what is read and what is refused.
"""
