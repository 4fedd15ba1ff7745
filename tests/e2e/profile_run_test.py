"""holdfast-agent run as a timer runs it: hooks, lock, retries, signals, what is kept."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, Node, PASSPHRASE, expect, init, make_tree, objects, run, until  # noqa: E402

here = pathlib.Path.cwd()
source = make_tree(here / "source")
init("repo")
(here / "passphrase").write_text(PASSPHRASE)
(here / "state").mkdir()
os.environ["HOLDFAST_STATE_DIR"] = str(here / "state")
os.environ["HOLDFAST_PASSPHRASE"] = ""
profile = here / "home.toml"
metrics = here / "home.prom"
receipt = here / "state/home.receipt.json"
log = here / "hooks.log"

HOOKS = f"""
[hooks]
before = "echo before $HOLDFAST_PROFILE >> {log}"
after = ["sh", "-c", "echo after $HOLDFAST_EXIT_CODE $HOLDFAST_SNAPSHOT >> {log}"]
failure = "echo failure $HOLDFAST_EXIT_CODE [$HOLDFAST_SNAPSHOT] >> {log}"
timeout_s = 20
"""


def write(more="", hooks=HOOKS, repository=here / "repo", retry_s=0):
    profile.write_text(f"""
repository = "{repository}"
passphrase_file = "{here}/passphrase"
paths = ["{source}"]
retry_s = {retry_s}
lock_wait_s = 5
metrics_textfile = "{metrics}"
{more}
{hooks}""")


def agent(*arguments, code=0, env=None):
    log.write_text("")
    return run("run", profile, *arguments, program="holdfast-agent", code=code, env=env)


def said():
    return log.read_text().splitlines()


def snapshots():
    return objects(run("snapshots", "-r", "repo", "--passphrase-file", "passphrase", "--json"))


def value(name):
    found = re.search(rf'^{name}{{profile="home"}} (\S+)$', metrics.read_text(), re.MULTILINE)
    return float(found.group(1)) if found else None


# A good run.
write()
agent()
snapshot = snapshots()[-1]["id"]
expect(said() == ["before home", f"after 0 {snapshot}"], f"hooks: {said()}")
kept = json.loads(receipt.read_text())
expect((kept["exit_code"], kept["outcome"], kept["snapshot_id"]) == (0, "done", snapshot),
       str(kept))
expect(kept["files"]["new"] > 40 and kept["bytes"]["sent"] > 3 << 20, str(kept))
expect([node["committed"] for node in kept["nodes"]] == [True], str(kept))
expect(receipt.stat().st_mode & 0o777 == 0o600, "the receipt can be read by others")
expect(metrics.stat().st_mode & 0o777 == 0o644, "the collector cannot read the measurements")
good = value("holdfast_backup_last_success_timestamp_seconds")
expect(abs(good - time.time()) < 100 and value("holdfast_backup_exit_code") == 0,
       metrics.read_text())
expect(value("holdfast_backup_nodes_complete") == 1 == value("holdfast_backup_nodes_total"),
       metrics.read_text())

# A hook before it that fails keeps it from running.
write(hooks=HOOKS.replace("echo before", "exit 9; echo"))
failed = agent(code=1)
expect("hook before" in failed.stderr and "exit code 9" in failed.stderr, failed.stderr)
expect(said() == ["failure 1 []"] and len(snapshots()) == 1, f"hooks: {said()}")
expect(value("holdfast_backup_last_success_timestamp_seconds") == good, "a failure is no success")
expect(value("holdfast_backup_exit_code") == 1, metrics.read_text())
expect("hook before" in json.loads(receipt.read_text())["error"], receipt.read_text())

# One that hangs, and takes no SIGTERM, is ended with all that it started.
pid = here / "pid"
write(hooks=f"""
[hooks]
before = "trap '' TERM; sleep 1001 & echo $! > {pid}; sleep 1002"
failure = "echo failure >> {log}"
timeout_s = 1
""")
hung = agent(code=1)
expect("had not ended after 1 s" in hung.stderr, hung.stderr)
stat = pathlib.Path(f"/proc/{pid.read_text().strip()}/stat")
until(lambda: not stat.exists() or stat.read_text().split()[2] == "Z", "what it started goes on")
expect(said() == ["failure"], f"hooks: {said()}")

# A hook after it that fails leaves the backup what it was, and is said.
write(hooks='[hooks]\nafter = "exit 3"\nfailure = "exit 4"\n')
expect("hook after" in agent().stderr, "a failed hook after the backup is not said")
expect("exit code 3" in json.loads(receipt.read_text())["hook_problem"], receipt.read_text())
write(hooks='[hooks]\nbefore = ["/nowhere/program"]\n')
expect("/nowhere/program" in agent(code=1).stderr, "a hook that is not there")

# Twice at once: the second says so and touches nothing of the first. A killed one leaves no lock.
write(hooks=f'[hooks]\nbefore = "echo up $$ >> {log}; exec sleep 1003"\n')
log.write_text("")
command = [str(BIN / "holdfast-agent"), "run", str(profile)]
first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
until(lambda: said() and said()[0].startswith("up "), "the first did not begin")
hook = int(said()[0].split()[1])
kept = receipt.read_text()
second = run("run", profile, program="holdfast-agent", code=1)
expect("runs already" in second.stderr and second.stderr.count("\n") == 1, second.stderr)
expect(receipt.read_text() == kept and len(said()) == 1, "the second run left traces")
first.kill()
first.wait()
write()
agent()
os.kill(hook, signal.SIGKILL)  # which outlived its killed parent

# SIGTERM in a hook, while it waits, and in the middle of a backup; the next run goes on.
for number in range(6):
    (source / f"new {number}").write_bytes(os.urandom(4 << 20))


def ended(delay_until, *arguments, **more):
    write(*arguments, **more)
    log.write_text("")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    delay_until(process)
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=60)[1]
    expect(process.returncode == 130, f"SIGTERM: exit code {process.returncode}: {text}")
    expect(said()[-1:] == ["failure 130 []"], f"hooks after SIGTERM: {said()}\n{text}")
    expect(json.loads(receipt.read_text())["outcome"] == "interrupted", receipt.read_text())


def has_begun(_):
    until(lambda: said() and "before" in said()[0], "it did not begin")


def waits(process):
    expect("trying again" in process.stderr.readline(), "it does not try again")


before = len(snapshots())
ended(lambda _: until(lambda: said() == ["up"], "no hook"),
      hooks=HOOKS.replace('"echo before', f'"echo up >> {log}; sleep 20; echo before'))
ended(waits, repository=here / "absent", retry_s=600)
# Slowed down, so that the signal meets the backup wherever the machine is fast.
ended(lambda process: (has_begun(process), time.sleep(1.5)), "limit_upload_kib_s = 4096\n")
expect(len(snapshots()) == before, "an interrupted run left a snapshot")
write()
agent()
expect(len(snapshots()) == before + 1, "the run after it made none")

# A repository that is down at first is waited for, and one that stays down is given up.
write(repository=here / "late", retry_s=60)
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
waits(process)
os.rename("repo", "late")
text = process.communicate(timeout=60)[1]
expect(process.returncode == 0, f"the repository came late: {process.returncode} {text}")
expect(json.loads(receipt.read_text())["attempts"] >= 2, receipt.read_text())
os.rename("late", "repo")
write(repository=here / "gone", retry_s=2)
given_up = agent(code=10)
expect("given up after" in given_up.stderr and "gone" in given_up.stderr, given_up.stderr)
expect(said() == ["before home", "failure 10 []"], f"hooks: {said()}")

# Command line, environment, profile.
write('tags = ["of-profile"]\nhost = "of-profile"\n', repository=here / "elsewhere")
agent("--tag", "of-line", env={"HOLDFAST_REPOSITORY": str(here / "repo")})
last = snapshots()[-1]
expect((last["tags"], last["hostname"]) == (["of-line"], "of-profile"), str(last))
agent("-r", here / "repo", "--host", "of-line", env={"HOLDFAST_REPOSITORY": "/nowhere"})
expect(snapshots()[-1]["hostname"] == "of-line", str(snapshots()[-1]))
(here / "wrong").write_text("wrong")
agent("-r", "repo", "--passphrase-file", "wrong", code=12)
agent("-r", "repo", env={"HOLDFAST_PASSPHRASE": "wrong"}, code=12)
agent("-r", "repo", "--passphrase-file", "passphrase", env={"HOLDFAST_PASSPHRASE": "wrong"})
kept = receipt.read_text()
agent("-r", "repo", "--dry-run")
expect(receipt.read_text() == kept and said() == [], "a dry run left traces")

# check says what would be backed up.
write('exclude = ["small *"]\nexclude_larger_than = "1M"\n')
told = run("check", profile, program="holdfast-agent").stdout
for word in (str(source), "small *", "1M", "would read", str(here / "repo")):
    expect(word in told, f"check does not say {word}: {told}")

# Paths by a list and a command's output.
(here / "list").write_text(f"{source}/deep\n")
write(f'files_from = ["{here}/list"]\n')
agent()
profile.write_text(f'repository = "{here}/repo"\npassphrase_file = "{here}/passphrase"\n'
                   'stdin_from_command = "echo all"\nstdin_filename = "all.sql"\n')
agent()
expect(snapshots()[-1]["paths"] == ["/all.sql"], str(snapshots()[-1]))
(here / "list").write_text("relative\n")
write(f'files_from = ["{here}/list"]\n')
expect("not absolute" in agent(code=1).stderr, "a relative path in a list")

# Unreadable credentials, a full or missing folder for the receipt.
(here / "credential").write_bytes(os.urandom(100))
write(repository=here / "credential")
expect(str(here / "credential") in agent(code=1).stderr, "a credential that is none")
write(f'receipt = "{here}/nowhere/receipt"\n')
expect("warning: receipt" in agent().stderr, "a receipt that cannot be written")
write('receipt = "/dev/full/x"\n')
agent()
os.environ["HOLDFAST_STATE_DIR"] = "/dev/null/none"
write()
agent()

# With nodes: what each has is in the receipt.
os.environ["HOLDFAST_PASSPHRASE"] = PASSPHRASE
os.environ["HOLDFAST_STATE_DIR"] = str(here / "state")
nodes = [Node(name) for name in ("north", "south", "east")]
init("owner", *(part for node in nodes for part in ("--node", node.invite())))
nodes[1].kill()
write(repository=here / "owner")
agent(code=4)
kept = json.loads(receipt.read_text())
expect(kept["outcome"] == "not_on_every_node" and
       {node["name"]: node["committed"] for node in kept["nodes"]} ==
       {"north": True, "south": False, "east": True}, str(kept))
expect("south" in [node["name"] for node in kept["nodes"] if "error" in node], str(kept))
expect(value("holdfast_backup_nodes_complete") == 2 and value("holdfast_backup_nodes_total") == 3,
       metrics.read_text())
expect(said()[-1].startswith("after 4 "), f"hooks: {said()}")
