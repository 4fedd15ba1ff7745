"""Two backups at once both succeed; one that is killed does no harm and is finished by the next."""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, expect, init, make_tree, objects, run, same_tree  # noqa: E402

source = make_tree(pathlib.Path("source").resolve())
other = make_tree(pathlib.Path("other").resolve())
init("repo")
command = [str(BIN / "holdfast"), "backup", "-q", "-r", "repo"]
both = [subprocess.Popen([*command, str(path)], stdout=subprocess.DEVNULL)
        for path in (source, other)]
codes = [process.wait(timeout=120) for process in both]
expect(codes == [0, 0], f"two backups at once: {codes}")
expect(len(objects(run("snapshots", "-r", "repo", "--json"))) == 2, "not both are listed")

# Killed at some point in a backup, wherever that is: never a damaged repository, and never a
# snapshot that is not whole.
for number in range(8):
    (source / f"more {number}").write_bytes(os.urandom(2 << 20))
for delay in (0.02, 0.05, 0.1, 0.2):
    process = subprocess.Popen([*command, str(source)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=delay)  # not to wait for something: the moment is what varies
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
run("backup", "-r", "repo", source)
run("restore", "-r", "repo", f"latest:{source}", "--target", "restored")
same_tree(source, "restored", but_for_the_top=True)
run("verify", "-r", "repo", "--read-data")

# The first SIGINT ends in good order.
for number in range(8):
    (source / f"again {number}").write_bytes(os.urandom(8 << 20))
process = subprocess.Popen([*command, "-v", str(source)], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
time.sleep(0.15)
process.send_signal(signal.SIGINT)
process.communicate(timeout=60)
expect(process.returncode in (130, 0), f"SIGINT: exit code {process.returncode}")
run("backup", "-r", "repo", source)
