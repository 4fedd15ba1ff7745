"""The units in systemd/: they are what systemd understands, as hardened as they have to be, and the
node works behind the filter of system calls and kinds of sockets that its unit puts before it."""

import ctypes
import errno
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import struct
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import (BIN, Node, expect, init, make_tree, run, same_tree, skip, system)  # noqa: E402

UNITS = pathlib.Path(os.environ["HOLDFAST_E2E"]).parents[1] / "systemd"
# The most that `systemd-analyze security` may say: 0 is a service that can do nothing, 10 one that
# may do everything. The agent reads the whole machine.
MOST_EXPOSED = {"holdfast-node.service": 2.0, "holdfast-agent@.service": 2.0,
                "holdfast-verify@.service": 2.0}
UNISTD = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def verify_units():
    folder = pathlib.Path("units")
    folder.mkdir()
    for unit in UNITS.iterdir():
        if unit.suffix not in (".service", ".timer", ".socket", ".path"):
            continue
        # The programs of this build, since none may be installed.
        text = re.sub(r"(?m)^(Exec\w+=[-@:+!]*)/usr/bin/(holdfast[\w-]*)",
                      lambda found: f"{found[1]}{BIN}/{found[2]}", unit.read_text())
        # The administrator's own, without which its unit is passed over.
        text = re.sub(r"(?m)^(Exec\w+=)/etc/holdfast/on-failure", r"\1/bin/true", text)
        (folder / unit.name).write_text(text)
    # As the node's package has it.
    shutil.copy(folder / "holdfast-failure@.service", folder / "holdfast-node-failure@.service")
    units = sorted(folder.iterdir())
    expect(units, "there are no units")
    # What they name beside each other is found in the folder; the colon adds systemd's own.
    done = system("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units,
                  check=False, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder.resolve()}:"})
    complaints = [line for line in (done.stdout + done.stderr).splitlines()
                  if "holdfast" in line]
    expect(done.returncode == 0 and not complaints, f"systemd-analyze verify: {complaints or done}")


def check_exposure():
    for name, most in MOST_EXPOSED.items():
        if not (UNITS / name).exists():
            continue
        done = system("systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / name)
        found = re.search(r"Overall exposure level for [^:]*: ([\d.]+)", done.stdout)
        expect(found, f"{name}: no figure in {done.stdout[-300:]}")
        print(f"{name}: {found[1]}, at most {most}")
        expect(float(found[1]) <= most, f"{name} is exposed by {found[1]}, more than {most}")


def calls_in(name):
    """The system calls of a set (@name), or the one."""
    if not name.startswith("@"):
        return {name}
    calls = set()
    for line in system("systemd-analyze", "syscall-filter", name).stdout.splitlines()[1:]:
        line = line.strip()
        if line and not line.startswith("#"):
            calls |= calls_in(line)
    return calls


def allowed_calls(unit):
    allowed = set()
    for setting in re.findall(r"(?m)^SystemCallFilter=(.*)$", unit.read_text()):
        calls = set().union(*(calls_in(name) for name in setting.lstrip("~").split()))
        allowed = allowed - calls if setting.startswith("~") else allowed | calls
    # systemd adds these to every list of what is allowed.
    return allowed | calls_in("@default")


def allowed_families(unit):
    names = re.search(r"(?m)^RestrictAddressFamilies=(.*)$", unit.read_text())[1].split()
    return [int(getattr(socket, name)) for name in names]


def filtered(numbers, families, command):
    """Becomes `command`, for which other system calls and other sockets fail (seccomp(2))."""
    allow, refuse = 0x7FFF0000, 0x00050000

    def allow_if_one_of(values):
        for value in values:
            program.append(struct.pack("HBBI", 0x15, 0, 1, value))
            program.append(struct.pack("HBBI", 0x06, 0, 0, allow))

    program = [struct.pack("HBBI", 0x20, 0, 0, 0),  # load the number; not socket(2)'s: go past
               struct.pack("HBBI", 0x15, 0, 2 + 2 * len(families), 41),
               struct.pack("HBBI", 0x20, 0, 0, 16)]  # load its first argument
    allow_if_one_of(families)
    program.append(struct.pack("HBBI", 0x06, 0, 0, refuse | errno.EAFNOSUPPORT))
    allow_if_one_of(numbers)
    program.append(struct.pack("HBBI", 0x06, 0, 0, refuse | errno.EPERM))
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program),
                                                     ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(38, 1, 0, 0, 0) != 0 or prctl(22, 2, header, 0, 0) != 0:
        sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
    os.execv(command[0], command)


def work_behind_the_filter():
    if platform.machine() != "x86_64" or not UNISTD.exists():
        print(f"without {UNISTD} the filter of system calls is not tried")
        return
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", UNISTD.read_text()))
    calls = allowed_calls(UNITS / "holdfast-node.service")
    expect("read" in calls and "chown" not in calls and "mount" not in calls,
           f"the filter is not read as systemd does: {sorted(calls)}")
    families = allowed_families(UNITS / "holdfast-node.service")
    pathlib.Path("calls.json").write_text(
        json.dumps([sorted(int(numbers[call]) for call in calls if call in numbers), families]))
    node = Node("anna", prefix=(sys.executable, __file__, "--behind",
                                pathlib.Path("calls.json").resolve()))
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    expect(re.search(r"(?m)^Seccomp:\s+2$", status), "the node runs without the filter")
    tree = make_tree("tree")
    init("repo", "--node", node.invite())
    run("backup", "-r", "repo", tree)
    run("verify", "-r", "repo", "--read-data")
    run("restore", "-r", "repo", "latest", "--target", "restored")
    same_tree(tree, f"restored{tree.resolve()}")
    node.process.send_signal(signal.SIGTERM)
    expect(node.process.wait(60) == 0, f"the node does not end well: {node.log.read_text()}")


if sys.argv[1:2] == ["--behind"]:
    filtered(*json.loads(pathlib.Path(sys.argv[2]).read_text()), sys.argv[3:])
if not shutil.which("systemd-analyze"):
    skip("systemd-analyze is not installed")
verify_units()
check_exposure()
work_behind_the_filter()
