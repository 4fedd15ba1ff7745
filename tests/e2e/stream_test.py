"""Backups of standard input and of what a command prints."""

import hashlib
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, Node, expect, init, objects, run, summary, until  # noqa: E402

init("repo")


def count():
    return len(objects(run("snapshots", "-r", "repo", "--json")))


def restored(path, target):
    run("restore", "-r", "repo", "latest", "--target", target)
    return (pathlib.Path(target) / path).read_bytes()


# Sizes around that of a piece, and none.
for number, size in enumerate((0, 1, 1 << 20, (4 << 20) + 1, 13_000_001)):
    content = os.urandom(size)
    done = summary(run("backup", "-r", "repo", "--stdin", "--stdin-filename", "/dumps/all.sql",
                       "--json", input=content, text=False))
    expect(done["total_bytes_processed"] == size and done["problems"] == 0, f"{size}: {done}")
    expect(restored("dumps/all.sql", f"out-{number}") == content, f"{size} bytes differ")
run("verify", "-r", "repo", "--read-data")

# What was stored once is not again.
content = os.urandom(8 << 20)
first = summary(run("backup", "-r", "repo", "--stdin", "--json", input=content, text=False))
again = summary(run("backup", "-r", "repo", "--stdin", "--json", input=content + b"more",
                    text=False))
expect(first["data_added"] >= 8 << 20 and again["data_added"] < 4 << 20, f"{first} {again}")
expect(restored("stdin", "plain") == content + b"more", "the default name")

# A command: its arguments are not the shell's, its standard error passes.
program = pathlib.Path("dump")
program.write_text("#!/bin/sh\necho \"[$1]\"\necho seen >&2\nexit ${2:-0}\n")
program.chmod(0o755)
printed = run("backup", "-r", "repo", "--stdin-from-command", "--stdin-filename", "dump.txt", "--",
              "./dump", "a  b")
expect("seen" in printed.stderr, f"its standard error: {printed.stderr}")
expect(restored("dump.txt", "dumped") == b"[a  b]\n", "what it printed")

# One that fails leaves nothing visible, whatever it printed.
before = count()
for command, said in ((["./dump", "x", "3"], "exit code 3"), (["./absent"], "absent"),
                      (["sh", "-c", "head -c 9000000 /dev/urandom; exit 7"], "exit code 7"),
                      (["sh", "-c", "echo some; kill -9 $$"], "signal 9")):
    failed = run("backup", "-r", "repo", "--stdin-from-command", "--", *command, code=1)
    expect(said in failed.stderr, f"{command}: {failed.stderr}")
expect(count() == before, "a failed command left a snapshot")

# One that never ends is ended with the backup.
pid = pathlib.Path("pid")
process = subprocess.Popen(
    [str(BIN / "holdfast"), "backup", "-r", "repo", "--stdin-from-command", "--", "sh", "-c",
     f"echo $$ > {pid}; echo begun; exec sleep 1000"], stderr=subprocess.PIPE, text=True)
until(lambda: pid.exists() and pid.read_text().strip(), "the command did not start")
process.send_signal(signal.SIGTERM)
said = process.communicate(timeout=60)[1]
expect(process.returncode == 130, f"SIGTERM: {process.returncode} {said}")
expect(not pathlib.Path(f"/proc/{pid.read_text().strip()}").exists(), "the command goes on")
expect(count() == before, "an interrupted stream left a snapshot")

# It says what it would do, and reads nothing.
told = run("backup", "-r", "repo", "--stdin-from-command", "-n", "--", "touch", "touched")
expect("/stdin" in told.stdout and not pathlib.Path("touched").exists(), told.stdout)

run("backup", "-r", "repo", "--stdin-from-command", code=2)
run("backup", "-r", "repo", "--stdin", ".", code=1, input="")
run("backup", "-r", "repo", "--stdin-filename", "x", ".", code=1)
run("backup", "-r", "repo", "--stdin", "--stdin-filename", "../x", code=1, input="")

# On several nodes of which one is away: the others have it, and that is said.
nodes = [Node(name) for name in ("north", "south", "east")]
init("owner", *(part for node in nodes for part in ("--node", node.invite())))
nodes[2].kill()
content = os.urandom(5 << 20)
done = summary(run("backup", "-r", "owner", "--stdin", "--json", code=4, input=content, text=False))
expect(done["copies"] == 2, f"copies: {done}")
nodes[2].start()
run("backup", "-r", "owner", "--stdin", "--json", input=content, text=False)
nodes[0].kill()
nodes[1].kill()
run("restore", "-r", "owner", "latest", "--target", "from-east")
expect(hashlib.sha256(pathlib.Path("from-east/stdin").read_bytes()).digest() ==
       hashlib.sha256(content).digest(), "what the node that was away gives")
