"""Where packages are delivered to: a local registry, a daemon's folder, a server.

``store`` the registry on this machine · ``index`` its SQLite file · ``rows`` what is asked of it ·
``files`` what is stored · ``records`` what the index is made anew from · ``turns`` which version
is active · ``layout`` and ``stored`` names and values · ``repair`` whether it is whole · ``daemon``
the folder that a daemon watches. The only door to SQLite.

``server`` the real server's interface · ``exchange`` one request and its answer · ``wire`` the
connection, its deadlines and TLS · ``address`` URLs · ``proxies`` · ``multipart`` an upload ·
``answers`` what a server says · ``token`` and ``profiles`` who asks. The only door to the network.
"""
