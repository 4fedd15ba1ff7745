"""What the end-to-end tests share: the programs, small trees, nodes on loopback."""

import atexit
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

BIN = pathlib.Path(os.environ["HOLDFAST_BIN"])
PASSPHRASE = "correct horse battery staple"
os.environ["HOLDFAST_PASSPHRASE"] = PASSPHRASE


SKIPPED = 77  # what CTest takes for "not here"


def fail(message):
    print(f"FAILED: {message}", file=sys.stderr)
    sys.exit(1)


def skip(reason):
    print(f"SKIPPED: {reason}", file=sys.stderr)
    sys.exit(SKIPPED)


def system(*command, check=True, **more):
    """A command of the system, not of ours."""
    done = subprocess.run(list(map(os.fspath, command)), check=False, capture_output=True,
                          text=True, **more)
    if check and done.returncode != 0:
        fail(f"{' '.join(map(str, command))}: {done.stderr}")
    return done


def promtool():
    """Prometheus's own judge of metrics and alerts, where `./dev` puts it or installed; or None."""
    return shutil.which("promtool", path=f"{BIN.parents[1] / 'tools'}:{os.environ['PATH']}")


def until(condition, what, most=60):
    """Waits for something that another process does."""
    deadline = time.monotonic() + most
    while not condition():
        expect(time.monotonic() < deadline, f"{what}: not within {most} s")
        time.sleep(0.01)


def folder_bytes(folder):
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                pass
    return total


def expect(condition, message):
    if not condition:
        fail(message)


def run(*arguments, code=0, program="holdfast", env=None, text=True, prefix=(), **more):
    """Runs a program to its end; its exit code must be `code`, or one of them. Returns what it
    printed. `prefix` is a command that runs it, as `ip netns exec` does."""
    codes = code if isinstance(code, tuple) else (code,)
    result = subprocess.run([*prefix, str(BIN / program), *map(os.fspath, arguments)], check=False,
                            capture_output=True, text=text, timeout=120,
                            env={**os.environ, **(env or {})}, **more)
    if result.returncode not in codes:
        command = " ".join([program, *map(str, arguments)])
        fail(f"{command}: exit code {result.returncode}, not {code}\n"
             f"{result.stdout}{result.stderr}")
    return result


def objects(result):
    """The JSON objects that a command printed on standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def summary(result):
    return [one for one in objects(result) if one["message_type"] == "summary"][-1]


def init(repository, *arguments):
    run("init", "-r", repository, "--kdf-cost", "low", *arguments)


def make_tree(root):
    """A small tree with what is easily got wrong."""
    root = pathlib.Path(root)
    (root / "empty folder").mkdir(parents=True)
    (root / "deep/er/still").mkdir(parents=True)
    (root / "deep/er/still/file").write_bytes(b"at the bottom\n")
    (root / "empty").touch()
    (root / "large").write_bytes(os.urandom(3 << 20) + bytes(1 << 20))
    (root / "script").write_text("#!/bin/sh\n")
    (root / "script").chmod(0o4755)
    (root / "link").symlink_to("deep/er")
    (root / "dangling").symlink_to("nowhere/at\nall")
    os.link(root / "large", root / "deep/hard link")
    os.mkfifo(root / "fifo", 0o640)
    (root / "new\nline").write_bytes(b"a name with a line end")
    with open(os.fsencode(root) + b"/not \xff\xfe utf-8", "wb") as file:
        file.write(b"a name that is no text")
    with open(root / "sparse", "wb") as file:
        file.truncate(1 << 20)
    for number in range(40):
        (root / f"small {number}").write_bytes(b"%d " % number * number)
    try:
        os.setxattr(root / "script", "user.kept", b"value \0 with zero")
    except OSError:
        pass  # a file system without
    os.utime(root / "empty", ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789))
    os.utime(root / "deep/er", ns=(2_000_000_000_000_000_001, 1_500_000_000_987_654_321))
    return root


def same_tree(one, other, but_for_the_top=False):
    """Fails unless rsync finds nothing to do, neither in content nor in metadata.

    but_for_the_top: what SNAPSHOT:PATH names gives its content to the target, not its own metadata.
    """
    if shutil.which("rsync") is None:
        fail("rsync is not installed")
    out = subprocess.run(["rsync", "-aHAXn", "--checksum", "--delete", "--itemize-changes",
                          f"{one}/", f"{other}/"], check=True, capture_output=True).stdout
    if but_for_the_top:
        out = b"".join(line for line in out.splitlines(True) if not line.endswith(b" ./\n"))
    expect(out == b"", f"rsync sees a difference of {one} and {other}: {out!r}")


class Node:
    """A holdfast-node, on loopback unless said otherwise, at a port that stays its own. `more` goes
    to its init."""

    def __init__(self, name, data=None, listen="tcp://127.0.0.1:0", prefix=(), more=()):
        self.name = name
        self.data = pathlib.Path(data or f"node-{name}").resolve()
        self.prefix = list(prefix)
        self.log = pathlib.Path(f"node-{name}.log").resolve()
        run("init", "--data", self.data, "--listen", listen, "--name", name, *more,
            program="holdfast-node")
        self.process = None
        self.start()
        # From now on at the port that it got, so that it is found again after a restart.
        endpoint = (self.data / "endpoint").read_text().strip()
        settings = self.data / "node.toml"
        settings.write_text(settings.read_text().replace("tcp://127.0.0.1:0", endpoint))
        atexit.register(self.kill)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, str(BIN / "holdfast-node"), "serve", "--data", str(self.data)],
                stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        expect("ready" in line, f"node {self.name} does not start: {line}{self.log.read_text()}")

    def kill(self):
        """As a power cut would, as far as a process can tell."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)  # a stopped process dies of it, too
        if self.process is not None:
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def invite(self):
        return run("invite", "--data", self.data, program="holdfast-node").stdout.strip()
