"""The local registry of installed packages, and the folder that a daemon watches.

``store`` the registry and its changes · ``records`` the record of a name · ``history`` the active
versions of a name · ``files`` the stored files · ``layout`` the names of files and folders ·
``places`` opening the folders · ``repair`` checking and repairing · ``daemon_folder`` the folder of
the daemon.
"""
