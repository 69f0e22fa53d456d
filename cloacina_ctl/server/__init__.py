"""The HTTP API of a Cloacina server: the only door to the network.

``client`` the requests · ``responses`` what a server answers · ``connection`` one request and its
answer, by urllib3 · ``bounded_socket`` deadlines and sizes · ``proxies`` · ``address`` URLs ·
``multipart`` an upload · ``token`` and ``profiles`` who asks · ``remote_file`` the beginning of a
file behind a URL.
"""
