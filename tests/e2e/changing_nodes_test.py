"""Nodes that come, go, move and lose their disk; a repair makes each whole from the others."""

import os
import pathlib
import shutil
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import Node, expect, init, make_tree, objects, run, same_tree, summary  # noqa: E402

source = make_tree(pathlib.Path("source").resolve())
nodes = {name: Node(name) for name in ("north", "south", "east")}
init("owner", *(part for node in nodes.values() for part in ("--node", node.invite())))
run("agent", "add", "-r", "owner", "laptop", "-o", "laptop.credential")
elsewhere = {"HOLDFAST_CACHE_DIR": str(pathlib.Path("elsewhere").resolve())}
run("snapshots", "-r", "owner", env=elsewhere)


def owner(*command, code=0):
    return run(*command, "-r", "owner", code=code)


def copies():
    return [one["copies"] for one in objects(owner("snapshots", "--json"))]


def back_up(who="owner"):
    return summary(run("backup", "-r", who, source, "--json"))["copies"]


def only_from(name, target):
    """The newest snapshot restored while this node alone runs."""
    for node in nodes.values():
        if node.name != name:
            node.kill()
    run("restore", "-r", "owner", f"latest:{source}", "--target", target)
    same_tree(source, target, but_for_the_top=True)
    for node in nodes.values():
        if node.name != name:
            node.start()


# Three snapshots, the first of which has a file that no source has any more.
(source / "gone").write_bytes(os.urandom(2_000_000))
expect(back_up() == 3, "the first backup is not on three nodes")
(source / "gone").unlink()
expect(back_up("laptop.credential") == 3, "the laptop's backup is not on three nodes")
(source / "late").write_bytes(os.urandom(100_000))
expect(back_up() == 3, "the last backup is not on three nodes")
said = owner("repair").stdout
expect("has all of the 3" in said, f"nothing to repair: {said}")

# South loses its disk: a new node takes its place, and gets what the others have.
nodes["south"].kill()
shutil.rmtree(nodes["south"].data)
nodes["south"] = Node("south")
owner("node", "add", nodes["south"].invite(), "--replaces", "nobody", code=1)
owner("node", "add", "no-invitation", code=1)
said = owner("node", "add", nodes["south"].invite(), "--replaces", "south").stdout
expect("holds the repository now" in said, said)
listed = objects(owner("node", "list", "--json"))
expect([node["name"] for node in listed] == ["north", "south", "east"], f"nodes: {listed}")
expect(all(node["reachable"] for node in listed), f"not all answer: {listed}")
expect(copies() == [2, 2, 2], f"copies before the repair: {copies()}")
dry = objects(owner("repair", "--dry-run", "--json"))
expect([one["missing"] for one in dry if one["message_type"] == "node"] == [3], f"dry run: {dry}")
expect(copies() == [2, 2, 2], "a dry run copied something")
done = objects(owner("repair", "--json"))
expect(done[-1]["completed"] == 3 and done[-1]["nodes_lacking"] == 1, f"repair: {done}")
expect(copies() == [3, 3, 3], f"copies after the repair: {copies()}")
owner("verify", "--read-data")
only_from("south", "from the new south")

# An agent whose credential names the old south backs up to the new one.
(source / "later").write_bytes(os.urandom(100_000))
expect(back_up("laptop.credential") == 3, "the laptop does not reach the new south")

# Two more, so that none of the first ones is left; credentials of the beginning still work on a
# machine that was there all the time.
for name, leaves in (("west", "north"), ("middle", "east")):
    nodes[name] = Node(name)
    owner("node", "add", nodes[name].invite(), "--replaces", leaves)
    owner("repair")
    nodes.pop(leaves).kill()
expect(back_up("laptop.credential") == 3, "the laptop does not follow")
expect(back_up() == 3, "the owner does not follow")
# Another machine, which has seen the first nodes alone, needs the names of new ones. What it
# remembers does not keep it from these.
run("snapshots", "-r", "owner", env=elsewhere, code=1)
owner("key", "export", "-o", "recovery")
run("snapshots", "-r", "recovery", env=elsewhere)
only_from("west", "from west")

# A node that keeps its key and loses the repository takes it back.
middle = nodes["middle"]
middle.kill()
shutil.rmtree(middle.data / "repositories")
middle.start()
expect(owner("status", code=1).stdout != "", "status of an emptied node")
owner("node", "add", middle.invite())
owner("repair")
expect(all(count == 3 for count in copies()), f"copies after the return: {copies()}")

# One that moves says so with a new invitation.
middle.kill()
shutil.move(middle.data, "moved")
moved = pathlib.Path("moved").resolve()
settings = moved / "node.toml"
text = settings.read_text()
endpoint = (moved / "endpoint").read_text().strip()
settings.write_text(text.replace(endpoint, "tcp://127.0.0.1:0"))
middle.data = moved
middle.start()
expect((moved / "endpoint").read_text().strip() != endpoint, "the node did not move")
owner("node", "add", middle.invite())
expect(back_up("laptop.credential") == 3, "the laptop does not reach the node that moved")

# Not without the others having what it has; not the last one.
solo = Node("solo")
owner("node", "add", solo.invite())
nodes["solo"] = solo
expect(len(objects(owner("node", "list", "--json"))) == 4, "solo did not join")
expect(summary(owner("repair", "--json"))["completed"] > 0, "solo got nothing")
owner("node", "remove", "solo")
(source / "only").write_bytes(os.urandom(1000))
expect(back_up() == 3, "solo is still in the way")
nodes.pop("solo").kill()
for name in ("west", "south"):
    owner("node", "remove", name)
    nodes.pop(name).kill()
expect(back_up() == 1, "one node is left")
owner("node", "remove", "middle", code=1)
nodes["far"] = Node("far")
owner("node", "add", nodes["far"].invite())
said = owner("node", "remove", "middle", code=1).stderr
expect("whole on no other node" in said and "repair" in said, said)
owner("repair")
owner("node", "remove", "middle")
middle.kill()
only_from("far", "from far")

# Who may only append changes nothing and copies nothing; a directory is one node.
for command in (["node", "add", nodes["far"].invite()], ["node", "remove", "far"], ["repair"]):
    run(*command, "-r", "laptop.credential", code=1)
init("folder")
said = run("node", "add", nodes["far"].invite(), "-r", "folder", code=1).stderr
expect("key export" in said, said)
