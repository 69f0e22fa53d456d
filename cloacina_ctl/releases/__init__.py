"""What each release of Cloacina loads, as far as it is known without running one.

``table`` what differs by release, and how that is known · ``ranges`` which releases a requirement
takes · ``rules`` whether a release loads a package, asked before it is made and after.
"""
