"""What a node tells the service manager and the journal: that it is ready, alive and well as long
as its disk answers, and events with their fields."""

import atexit
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, Node, expect, run, system, until  # noqa: E402

WATCHDOG_US = 4_000_000


class ServiceManager:
    """systemd, as a service sees it: a socket that is told."""

    def __init__(self):
        self.path = pathlib.Path("notify.sock").resolve()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.fspath(self.path))

    def start(self, data, **more):
        """Without WATCHDOG_PID, which would name a process that is not known before."""
        return subprocess.Popen(
            [str(BIN / "holdfast-node"), "serve", "--data", str(data)], text=True,
            env={**os.environ, "NOTIFY_SOCKET": str(self.path),
                 "WATCHDOG_USEC": str(WATCHDOG_US), **more.pop("env", {})},
            **{"stdout": subprocess.PIPE, "stderr": open("service.log", "ab"), **more})

    def told(self, most):
        """The next that it is told, or None after so many seconds."""
        self.socket.settimeout(most)
        try:
            return self.socket.recv(65536).decode()
        except TimeoutError:
            return None

    def await_told(self, beginning, most=60):
        while (said := self.told(most)) is not None:
            if said.startswith(beginning):
                return said
        raise SystemExit(f"FAILED: it is never told {beginning}")

    def forget(self):
        while self.told(0.001) is not None:
            pass


def told_from_start_to_end():
    process = manager.start(node.data)
    said = []
    while not {"READY=1", "WATCHDOG=1"} <= set(said) or said.count("WATCHDOG=1") < 3:
        said.append(manager.told(60))
        expect(said[-1] is not None, f"told only {said}")
    expect(any(line.startswith("STATUS=Serves 0 repositories at tcp://") for line in said),
           str(said))
    process.send_signal(signal.SIGTERM)
    manager.await_told("STOPPING=1")
    expect(process.wait(60) == 0, "it does not end well")


def a_disk_that_hangs():
    """No sign of life, until it answers again."""
    if os.geteuid() != 0 or not shutil.which("fsfreeze") or not shutil.which("mkfs.ext4"):
        print("a disk that hangs needs root, fsfreeze and mkfs.ext4")
        return
    image, folder = pathlib.Path("disk.image"), pathlib.Path("disk").resolve()
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    system("mkfs.ext4", "-q", "-F", image)
    if system("mount", "-o", "loop", image, folder, check=False).returncode != 0:
        print("no loop device can be mounted here")
        return
    atexit.register(lambda: system("umount", "-l", folder, check=False))
    run("init", "--data", folder / "node", "--listen", "tcp://127.0.0.1:0", program="holdfast-node")
    process = manager.start(folder / "node")
    manager.await_told("WATCHDOG=1")
    # Nothing that waits for it can be killed: it thaws by itself, whatever becomes of this test.
    thaw = subprocess.Popen([sys.executable, "-c", "import os, sys, time\ntime.sleep(60)\n"
                             "os.execlp('fsfreeze', 'fsfreeze', '-u', sys.argv[1])", str(folder)])
    atexit.register(thaw.kill)
    atexit.register(lambda: system("fsfreeze", "-u", folder, check=False))
    system("fsfreeze", "-f", folder)
    unwell = manager.await_told("STATUS=The disk is unwell: the disk does not answer for")
    manager.forget()
    # It has been silent for half of its time already: now for as long as systemd would wait.
    end = time.monotonic() + WATCHDOG_US / 1e6
    while (left := end - time.monotonic()) > 0:
        expect(manager.told(left) != "WATCHDOG=1", f"a sign of life behind {unwell}")
    expect("does not answer" in pathlib.Path("service.log").read_text(), "the log says nothing")
    system("fsfreeze", "-u", folder)
    thaw.kill()
    thaw.wait()
    manager.await_told("WATCHDOG=1")
    until(lambda: "is well again" in pathlib.Path("service.log").read_text(), "the log says so")
    process.send_signal(signal.SIGTERM)
    expect(process.wait(60) == 0, "it does not end well")
    system("umount", folder)


def journal_entries(datagram):
    """The fields of an entry, as systemd.journal-fields(7) has them on the wire."""
    fields = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:  # a value with line ends has its length before it
            size = int.from_bytes(datagram[:8], "little")
            value, datagram = datagram[8:8 + size], datagram[9 + size:]
        fields[name.decode()] = value.decode()
    return fields


def events_in_the_journal():
    """In a mount namespace whose journal is ours."""
    journal = pathlib.Path("/run/systemd/journal")
    new_namespace = 0x00020000
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(new_namespace) != 0:
        print("a journal of its own needs root and mount namespaces")
        return
    system("mount", "--make-rprivate", "/")
    if not journal.is_dir():
        system("mount", "-t", "tmpfs", "none", "/run")
        journal.mkdir(parents=True)
    system("mount", "-t", "tmpfs", "none", journal)
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(os.fspath(journal / "socket"))
    ear.settimeout(60)
    stream, other_end = socket.socketpair()
    status = os.fstat(stream.fileno())
    # Nobody reads here what a manager is told, and who tells waits for that.
    process = manager.start(node.data, stderr=stream,
                            env={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}",
                                 "NOTIFY_SOCKET": ""})

    def await_event(kind):
        while (entry := journal_entries(ear.recv(65536))).get("HOLDFAST_EVENT") != kind:
            pass
        return entry

    entry = await_event("serving")
    expect(entry["PRIORITY"] == "6" and entry["SYSLOG_IDENTIFIER"] == "holdfast-node"
           and "serves" in entry["MESSAGE"], str(entry))
    run("init", "-r", "repo", "--kdf-cost", "low", "--node", node.invite())
    entry = await_event("repository_created")
    expect(len(entry["HOLDFAST_REPOSITORY"]) == 64 and entry["HOLDFAST_REPOSITORY"] in
           entry["MESSAGE"], str(entry))
    process.send_signal(signal.SIGTERM)
    await_event("ended")
    expect(process.wait(60) == 0, "it does not end well")
    other_end.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        expect(not other_end.recv(1), "lines went to the stream as well")


def a_key_that_systemd_gives():
    """LoadCredential=node.key: the folder needs none."""
    credentials = pathlib.Path("credentials")
    credentials.mkdir()
    (node.data / "node.key").rename(credentials / "node.key")
    run("serve", "--data", node.data, program="holdfast-node", code=1)
    process = manager.start(node.data, env={"CREDENTIALS_DIRECTORY": str(credentials.resolve())})
    manager.await_told("READY=1")
    process.send_signal(signal.SIGTERM)
    expect(process.wait(60) == 0, "it does not end well")
    (credentials / "node.key").rename(node.data / "node.key")


node = Node("anna")
node.kill()
manager = ServiceManager()
told_from_start_to_end()
a_key_that_systemd_gives()
a_disk_that_hangs()
events_in_the_journal()
