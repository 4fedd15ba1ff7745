"""Three nodes and an agent on machines of their own (network namespaces, joined by a bridge): links
are cut in one direction or both, also in the middle of a backup, and flap. A quorum goes on, fewer
leave nothing visible, and the next backup makes all whole."""

import atexit
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import (BIN, Node, expect, folder_bytes, init, make_tree, objects, run,  # noqa: E402
                 same_tree, skip, summary, system, until)

if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
    skip("network namespaces need root, iproute2 and nftables")

AGENT = f"hf{os.getpid()}a"
if system("ip", "netns", "add", AGENT, check=False).returncode != 0:
    skip("this system makes no network namespaces")
if system("ip", "-n", AGENT, "link", "add", "bridge", "type", "bridge",
          check=False).returncode != 0:
    system("ip", "netns", "del", AGENT, check=False)
    skip("this system lets nobody set up a network, as in a container without CAP_NET_ADMIN")


def leave(space):
    system("ip", "netns", "del", space, check=False)


def nft(space, script):
    system("ip", "netns", "exec", space, "nft", "-f", "-", input=script)


class Machine:
    """A namespace with one link to the agent's bridge."""

    def __init__(self, number):
        self.space, self.address = f"hf{os.getpid()}n{number}", f"198.18.0.1{number}"
        system("ip", "netns", "add", self.space)
        atexit.register(leave, self.space)
        system("ip", "link", "add", "eth0", "netns", self.space, "type", "veth",
               "peer", "name", f"port{number}", "netns", AGENT)
        system("ip", "-n", AGENT, "link", "set", f"port{number}", "master", "bridge", "up")
        system("ip", "-n", self.space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            system("ip", "-n", self.space, "link", "set", device, "up")
        self.node = Node(f"n{number}", listen=f"tcp://{self.address}:7450",
                         prefix=["ip", "netns", "exec", self.space])

    @contextlib.contextmanager
    def cut(self, *directions):
        self.begin_cut(*directions)
        yield
        self.end_cut()

    def begin_cut(self, *directions):
        chains = "".join(f"chain {name} {{ type filter hook {name} priority 0; policy drop; }}\n"
                         for name in directions)
        nft(self.space, f"table inet cut {{\n{chains}}}\n")

    def end_cut(self):
        nft(self.space, "delete table inet cut\n")


def holdfast(*arguments, code=0):
    return run(*arguments, code=code, prefix=["ip", "netns", "exec", AGENT])


def change(megabytes):
    for number in range(megabytes):
        (source / f"changing {number}").write_bytes(os.urandom(1 << 20))


def copies():
    return [one["copies"] for one in objects(holdfast("snapshots", "-r", "owner", "--json"))]


def back_up_and(when_running, code):
    """A backup during which something happens once its bytes arrive at the first machine."""
    before = folder_bytes(machines[0].node.data)
    process = subprocess.Popen(["ip", "netns", "exec", AGENT, BIN / "holdfast", "backup", "-r",
                                "owner", source, "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    until(lambda: folder_bytes(machines[0].node.data) > before + 300_000
          or process.poll() is not None, "the backup reaches the first node")
    with when_running:
        output, _ = process.communicate(timeout=120)
    expect(process.returncode in code, f"exit code {process.returncode}, not {code}: {output}")


atexit.register(leave, AGENT)
system("ip", "-n", AGENT, "addr", "add", "198.18.0.1/24", "dev", "bridge")
for device in ("lo", "bridge"):
    system("ip", "-n", AGENT, "link", "set", device, "up")
machines = [Machine(number) for number in range(3)]
source = make_tree(pathlib.Path("source").resolve())
invites = [part for machine in machines for part in ("--node", machine.node.invite())]
holdfast("init", "-r", "owner", "--kdf-cost", "low", *invites)
expect(summary(holdfast("backup", "-r", "owner", source, "--json"))["copies"] == 3, "first backup")

# Cut off while it receives, in each direction alone and in both: the others make the quorum.
for directions in (("input",), ("output",), ("input", "output")):
    change(24)
    back_up_and(machines[1].cut(*directions), (4, 0))
    holdfast("backup", "-r", "owner", source)
    expect(copies()[-1] == 3, f"after {directions} was cut: {copies()}")

# Cut off before: as if it were down, and said so.
change(2)
with machines[2].cut("input"):
    holdfast("backup", "-r", "owner", source, code=4)
    run_out = holdfast("status", "-r", "owner", code=1).stdout
    expect("NOT REACHABLE" in run_out, f"status while a node is cut off: {run_out}")
    holdfast("restore", "-r", "owner", f"latest:{source}", "--target", "while cut off")
same_tree(source, "while cut off", but_for_the_top=True)
holdfast("backup", "-r", "owner", source)

# Two of three: fewer than the quorum, so that nothing may be seen of it afterwards.
listed = len(copies())
change(2)
with machines[0].cut("input", "output"), machines[1].cut("output"):
    holdfast("backup", "-r", "owner", source, code=1)
expect(len(copies()) == listed, "a backup that failed is listed")

# A link that comes and goes faster than any timeout.
ended = threading.Event()


@contextlib.contextmanager
def flapping(machine):
    def flap():
        while not ended.wait(0.3):
            machine.begin_cut("input")
            ended.wait(0.3)
            machine.end_cut()
    thread = threading.Thread(target=flap)
    thread.start()
    yield
    ended.set()
    thread.join()


change(24)
back_up_and(flapping(machines[0]), (0, 4))
holdfast("backup", "-r", "owner", source)
expect(copies()[-1] == 3, f"after a link flapped: {copies()}")
holdfast("verify", "-r", "owner", "--read-data")
holdfast("restore", "-r", "owner", f"latest:{source}", "--target", "at the end")
same_tree(source, "at the end", but_for_the_top=True)
for machine in machines:
    machine.node.kill()
