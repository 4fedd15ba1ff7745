#!/usr/bin/env python3
"""Agents and nodes are killed with -9, or stopped for a while, at random moments of backups.

Nothing that was acknowledged is lost, the next run finishes what was begun, and at the end every
node is whole.

HOLDFAST_KILL_ROUNDS: how many rounds (6 unless given). HOLDFAST_SEED: an earlier run's randomness.
"""
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

BIN = pathlib.Path(os.environ["HOLDFAST_BIN"])
ROUNDS = int(os.environ.get("HOLDFAST_KILL_ROUNDS", "6"))
SEED = int(os.environ.get("HOLDFAST_SEED", time.time_ns() % 1_000_000))
ACKNOWLEDGED = (0, 3, 4)

draw = random.Random(SEED)
work = pathlib.Path.cwd()
tree = work / "tree"
environment = dict(
    os.environ,
    HOLDFAST_PASSPHRASE="kill rounds",
    HOLDFAST_CACHE_DIR=str(work / "cache"),
    HOLDFAST_REPOSITORY=str(work / "credential"),
)
nodes = {}


def holdfast(*arguments, expect=(0,)):
    done = subprocess.run([BIN / "holdfast", *arguments], env=environment, capture_output=True)
    if done.returncode not in expect:
        fail(
            f"holdfast {' '.join(map(str, arguments))}: exit {done.returncode}\n"
            f"{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}"
        )
    return done


def fail(message):
    print(f"seed {SEED}: {message}", file=sys.stderr)
    sys.exit(1)


def start_node(n):
    log = open(work / f"node{n}.log", "ab")
    process = subprocess.Popen(
        [BIN / "holdfast-node", "serve", "--data", work / f"node{n}"],
        stdout=subprocess.PIPE,
        stderr=log,
    )
    line = process.stdout.readline()
    if b"ready" not in line:
        fail(f"node {n} did not start: {(work / f'node{n}.log').read_text()}")
    nodes[n] = process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def change_tree(files):
    for _ in range(files):
        path = tree / str(draw.randrange(20)) / str(draw.randrange(40))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(draw.choice((0, 100, 5_000, 80_000, 400_000))))
        if draw.random() < 0.1:
            path.unlink()


def digest(folder):
    """Names, contents, modes and times of all below a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        total.update(
            f"{path.relative_to(folder)}\0{status.st_mode}\0{status.st_mtime_ns}\0".encode()
        )
        if path.is_file():
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def set_up():
    tree.mkdir()
    change_tree(400)
    invites = []
    for n in range(3):
        subprocess.run(
            [
                BIN / "holdfast-node",
                "init",
                "--data",
                work / f"node{n}",
                "--listen",
                "tcp://127.0.0.1:0",
                "--name",
                f"node{n}",
            ],
            check=True,
            capture_output=True,
        )
        start_node(n)
        invite = subprocess.run(
            [BIN / "holdfast-node", "invite", "--data", work / f"node{n}"],
            check=True,
            capture_output=True,
        )
        invites += ["--node", invite.stdout.decode().strip()]
    # A restarted node must be found again: it keeps the port that it first got.
    for n in range(3):
        endpoint = (work / f"node{n}" / "endpoint").read_text().strip()
        configuration = work / f"node{n}" / "node.toml"
        configuration.write_text(configuration.read_text().replace("tcp://127.0.0.1:0", endpoint))
    holdfast("init", "--kdf-cost", "low", *invites)


def run_round(acknowledged, longest):
    change_tree(60)
    state = digest(tree)
    backup = subprocess.Popen(
        [BIN / "holdfast", "backup", "--json", tree],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    victim = draw.choice(("agent", 0, 1, 2))
    stops = draw.random() < 0.3  # instead of killing it
    process = backup if victim == "agent" else nodes[victim]
    try:
        backup.wait(timeout=draw.uniform(0, longest))
    except subprocess.TimeoutExpired:
        if stops:
            process.send_signal(signal.SIGSTOP)
        else:
            kill(process)
    if stops and process is backup:
        try:
            backup.wait(timeout=draw.uniform(0, 2))
        except subprocess.TimeoutExpired:
            backup.send_signal(signal.SIGCONT)
    output, error = backup.communicate()
    if stops and process is not backup:
        process.send_signal(signal.SIGCONT)
    if backup.returncode in ACKNOWLEDGED:
        summary = [json.loads(line) for line in output.decode().splitlines()][-1]
        acknowledged[summary["snapshot_id"]] = state
    for n, process in list(nodes.items()):
        if process.poll() is not None:
            start_node(n)
    return backup.returncode


def main():
    print(f"HOLDFAST_SEED={SEED}, {ROUNDS} rounds")
    set_up()
    holdfast("backup", tree)
    change_tree(60)
    start = time.monotonic()
    holdfast("backup", tree)
    longest = 1.2 * (time.monotonic() - start)  # so that most rounds are interrupted
    acknowledged, codes = {}, []
    for _ in range(ROUNDS):
        codes.append(run_round(acknowledged, longest))
    print(f"exit codes: {codes}; {len(acknowledged)} acknowledged")
    state = digest(tree)
    last = holdfast("backup", "--json", tree)
    summary = [json.loads(line) for line in last.stdout.decode().splitlines()][-1]
    acknowledged[summary["snapshot_id"]] = state
    holdfast("verify", "--read-data")
    for number, (snapshot, state) in enumerate(acknowledged.items()):
        target = work / f"restored{number}"
        holdfast("restore", f"{snapshot}:{tree}", "--target", target)
        if digest(target) != state:
            fail(f"snapshot {snapshot} was acknowledged and restores to something else")
    for process in nodes.values():
        process.terminate()
        process.wait()


main()
