"""The content of a legacy package, in the terms of the manifest.

``legacy_contents`` one pass over its files that keeps the facts · ``manifest_view`` the facts in
the shape of a native manifest.
"""
