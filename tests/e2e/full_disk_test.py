"""Nodes on small file systems of their own (ext4, xfs, btrfs) that fill up, before a backup and in
the middle of one: no false acknowledgement, reads go on, and once there is room, all is whole."""

import atexit
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import (BIN, Node, expect, folder_bytes, init, make_tree, objects, run,  # noqa: E402
                 same_tree, skip, system, until)

KINDS = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f"),
         "btrfs": ("mkfs.btrfs", "-q", "-f")}
if os.geteuid() != 0:
    skip("mounting needs root")
for kind, (make, *_) in KINDS.items():
    if not shutil.which(make):
        skip(f"{make} is not installed")


class Disk:
    def __init__(self, kind):
        self.image, self.folder = pathlib.Path(f"{kind}.image"), pathlib.Path(kind).resolve()
        self.folder.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(640 << 20)  # three rounds of what backups that failed leave, too
        system(*KINDS[kind], self.image)
        if system("mount", "-o", "loop", self.image, self.folder, check=False).returncode != 0:
            skip(f"no loop device with {kind} can be mounted here")
        atexit.register(lambda: system("umount", "-l", self.folder, check=False))
        self.ballast = self.folder / "ballast"

    def fill_to(self, free_bytes):
        """Leaves about so much, whatever the file system counts as free."""
        with open(self.ballast, "ab") as file:
            try:
                while (rest := self.free() - free_bytes) > 0:
                    length = max(4096, min(1 << 20, rest))
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), length)
                os.fsync(file.fileno())
            except OSError:
                pass  # full

    def free(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def empty(self):
        self.ballast.unlink()
        os.sync()


def change(megabytes):
    for number in range(megabytes):
        (source / f"changing {number}").write_bytes(os.urandom(1 << 20))


def copies():
    return [one["copies"] for one in objects(run("snapshots", "-r", "owner", "--json"))]


def make_room(disk):
    """The node looks for room by itself, every few seconds."""
    disk.empty()
    until(lambda: "READ ONLY" not in run("status", "-r", "owner", code=(0, 1)).stdout,
          f"{disk.folder.name} takes writes again")


disks = {kind: Disk(kind) for kind in KINDS}
nodes = {kind: Node(kind, data=disk.folder / "node") for kind, disk in disks.items()}
source = make_tree(pathlib.Path("source").resolve())
init("owner", *(part for node in nodes.values() for part in ("--node", node.invite())))
run("backup", "-r", "owner", source)

for kind, disk in disks.items():
    node = nodes[kind]
    # Less than its reserve is left: it refuses, says why, and is read from.
    disk.fill_to(48 << 20)
    change(6)
    said = run("backup", "-r", "owner", source, code=4).stderr
    expect(kind in said and "reserve" in said, f"{kind}: the refusal does not say why: {said}")
    expect("READ ONLY" in run("status", "-r", "owner").stdout, f"{kind}: status is silent")
    make_room(disk)
    run("backup", "-r", "owner", source)
    expect(copies()[-1] == 3, f"{kind}: not whole again: {copies()}")

    # The room goes while it is being written to.
    before = folder_bytes(node.data)
    change(40)
    process = subprocess.Popen([BIN / "holdfast", "backup", "-r", "owner", source],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: folder_bytes(node.data) > before + (4 << 20) or process.poll() is not None,
          "the backup reaches the node")
    disk.fill_to(0)
    _, said = process.communicate(timeout=120)
    expect(process.returncode in (0, 4), f"{kind}: exit code {process.returncode}: {said}")
    expect(process.returncode == 4 or copies()[-1] == 3, f"{kind}: exit 0 without three copies")
    run("restore", "-r", "owner", f"latest:{source}", "--target", f"restored {kind}")
    same_tree(source, f"restored {kind}", but_for_the_top=True)

    # Killed while it is full, and started while it is full: reads go on.
    node.kill()
    node.start()
    run("verify", "-r", "owner", "--read-data", code=(0, 5))
    make_room(disk)
    run("backup", "-r", "owner", source)
    expect(copies()[-1] == 3, f"{kind}: not whole again: {copies()}")
    run("verify", "-r", "owner", "--read-data")

# Any one of them restores it alone.
for kind, node in nodes.items():
    for other in nodes.values():
        if other is not node:
            other.kill()
    run("restore", "-r", "owner", f"latest:{source}", "--target", f"from {kind}")
    same_tree(source, f"from {kind}", but_for_the_top=True)
    for other in nodes.values():
        if other is not node:
            other.start()
for node in nodes.values():
    node.kill()
