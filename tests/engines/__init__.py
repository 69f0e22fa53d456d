"""What the released Cloacina engines do with packages made here.

The engines come from PyPI, unchanged. `installed.py` fetches them, `libc.py` gives them a C
library that is new enough, `driver.py` runs inside an engine's interpreter, `running.py` starts it
and reads its verdict. `matrix.py` says what is to come out; `docs/compatibility.md` is written from
a run.
"""
