"""Packages of other generations, as a whole: what they hold, what they say, and who vouches.

``reading`` one pass that keeps what tells facts · ``view`` what they say, in the shape of a native
manifest · ``signatures`` and ``proof`` whether they are the ones that were asked for. Their bytes
are read by ``archive.foreign``.
"""
