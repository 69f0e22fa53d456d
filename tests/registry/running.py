"""A daemon that runs in a home of its own, what it logs, and what it says when it is asked."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

SECONDS = 60.0  # until something happens that must; what takes longer is lost
# Where cargo keeps what it needs, whatever home the daemon gets.
CARGO = {
    name: os.environ.get(name) or os.path.expanduser(folder)
    for name, folder in (("CARGO_HOME", "~/.cargo"), ("RUSTUP_HOME", "~/.rustup"))
}


class Daemon:
    """A program that watches ``packages`` in its home, and its log."""

    def __init__(self, home: Path, *command: object, path: str | None = None) -> None:
        self.packages = home / "packages"
        self._home, self._log = home, home.with_suffix(".log")
        self._command = [str(word) for word in command]
        self._path = path or os.environ["PATH"]
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._read = 0
        self.start()

    def start(self) -> None:
        """Start it, also again; what it logged before does not count any more."""
        self.packages.mkdir(parents=True, exist_ok=True)
        self.forget()
        with open(self._log, "ab") as log:
            self._running = subprocess.Popen(
                self._command,
                cwd=self._home,
                env={**os.environ, **CARGO, "HOME": str(self._home), "PATH": self._path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._listener = threading.Thread(target=self._listen, args=(self._running.stdout,))
        self._listener.start()

    def stop(self) -> None:
        """End it as the system does."""
        self._running.send_signal(signal.SIGTERM)
        try:
            self._running.wait(20)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._listener.join()
        for pipe in (self._running.stdin, self._running.stdout):
            pipe.close()

    def again(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def lines(self) -> list[str]:
        """Return what it logged since the start, or since ``forget``."""
        if not self._log.exists():
            return []
        return self._log.read_bytes()[self._read :].decode("utf-8", "replace").splitlines()

    def forget(self) -> None:
        """Let what it logged until now count no more."""
        self._read = self._log.stat().st_size if self._log.exists() else 0

    def logs(self, *words: str, seconds: float = SECONDS) -> bool:
        """Tell whether a line with all of the words comes."""
        until = time.monotonic() + seconds
        while not any(all(word in line for word in words) for line in self.lines()):
            if time.monotonic() > until or self._running.poll() is not None:
                return False
            time.sleep(0.05)
        return True

    def looks_twice(self) -> None:
        """Wait until it has looked into the folder anew: it complains of what is no package."""
        mark = self.packages / f"{time.monotonic_ns()}.cloacina"
        mark.write_text("half")
        assert self.logs(mark.name)
        self.forget()
        assert self.logs(mark.name)
        mark.unlink()

    def run(self, workflow: str, context: str = "{}") -> str:
        """Return how a run of the workflow ended, and its context: a daemon of ours alone.

        These releases lose a run now and then, when their own database is locked: then once more.
        """
        for _ in range(4):
            self._running.stdin.write(f"{workflow} {context}\n")
            self._running.stdin.flush()
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=SECONDS / 4)
                return answer.removeprefix(f"ran {workflow} ").rstrip()
        raise AssertionError(f"no run of {workflow} ended")

    def completed(self, workflow: str) -> str:
        """Return the same of the first of a few runs that completed, or of the last one.

        A locked database fails a task, too: of several in a row every now and then one.
        """
        for _ in range(5):
            ended = self.run(workflow)
            if ended.startswith("Completed"):
                break
        return ended

    def _listen(self, said) -> None:
        for line in said:
            self._answers.put(line)
