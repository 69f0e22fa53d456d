"""Packages of older formats: gzip and bzip2 archives of tar, read and written by one door.

``streams`` one gzip member or bzip2 stream, strictly · ``bounds`` what may come out of it ·
``tar_headers`` one tar header · ``tar_members`` the tar stream as members, and what they may be
called · ``layouts`` which members a format has · ``reader`` an open package, read into a sink in
one pass · ``manifest_json``, ``package_toml`` what their manifests say, over ``table_reader`` ·
``defaults`` what they leave unsaid · ``tar_writer``, ``write_source``, ``write_v1`` how they are
written.

docs/formats.md describes what is read, and what is refused.
"""
