#!/usr/bin/env python3
"""Boots six machines from the packages and lives through what an administrator does and suffers.

The commands are those of docs/operating, run on the machines that they name. Between the pages
nodes lose power, timers fire, packages are upgraded, and machines are thrown away.

  run.py --packages DIR [--base DIR] [--keep]

Ends with 0, with 1 and what failed, or with 77 and why this computer cannot do it.
"""

import argparse
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import machines
import pages

NUMBERS = {"north": 11, "south": 12, "east": 13, "desk": 21, "web": 31, "fresh": 41}
NODES = ("north", "south", "east")
BACKUP = "holdfast-agent@web.service"
# In the place of ssh's: all machines' files are below /net.
SCP = """#!/bin/sh -eu
count=$#
for word; do
  case $word in *:*) word=/net/${word%%:*}/root${word#*:} ;; esac
  set -- "$@" "$word"
done
shift "$count"
exec cp -p -- "$@"
"""


class Story:
    def __init__(self, packages, base, folder):
        self.packages, self.base, self.folder = packages, base, folder
        self.started = time.monotonic()
        self.machines = {}
        self.ran = set()  # the blocks of pages, by page and line
        for name in NUMBERS:
            self.make(name)

    def say(self, text):
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def make(self, name):
        machine = machines.Machine(name, NUMBERS[name], self.base, self.folder, NUMBERS)
        for package in self.packages:
            shutil.copy(package, machine.root / "root")
        machine.write("usr/local/bin/scp", SCP)
        (machine.root / "usr/local/bin/scp").chmod(0o755)
        self.machines[name] = machine
        return machine

    def __getitem__(self, name):
        return self.machines[name]

    def page(self, name, only=None):
        """Runs the commands of a page, or those of one machine."""
        self.say(f"the commands of {name}")
        found = [block for block in pages.blocks(pages.OPERATING / name) if block.machine]
        if not found:
            raise machines.Failed(f"{name} has no commands")
        for block in found:
            for machine in NODES if block.machine == "nodes" else (block.machine,):
                if only is not None and machine != only:
                    continue
                self.ran.add((name, block.line))
                if block.path:
                    self[machine].write(block.path.lstrip("/"), block.text)
                    continue
                done = self[machine].shell(block.text)
                if done.returncode != 0:
                    raise machines.Failed(
                        f"{name}, line {block.line}, on {machine}: ended with {done.returncode}\n"
                        f"{block.text}{done.stdout}{done.stderr}"
                        + self[machine].run("journalctl --no-pager | grep -i holdfast | tail -30"))

    def expect_all_pages_to_have_run(self):
        for page in sorted(pages.OPERATING.glob("*.md")):
            for block in pages.blocks(page):
                if block.machine and (page.name, block.line) not in self.ran:
                    raise machines.Failed(f"{page.name}, line {block.line}: nothing has run it")

    def owner(self, command):
        """JSON lines of a command of the repository's owner, whatever its exit code."""
        done = self["desk"].shell(
            f"HOLDFAST_PASSPHRASE_FILE=/root/passphrase holdfast {command} --json "
            "-r /root/backup.credential")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def snapshots(self):
        return [line for line in self.owner("snapshots --host web")
                if line["message_type"] == "snapshot"]

    def run_number(self):
        """Changes with every run of web's backup."""
        return self["web"].run(f"systemctl show -P InvocationID {BACKUP}").strip()

    def state(self):
        shown = self["web"].run(
            f"systemctl show -p ActiveState -p Result -p ExecMainStatus {BACKUP}")
        return dict(line.split("=", 1) for line in shown.splitlines())

    def next_run(self):
        """How the next run that the timer starts ends."""
        before = self.run_number()
        machines.wait_for(lambda: self.run_number() != before, "the timer to fire", 60)
        return self.end_of_run()

    def end_of_run(self):
        machines.wait_for(lambda: self.state()["ActiveState"] in ("inactive", "failed"),
                          "web's backup to end", 300)
        return self.state()

    def expect(self, state, active, status):
        if state["ActiveState"] != active or state["ExecMainStatus"] != str(status):
            raise machines.Failed(f"web's backup ended with {state}, not {active} and {status}:\n"
                                  + self["web"].journal(BACKUP)[-3000:])


def make_sources(web):
    web.run("""
      mkdir -p /srv/www/deep /srv/empty
      for n in $(seq 200); do echo "page $n" > /srv/www/$n.html; done
      head -c 30000000 /dev/urandom > /srv/www/large
      ln /srv/www/1.html /srv/www/deep/hard
      ln -s ../www/2.html /srv/www/deep/soft
      chown 1234:4321 /srv/www/3.html; chmod 4750 /srv/www/4.html
      touch -d '2001-02-03 04:05:06.789' /srv/www/5.html
      printf 'name with\\nnewline' > "/srv/www/$(printf 'a\\nb')"
    """)


def timers_and_nodes(story):
    web, south, east = story["web"], story["south"], story["east"]
    story.say("the timer fires, and all three nodes have the snapshot")
    known = len(story.snapshots())
    web.write("etc/systemd/system/holdfast-agent@web.timer.d/often.conf",
              "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/15\nRandomizedDelaySec=0\nAccuracySec=1s\n")
    web.run("systemctl daemon-reload && systemctl restart holdfast-agent@web.timer")
    story.expect(story.next_run(), "inactive", 0)
    found = story.snapshots()
    if len(found) <= known or found[-1]["copies"] != 3:
        raise machines.Failed(f"no new snapshot on three nodes: {found[-1:]}")

    profile = (web.root / "etc/holdfast/web.toml").read_text()
    web.write("etc/holdfast/web.toml", profile + "retry_s = 5\n")

    story.say("a node loses power: 4, and the unit has not failed")
    south.power_off()
    story.next_run()  # may have begun before
    story.expect(story.next_run(), "inactive", 4)

    story.say("two nodes are gone: it fails, and on-failure is told")
    east.power_off()
    story.next_run()
    story.expect(story.next_run(), "failed", 1)
    web.wait_for("grep -q holdfast-agent@web /run/holdfast-failure")

    story.say("both are back: 0, and all three have the snapshot")
    south.boot()
    east.boot()
    story.next_run()
    story.expect(story.next_run(), "inactive", 0)
    if story.snapshots()[-1]["copies"] != 3:
        raise machines.Failed(f"not on three nodes: {story.snapshots()[-1]}")
    web.run("systemctl stop holdfast-agent@web.timer")
    story.end_of_run()


def upgrades_and_ends(story):
    web = story["web"]
    story.say("packages are upgraded while a backup runs")
    web.run("head -c 200000000 /dev/urandom > /srv/upgrade")
    web.run(f"systemctl start --no-block {BACKUP}")
    agent = next(path for path in story.packages if path.name.startswith("holdfast-agent_"))
    node = next(path for path in story.packages if path.name.startswith("holdfast-node_"))
    web.install(agent)
    story["north"].install(node)
    state = story.end_of_run()
    if state["ExecMainStatus"] not in ("0", "4"):
        story.expect(state, "inactive", 0)

    story.say("a backup is told to stop, and the next one goes on")
    web.run("head -c 300000000 /dev/urandom > /srv/stopped")
    web.run(f"systemctl start --no-block {BACKUP}")
    web.wait_for(f"systemctl is-active {BACKUP} | grep -q activating")
    time.sleep(0.5)  # somewhere in the middle; anywhere is right
    web.run(f"systemctl stop {BACKUP}")
    if story.state()["ActiveState"] == "activating":
        raise machines.Failed("web's backup goes on though it was told to stop")
    web.run(f"systemctl start {BACKUP}")
    story.expect(story.state(), "inactive", 0)
    web.run("rm /srv/upgrade /srv/stopped")


def killed_agent_and_node(story):
    web, south = story["web"], story["south"]
    story.say("an agent is killed in a hook, and systemd ends the hook with it")
    profile = (web.root / "etc/holdfast/web.toml").read_text()
    web.write("etc/holdfast/web.toml", profile + '[hooks]\nbefore = "exec sleep 4711"\n')
    web.run(f"rm -f /run/holdfast-failure; systemctl start --no-block {BACKUP}")
    web.wait_for("pgrep --full '^sleep 4711'")
    web.run(f"systemctl kill --kill-who=main --signal=KILL {BACKUP}")
    story.expect(story.end_of_run(), "failed", int(signal.SIGKILL))
    web.wait_for("! pgrep --full '^sleep 4711'")
    web.write("etc/holdfast/web.toml", profile)
    web.run(f"systemctl start {BACKUP}")
    story.expect(story.state(), "inactive", 0)

    story.say("a node is killed twice: it is back both times, and on-failure is told once")
    for _ in range(2):
        main = south.run("systemctl show -P MainPID holdfast-node").strip()
        south.run("systemctl kill --kill-who=main --signal=KILL holdfast-node")
        south.wait_for(f"[ $(systemctl show -P MainPID holdfast-node) != {main} ] && "
                       "[ $(systemctl is-active holdfast-node) = active ]")
    told = south.run("cat /run/holdfast-failure")
    if told.splitlines() != ["holdfast-node.service failed on south, see: "
                             "journalctl -u holdfast-node.service"]:
        raise machines.Failed(f"on-failure was told {told!r}")


def new_machine(story, name):
    """In the place of the one of that name: node package, nothing else, not booted."""
    story[name].throw_away()
    machine = story.make(name)
    machine.install(next(path for path in story.packages if path.name.startswith("holdfast-node_")))
    return machine


def expect_backup_on_all(story):
    story["web"].run(f"systemctl start {BACKUP}")
    story.expect(story.state(), "inactive", 0)
    if story.snapshots()[-1]["copies"] != 3:
        raise machines.Failed(f"the newest snapshot is not on all: {story.snapshots()[-1]}")
    story["desk"].run("systemctl start holdfast-verify@desk.service")


def moved_node(story):
    story.say("south's machine is replaced, with its disk")
    south = story["south"]
    south.run("systemctl stop holdfast-node")
    disk = story.folder / "disk"
    machines.run("cp", "-a", south.root / "var/lib/holdfast", disk)
    south = new_machine(story, "south")
    # The user may have another number here.
    machines.run("cp", "-aT", disk, south.root / "var/lib/holdfast")
    south.boot()
    south.run("chown -R holdfast: /var/lib/holdfast && systemctl enable --now holdfast-node")
    expect_backup_on_all(story)


def replaced_node(story):
    story.say("south's machine is replaced, and its disk is gone")
    new_machine(story, "south").boot()
    # The desk sees, below /net, what was there when it booted.
    story["desk"].power_off()
    story["desk"].boot()
    story.page("replacing-a-node.md")
    behind = [one for one in story.snapshots() if one["copies"] != 3]
    if behind:
        raise machines.Failed(f"after the repair the new south lacks {behind}")
    expect_backup_on_all(story)


def bare_machine(story):
    web, fresh = story["web"], story["fresh"]
    kept = story.folder / "kept"
    kept.mkdir()
    web.run(f"systemctl start {BACKUP}")
    story.expect(story.state(), "inactive", 0)
    for part in ("etc", "srv"):
        machines.run("cp", "-a", web.root / part, kept)
    story.page("restoring.md", only="desk")
    story.say("web is thrown away, and one node with it")
    web.throw_away()
    story["north"].power_off()
    fresh.boot()
    story.page("restoring.md", only="fresh")
    for part in ("etc", "srv"):
        difference = machines.run(
            "rsync", "-aHAXn", "--checksum", "--delete", "--itemize-changes",
            f"{kept}/{part}/", f"{fresh.root}/restored/{part}/")
        if difference:
            raise machines.Failed(f"/{part} was restored differently:\n{difference[:2000]}")


def tell(story):
    for name in ("north", "south", "east", "desk", "web"):
        story[name].boot()
    story.say("five machines are up")
    story.page("install.md")
    story.page("first-repository.md")
    make_sources(story["web"])
    story.page("enrolling-an-agent.md")
    found = story.snapshots()
    if len(found) != 1 or found[0]["copies"] != 3:
        raise machines.Failed(f"the first backup made {found}")
    story.page("profiles.md")
    story.page("monitoring.md")
    timers_and_nodes(story)
    upgrades_and_ends(story)
    killed_agent_and_node(story)
    moved_node(story)
    replaced_node(story)
    story.page("failures.md")
    bare_machine(story)
    story.expect_all_pages_to_have_run()
    story.say("all of it went as it should")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=pathlib.Path, required=True)
    parser.add_argument("--base", type=pathlib.Path,
                        default=pathlib.Path("/var/tmp/holdfast-system"),
                        help="where the machines' common root is kept")
    parser.add_argument("--keep", action="store_true", help="leave the machines' files there")
    arguments = parser.parse_args()
    packages = sorted(arguments.packages.resolve().glob("holdfast*.deb"))
    if len(packages) != 3:
        parser.error(f"{arguments.packages} has not the three packages; ./dev package makes them")
    folder = story = None
    try:
        machines.require()
        base = machines.make_base(arguments.base, packages)
        machines.enter_own_network()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=arguments.base))
        story = Story(packages, base, folder)
        tell(story)
    except machines.Skip as skip:
        print(f"SKIPPED: {skip}")
        return 77
    except (machines.Failed, subprocess.CalledProcessError) as error:
        print(f"FAILED: {error}\n{getattr(error, 'stderr', '') or ''}")
        return 1
    finally:
        for machine in story.machines.values() if story else ():
            machine.end()
        if folder and not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
