"""Somebody with an enrolled key attacks all nodes while a backup and a restore run.

Connections stop in their handshake, messages have parts without end, garbage is sent whose replies
are never read. The work is done all the same, and the nodes neither grow nor spin nor die, even
with few descriptors.
"""

import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, Node, expect, init, make_tree, run, same_tree  # noqa: E402

MOST_GROWTH = 512 << 20  # of a node: its queues for each connection, and what libzmq holds
DESCRIPTORS = 256


def memory(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


source = make_tree(pathlib.Path("source").resolve())
nodes = [Node(name, prefix=["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"])
         for name in ("north", "south", "east")]
init("owner", *(part for node in nodes for part in ("--node", node.invite())))
run("agent", "add", "-r", "owner", "mallory", "-o", "mallory")
run("backup", "-r", "owner", source)
before = [memory(node.process) for node in nodes]

attacker = subprocess.Popen([BIN / "hostile_peer", "mallory"], stdout=subprocess.PIPE, text=True)
expect("attacking" in attacker.stdout.readline(), "the attacker does not start")
for number in range(3):
    (source / f"under attack {number}").write_bytes(os.urandom(4 << 20))
    run("backup", "-r", "owner", source, code=(0, 4))
run("restore", "-r", "owner", f"latest:{source}", "--target", "under attack")
same_tree(source, "under attack", but_for_the_top=True)
attacker.kill()
attacker.wait()
attacker.stdout.close()

for node, memory_before in zip(nodes, before):
    expect(node.process.poll() is None, f"node {node.name} died: {node.log.read_text()[-2000:]}")
    grown = memory(node.process) - memory_before
    expect(grown < MOST_GROWTH, f"node {node.name} grew by {grown >> 20} MiB")
run("backup", "-r", "owner", source)
run("verify", "-r", "owner", "--read-data")
# Nothing is left to do: a node that still uses the processor spins. Half a second is measured.
used = [processor_seconds(node.process) for node in nodes]
time.sleep(0.5)
for node, seconds in zip(nodes, used):
    expect(processor_seconds(node.process) - seconds < 0.25, f"node {node.name} spins")
for node in nodes:
    node.kill()
