"""The HTTP API of a Cloacina server. Only this package uses the network.

``client`` the requests · ``responses`` reading the answers · ``connection`` one request and its
answer, by urllib3 · ``bounded_socket`` deadlines and sizes · ``proxies`` · ``address`` URLs ·
``multipart`` an upload · ``token`` and ``profiles`` credentials · ``remote_file`` a part of a file
behind a URL.
"""
