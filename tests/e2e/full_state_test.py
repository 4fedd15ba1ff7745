"""The agent's own folders are full: what cannot be written and where is said, what was there stays
whole, nothing half of a backup is listed, and with room again the next run is as any other."""

import ctypes
import json
import os
import pathlib
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import Node, expect, init, make_tree, objects, run, same_tree, skip, system  # noqa: E402

here = pathlib.Path.cwd()
NEW_MOUNTS = 0x00020000
if os.geteuid() != 0 or ctypes.CDLL(None).unshare(NEW_MOUNTS) != 0:
    skip("small disks need root and mount namespaces")
if system("mount", "--make-rprivate", "/", check=False).returncode != 0:
    skip("this system lets nobody mount")


class SmallDisk:
    def __init__(self, name):
        self.folder = here / name
        self.folder.mkdir()
        system("mount", "-t", "tmpfs", "-o", "size=2m", "none", self.folder)

    def __enter__(self):
        with open(self.folder / "ballast", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096:
                    continue
            except OSError:
                pass  # full

    def __exit__(self, *_):
        (self.folder / "ballast").unlink()


def agent(code=0):
    return run("run", profile, program="holdfast-agent", code=code)


def snapshots():
    return objects(run("snapshots", "-r", "owner", "--json", env={"HOLDFAST_CACHE_DIR": "owner's"}))


def change(name):
    (source / name).write_bytes(os.urandom(100_000))


source = make_tree(here / "source")
nodes = [Node(name) for name in ("north", "south", "east")]
init("owner", *(part for node in nodes for part in ("--node", node.invite())))
state, cache = SmallDisk("state"), SmallDisk("cache")
os.environ["HOLDFAST_STATE_DIR"] = str(state.folder)
os.environ["HOLDFAST_CACHE_DIR"] = str(cache.folder)
receipt, metrics = state.folder / "home.receipt.json", state.folder / "home.prom"
profile = here / "home.toml"
profile.write_text(f'repository = "{here}/owner"\npaths = ["{source}"]\nretry_s = 0\n'
                   f'metrics_textfile = "{metrics}"\n')

# Before anything was ever there.
with cache:
    first = agent(code=1)
expect(str(cache.folder) in first.stderr and "No space left" in first.stderr, first.stderr)
expect(json.loads(receipt.read_text())["outcome"] == "failed" and not snapshots(),
       receipt.read_text())
agent()

# Without room for the receipt there is a snapshot, and the receipt of the run before.
kept, measured = receipt.read_text(), metrics.read_text()
change("while the state is full")
with state:
    said = agent().stderr
    expect(receipt.read_text() == kept and metrics.read_text() == measured, "half of a receipt")
for file in (receipt, metrics):
    expect(f"write {file}" in said and "No space left" in said, f"{file.name}: {said}")
expect(len(snapshots()) == 2, str(snapshots()))

# Without room for the catalog there is none, and what the catalog of the run before saves it saves
# the next run.
change("while the cache is full")
with cache:
    said = agent(code=1).stderr
expect(str(cache.folder) in said and "No space left" in said, said)
expect(len(snapshots()) == 2, f"half of a backup is listed: {snapshots()}")
expect("No space left" in json.loads(receipt.read_text())["error"], receipt.read_text())
agent()
told = json.loads(receipt.read_text())
expect((told["outcome"], told["files"]["new"], told["copies"]) == ("done", 1, 3), str(told))
expect(not [file for file in here.glob("[sc]*/**/*.new")], "half of a file stays behind")
run("restore", "-r", "owner", f"latest:{source}", "--target", "restored")
same_tree(source, "restored", but_for_the_top=True)
