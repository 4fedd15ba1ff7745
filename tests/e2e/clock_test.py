"""The clock of the agent's machine jumps, by years, between backups and in the middle of one:
backups are made all the same, latest is the one that was made last, each is found by the time that
it claims, and what the agent says of how long it took stays right."""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, Node, expect, folder_bytes, init, objects, run, until  # noqa: E402

YEAR = 365 * 86400
here = pathlib.Path.cwd()
clock = here / "clock"
shifted = {"LD_PRELOAD": str(BIN / "shifted_clock.so"), "HOLDFAST_TEST_CLOCK": str(clock),
           "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
(here / "state").mkdir()
os.environ["HOLDFAST_STATE_DIR"] = str(here / "state")
source = here / "source"
source.mkdir()
receipt, metrics = here / "state/home.receipt.json", here / "home.prom"
profile = here / "home.toml"


def write_profile(repository, more=""):
    profile.write_text(f'repository = "{repository}"\npaths = ["{source}"]\n'
                       f'metrics_textfile = "{metrics}"\n{more}')


def back_up(content, years, repository):
    """With the clock so far ahead; what the snapshot claims, as seconds."""
    (source / "file").write_text(content)
    clock.write_text(str(years * YEAR))
    run("run", profile, program="holdfast-agent", env=shifted)
    newest = objects(run("snapshots", "-r", repository, "--json"))[-1]
    expect(newest["id"] == json.loads(receipt.read_text())["snapshot_id"],
           f"after {years} years the snapshot that was made last is not listed last")
    return newest["time"]


def restored(repository, *which):
    target = here / f"restored {time.monotonic_ns()}"
    run("restore", "-r", repository, *which, "--target", target)
    return (target / str(source)[1:] / "file").read_text()


def jumps_between_backups(repository):
    """Ahead and back, never to the same year; latest, and each by its time."""
    write_profile(repository)
    claimed = {}
    for years in (0, 9, -20, -1, 3):
        content = f"{len(claimed)}: {years}"
        claimed[content] = back_up(content, years, repository)
        expect(restored(repository, "latest") == content, f"latest is not that of {content}")
    for content, claim in claimed.items():
        # Behind the fraction of the second is the time zone.
        asked = f"{claim.split('.')[0]}Z"
        expect(restored(repository, "--at", asked) == content, f"--at {asked} is not {content}")
    run("restore", "-r", repository, "--at", "1999-01-01", "--target", "none", code=1)
    run("verify", "-r", repository, "--read-data")


def jumps_in_the_middle(repository):
    """Back by years while the upload is slowed down: what is told are the seconds that passed."""
    (source / "large").write_bytes(os.urandom(3 << 20))
    stored = folder_bytes(nodes[0].data) + (256 << 10)
    write_profile(repository, "limit_upload_kib_s = 1024\n")
    clock.write_text("0")
    began = time.monotonic()
    kept = receipt.read_text()
    process = subprocess.Popen([BIN / "holdfast-agent", "run", profile], text=True,
                               env={**os.environ, **shifted}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    until(lambda: folder_bytes(nodes[0].data) > stored, "a part of it is on a node")
    expect(process.poll() is None, "it ended before the clock could jump")
    clock.write_text(str(-9 * YEAR))
    said = process.communicate(timeout=120)[1]
    took = time.monotonic() - began
    expect(process.returncode == 0, f"it ends with {process.returncode}: {said}")
    expect(receipt.read_text() != kept, "the run left no receipt")
    told = json.loads(receipt.read_text())
    expect(1 < told["seconds"] <= took, f"{told['seconds']} s, and it took {took:.1f} s")
    expect(told["started"] > told["ended"], f"the times are not the clock's: {told}")
    seconds = [line for line in metrics.read_text().splitlines()
               if line.startswith("holdfast_backup_duration_seconds{")]
    expect(1 < float(seconds[0].split()[1]) <= took, f"{seconds}")
    # What changes while the clock is behind is saved by the next run as well.
    back_up("behind", -9, repository)
    expect(restored(repository, "latest") == "behind", "a change was missed")


init("repo")
jumps_between_backups(here / "repo")
nodes = [Node(name) for name in ("north", "south", "east")]
init("owner", *(part for node in nodes for part in ("--node", node.invite())))
jumps_between_backups(here / "owner")
jumps_in_the_middle(here / "owner")
