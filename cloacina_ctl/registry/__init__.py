"""The local registry of installed packages, and the folder that a daemon watches.

``store`` what is in the registry, and every change of it · ``daemon_folder`` the other one. The
only door to SQLite.
"""
