"""Machines for the system tests: systemd-nspawn containers that boot Debian 12's systemd, each in a
network namespace of its own, on one bridge. Their roots are overlays on one base, made once."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

PREFIX = "10.77.0."
BRIDGE = "holdfast0"
BOOT_S = 90


class Skip(Exception):
    """This computer cannot do it; why."""


class Failed(Exception):
    pass


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True, **options
    ).stdout


def require():
    if os.geteuid() != 0:
        raise Skip("only root can boot machines")
    for program in ("debootstrap", "systemd-nspawn", "ip", "unshare", "nsenter", "rsync"):
        if shutil.which(program) is None:
            raise Skip(f"there is no {program}")


def dependencies(packages):
    """The names of what the packages depend on, without each other."""
    names = set()
    for package in packages:
        for dependency in run("dpkg-deb", "-f", package, "Depends").split(","):
            names.add(re.split(r"[ (|]", dependency.strip())[0])
    return sorted(name for name in names if name and not name.startswith("holdfast"))


def make_base(folder, packages):
    """A root with systemd and all that `packages` need; made once for each list of them."""
    include = ["systemd", "systemd-sysv", "dbus", "iproute2", "procps", "curl"]
    wanted = dependencies(packages)
    name = hashlib.sha256(" ".join(include + wanted).encode()).hexdigest()[:12]
    base = folder / f"base-{name}"
    if base.exists():
        return base
    part = folder / f"base-{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run("debootstrap", "--variant=minbase", f"--include={','.join(include)}", "bookworm", part)
        # Fetched as this computer fetches; debootstrap itself does not know virtual packages.
        (part / "etc/apt/apt.conf.d/00host").write_text(run("apt-config", "dump", "Acquire"))
        run("chroot", part, "apt-get", "-q", "update")
    except subprocess.CalledProcessError as error:
        tail = (error.stdout + error.stderr)[-1000:]
        raise Skip(f"no root can be made from Debian's packages: {tail}") from error
    # From here on it would be our packages that ask for what Debian does not have.
    run("chroot", part, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "install",
        "--yes", "--no-install-recommends", *wanted)
    run("chroot", part, "apt-get", "clean")
    part.rename(base)
    return base


def enter_own_network():
    """From here on this process and its children have mounts and a network of their own."""
    import ctypes

    clone_newns, clone_newnet = 0x00020000, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(clone_newns | clone_newnet) != 0:
        raise Skip(f"no namespaces here: {os.strerror(ctypes.get_errno())}")
    try:
        run("mount", "--make-rprivate", "/")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{PREFIX}1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
    except subprocess.CalledProcessError as error:
        raise Skip(f"no mounts or networks can be made here: {error.stderr}") from error


class Machine:
    def __init__(self, name, number, base, folder, neighbours):
        """`neighbours`: the numbers of all machines by name, for their /etc/hosts."""
        self.name, self.number = name, number
        self.folder = folder / name
        self.root = self.folder / "root"
        self.process = None
        for part in ("upper", "work", "root"):
            (self.folder / part).mkdir(parents=True)
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={base},upperdir={self.folder}/upper,workdir={self.folder}/work", self.root)
        # Where scp finds the files of the others.
        (self.root / "net").mkdir()
        self.write("etc/hostname", f"{name}\n")
        self.write("etc/machine-id", "")
        self.write("etc/hosts", "127.0.0.1 localhost\n" + "".join(
            f"{PREFIX}{number} {neighbour}\n" for neighbour, number in neighbours.items()))
        self.write("etc/systemd/network/10-host0.network",
                   f"[Match]\nName=host0\n[Network]\nAddress={PREFIX}{number}/24\n")
        run("systemctl", f"--root={self.root}", "enable", "systemd-networkd.service")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def install(self, *packages):
        """With dpkg, whether the machine runs or not."""
        inside = []
        for package in packages:
            shutil.copy(package, self.root / "root")
            inside.append(f"/root/{package.name}")
        if self.process:
            return self.run(f"dpkg -i {' '.join(inside)}")
        return run("chroot", self.root, "dpkg", "-i", *inside)

    def boot(self):
        log = open(self.folder / "console.log", "ab")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
             "--resolv-conf=off", f"--machine={self.name}", f"--network-bridge={BRIDGE}",
             f"--bind={self.folder.parent}:/net", f"--directory={self.root}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: self.leader() is not None, f"{self.name} to begin", BOOT_S)
        self.wait_for("systemctl is-system-running | grep -Eq 'running|degraded'", BOOT_S)

    def leader(self):
        """The process that is number 1 in the machine."""
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended: {(self.folder / 'console.log').read_text()[-2000:]}")
        children = pathlib.Path(
            f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            command = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
            if command in ("systemd", "init"):
                return child
        return None

    def shell(self, command, **options):
        """Runs a shell command in the machine and gives the finished process."""
        return subprocess.run(
            ["nsenter", "--target", self.leader(), "--all", "--root", "--wd", "--",
             "/usr/bin/env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "HOME=/root", "LANG=C.UTF-8",
             "/bin/sh", "-euc", command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)

    def run(self, command):
        done = self.shell(command)
        if done.returncode != 0:
            raise Failed(f"on {self.name}: {command}\nended with {done.returncode}:\n"
                         f"{done.stdout}{done.stderr}")
        return done.stdout

    def wait_for(self, command, seconds=60):
        wait_for(lambda: self.shell(command).returncode == 0, f"{self.name}: {command}", seconds)

    def journal(self, unit):
        return self.run(f"journalctl --no-pager --unit '{unit}' --output cat")

    def power_off(self):
        """As when the power fails, nothing is asked."""
        if self.process:
            leader = self.leader()
            os.kill(int(leader), signal.SIGKILL)
            self.process.wait()
            self.process = None

    def end(self):
        """Power off and forget the root, whatever uses it still."""
        if self.process and self.process.poll() is None:
            self.power_off()
        subprocess.run(["umount", "--lazy", self.root], capture_output=True, check=False)

    def throw_away(self):
        self.end()
        shutil.rmtree(self.folder)


def wait_for(ready, what, seconds):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(0.2)
