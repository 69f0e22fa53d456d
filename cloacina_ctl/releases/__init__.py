"""The rules by which each release of Cloacina loads packages.

``table`` the rules that differ by release, and their sources · ``ranges`` the releases in a
requirement · ``rules`` whether a release loads a package, checked before it is made and after.
"""
