"""Runs one end-to-end test, tests/e2e/NAME_test.sh or .py, where it can disturb no other.

The test's working directory, HOME and TMPDIR are a fresh folder, removed afterwards. Processes that
the test leaves behind are ended, and fail it: a test stops what it starts. The test takes ports
that the system picks (port 0) and finds the programs through HOLDFAST_BIN.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>: orphans below us become our children
GRACE_SECONDS = 5.0  # how long a process that was told to stop may take, before it counts as left
MOST_SECONDS = 170  # below CTest's limit, which would end this script and leave all else behind


def children():
    """The process ids and command lines of our living children."""
    found = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
            state, parent = text.rsplit(")", 1)[1].split()[:2]
            command = (status.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == os.getpid() and state != "Z":
            found[int(status.parent.name)] = command.strip()
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_leftovers():
    """Waits for processes that are ending, kills the others, and returns those it had to kill."""
    deadline = time.monotonic() + GRACE_SECONDS
    while children() and time.monotonic() < deadline:
        reap()
        time.sleep(0.02)
    killed = {}
    while left := children():  # a killed process hands its own children to us
        killed.update(left)
        for process in left:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    return killed


def main():
    script = pathlib.Path(sys.argv[1]).resolve()
    interpreter = {".py": [sys.executable], ".sh": ["bash", "-euo", "pipefail"]}[script.suffix]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_CHILD_SUBREAPER) failed")

    folder = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-e2e-"))
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("HOLDFAST_", "XDG_"))}
    environment.update(HOME=str(folder), TMPDIR=str(folder), LC_ALL="C.UTF-8",
                       HOLDFAST_BIN=os.environ["HOLDFAST_BIN"],
                       HOLDFAST_E2E=str(script.parent), PYTHONDONTWRITEBYTECODE="1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        try:
            result = subprocess.run([*interpreter, str(script), *sys.argv[2:]], cwd=folder,
                                    env=environment, stdin=subprocess.DEVNULL, check=False,
                                    timeout=MOST_SECONDS).returncode
        except subprocess.TimeoutExpired:
            print(f"{script.name} did not end in {MOST_SECONDS} s", file=sys.stderr)
            result = 124
        for process, command in end_leftovers().items():
            print(f"left running, now killed: {process} {command}", file=sys.stderr)
            result = result or 1
    finally:
        end_leftovers()
        # A test may leave folders that cannot be entered, to see how the programs take it.
        for parent, _, _ in os.walk(folder):
            if not os.path.islink(parent):
                os.chmod(parent, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
    return result if result >= 0 else 128 - result


if __name__ == "__main__":
    sys.exit(main())
