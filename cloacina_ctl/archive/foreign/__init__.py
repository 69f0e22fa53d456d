"""Packages of other generations: gzip and bzip2 archives of tar, read and written by one door.

``streams`` one gzip member or bzip2 stream, strictly · ``bounds`` what may come out of it ·
``ahead`` decompression beside the rest · ``headers`` and ``pax`` one tar header, one extension ·
``members`` the tar stream as members · ``names`` what they may be called together · ``layouts``
which members a generation has · ``package`` an open package, poured into a sink in one pass ·
``json_text``, ``old_manifests``, ``package_toml``, ``provider`` what their manifests say.

docs/formats.md describes what is read, and what is refused.
"""
