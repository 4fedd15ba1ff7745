"""Three nodes on loopback: one dies and comes back, an agent may only add, a machine is lost."""

import os
import pathlib
import shutil
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import Node, expect, init, make_tree, objects, run, same_tree, summary  # noqa: E402

source = make_tree(pathlib.Path("source").resolve())
nodes = [Node(name) for name in ("north", "south", "east")]
init("owner", *(part for node in nodes for part in ("--node", node.invite())))
expect(pathlib.Path("owner").stat().st_mode & 0o777 == 0o600, "the credential's mode is not 0600")
no_passphrase = {"HOLDFAST_PASSPHRASE": ""}
first = summary(run("backup", "-r", "owner", source, "--json", env=no_passphrase))
expect(first["copies"] == 3, f"copies: {first}")
run("status", "-r", "owner", env=no_passphrase)

# One dies: two copies are enough, and that is said.
nodes[1].kill()
(source / "late").write_bytes(os.urandom(100_000))
second = summary(run("backup", "-r", "owner", source, "--json", code=4))
expect(second["copies"] == 2, f"copies: {second}")
listed = objects(run("snapshots", "-r", "owner", "--json"))
expect([one["copies"] for one in listed] == [2, 2], f"copies while one is down: {listed}")

# It is back: the next backup brings it what it missed.
nodes[1].start()
third = summary(run("backup", "-r", "owner", source, "--json"))
expect(third["copies"] == 3, f"copies: {third}")
listed = objects(run("snapshots", "-r", "owner", "--json"))
# The one in between, too, where nothing changed since; but for that the folders above the source
# would have to be as they were.
expect([one["copies"] for one in listed][::2] == [3, 3], f"copies after catching up: {listed}")
run("verify", "-r", "owner", "--read-data")
run("restore", "-r", "owner", f"latest:{source}", "--target", "three")
same_tree(source, "three", but_for_the_top=True)

# An agent that may only add.
run("agent", "add", "-r", "owner", "laptop", "-o", "laptop.credential")
run("agent", "add", "-r", "owner", "laptop", code=1)
expect("laptop" in run("agent", "list", "-r", "owner").stdout, "agent list lacks the new agent")
run("backup", "-r", "laptop.credential", source, "--host", "laptop", env=no_passphrase)
for command in (["snapshots"], ["ls", "latest"], ["restore", "latest", "--target", "stolen"],
                ["verify"], ["agent", "add", "more"], ["key", "export"]):
    run(*command, "-r", "laptop.credential", code=1)
expect(not pathlib.Path("stolen").exists(), "a write-only credential restored something")

# A bare machine: the exported key, the passphrase, and any one node.
run("key", "export", "-r", "owner", "-o", "recovery")
for name in ("owner", ".cache"):
    path = pathlib.Path(name)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
nodes[0].kill()
nodes[2].kill()
run("restore", "-r", "recovery", f"latest:{source}", "--target", "bare", "--host", "laptop")
same_tree(source, "bare", but_for_the_top=True)

# Fewer than the quorum: nothing is committed.
run("backup", "-r", "laptop.credential", source, code=1)
