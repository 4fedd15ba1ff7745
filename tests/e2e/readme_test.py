"""The commands of README.md, as one script, where /home, /srv and the network are its own."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
sys.path.insert(0, str(pathlib.Path(os.environ["HOLDFAST_E2E"]).parent / "system"))
import pages  # noqa: E402
from e2e import BIN, expect, make_tree, same_tree, skip, system  # noqa: E402

NEW_MOUNTS, NEW_NETWORK = 0x00020000, 0x40000000
# What the text between the blocks promises.
STOPPED_NODE = """
kill %2; wait %2
code=0; holdfast backup /home || code=$?
[ "$code" = 4 ]
holdfast snapshots | grep -F 2/3
kill $(jobs -p); wait
"""

readme = pages.OPERATING.parents[1] / "README.md"
expect(not pages.hidden_blocks(readme), f"in no block: {pages.hidden_blocks(readme)}")
script = "".join(block.text for block in pages.blocks(readme) if block.language == "sh")
expect(script.count("\n") > 20, f"the commands are not found: {script}")
# The build may lie below /home.
programs = pathlib.Path("build/release/bin")
programs.mkdir(parents=True)
for program in ("holdfast", "holdfast-node"):
    shutil.copy(BIN / program, programs)

if os.geteuid() != 0 or ctypes.CDLL(None).unshare(NEW_MOUNTS | NEW_NETWORK) != 0:
    skip("folders and a network of its own need root and namespaces")
if (system("mount", "--make-rprivate", "/", check=False).returncode != 0 or
        system("ip", "link", "set", "lo", "up", check=False).returncode != 0):
    skip("this system lets nobody mount, or set up a network")
here = pathlib.Path.cwd()
for folder in ("/home", "/srv"):
    if here.is_relative_to(folder):
        skip(f"temporary files are in {folder}")
    system("mount", "-t", "tmpfs", "none", folder)
ann = make_tree(pathlib.Path("/home/ann"))

done = subprocess.run(["bash", "-euxc", script + STOPPED_NODE], check=False, capture_output=True,
                      text=True, timeout=150)
expect(done.returncode == 0, f"it ends with {done.returncode}: {done.stdout}{done.stderr}")
same_tree(ann, "/srv/restored/home/ann")
same_tree(ann, "/srv/ann", but_for_the_top=True)
