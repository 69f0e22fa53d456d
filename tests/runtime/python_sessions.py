"""Sessions whose task runs what its context says, and the processes of a session."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from cloacina_ctl.runtime import load
from cloacina_ctl.runtime.process.bundle import ModuleTree
from cloacina_ctl.runtime.process.child import HostLimits, HostOptions
from cloacina_ctl.runtime.session import Preparation

TASKS = """
    import json, os, re, signal, time
    import cloaca

    SECOND = os.path.join(os.environ["TMPDIR"], "second")
    if os.path.exists(SECOND):
        time.sleep(600)

    @cloaca.task(id="act")
    def act(context):
        exec(context["do"])
        return context

    def say(text):
        data = text.encode()
        os.write(4, len(data).to_bytes(4, "little") + data)
"""


def opened(text=TASKS, options=HostOptions(), on_output=None, **limits):
    """Return a session whose task runs what its context says."""
    options = options._replace(limits=HostLimits(**limits), on_output=on_output)
    with Preparation("x.cloacina", options) as ready:
        tree = Path(ready.material.folder, "package")
        module = tree / "workflow" / "pack" / "tasks.py"
        module.parent.mkdir(parents=True)
        module.with_name("__init__.py").touch()
        module.write_text(dedent(text))
        ready.material.take_modules(
            ModuleTree(str(tree), entry_module="pack.tasks", workflow="flow", package="pack")
        )
        return load(ready)


def do(session, what, timeout=None, **more):
    return session.run_task("act", {"do": what, **more}, timeout=timeout)


def state_of(pid):
    """Return the letter that the kernel has for a process, None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state = stat.rpartition(")")[2].split()[0]
    return None if state == "Z" else state


def parts_of(session):
    """Return the processes of a session, from the one that it knows on down."""
    return family(session._host.child._pid)


def family(pid):
    """Return a process and all that descend from it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in below for one in family(int(child)))]


# What follows has no right to make a namespace, nor to have one made for it.
NONE = (
    "unshare", "-Ur", "sh", "-c",
    'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all "$@"',
)  # fmt: skip


def said(session, what, **more):
    """Return what a task found, or the number of the error that it met."""
    names = "{'context': context, 'os': os}"
    text = f"try:\n    exec({dedent(what)!r}, {names})\nexcept OSError as e:\n"
    outcome = do(session, f"{text}    context['said'] = e.errno", timeout=30, **more)
    assert outcome.error is None
    return outcome.context.get("said")


READ = "context['said'] = open(context['path']).read()"


CONNECT = """
import socket
with socket.socket(getattr(socket, context['family'])) as own:
    address = context['address']
    own.connect(tuple(address) if isinstance(address, list) else address)
    context['said'] = 'connected'
"""
