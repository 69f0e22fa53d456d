"""What `cloacina_ctl.runtime` promises to those who embed it."""

import pytest

from cloacina_ctl import runtime


def test_every_public_name_is_there():
    for name in runtime.__all__:
        assert getattr(runtime, name).__doc__


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'open_all'"):
        runtime.open_all  # noqa: B018 - it must not be there
