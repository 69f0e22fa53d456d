"""What a package of an older format contains, in the terms of the manifest.

``legacy_contents`` one pass over its files that keeps the facts · ``manifest_view`` what they say,
in the shape of a native manifest.
"""
