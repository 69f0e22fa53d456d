"""Packages of older formats: gzip and bzip2 archives of tar, read and written by one door.

``streams`` one gzip member or bzip2 stream, strictly · ``bounds`` what may come out of it ·
``prefetch`` decompression beside the rest · ``tar_headers`` and ``pax`` one tar header, one
extension · ``tar_members`` the tar stream as members · ``names`` what they may be called together ·
``layouts`` which members a format has · ``reader`` an open package, read into a sink in one pass ·
``manifest_json``, ``package_toml`` what their manifests say · ``tar_writer``, ``write_source``,
``write_v1`` how they are written.

docs/formats.md describes what is read, and what is refused.
"""
