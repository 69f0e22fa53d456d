"""The local registry of installed packages, and the folder that a daemon watches.

``store`` what is in the registry, and every change of it · ``records`` what it knows of a name ·
``history`` which version was active when · ``files`` what is stored · ``layout`` how it is named ·
``places`` the folders, held · ``repair`` whether it is whole · ``daemon_folder`` the other one.
"""
