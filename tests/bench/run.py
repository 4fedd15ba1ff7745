#!/usr/bin/env python3
"""Measures Holdfast beside restic and borg, and beside the bare limit, in one run.

Each work is done by each program in turn on the same machine, with the page cache warm. The table
gives wall time, CPU time (of nodes, too), peak memory of the client and what is stored. Machines
are noisy: read the ratios.

Nothing is removed before the end: ext4 passes over inodes that were freed in the last minutes when
it makes new ones, so that whoever restores after a large removal pays for it with most of its time.

  run.py [--series kernel,small,random,image] [--folder DIR] [--only NAME]
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

BIN = pathlib.Path(os.environ["HOLDFAST_BIN"])
TICKS = os.sysconf("SC_CLK_TCK")
PASSWORD = "benchmark"


class Measured:
    def __init__(self, wall, cpu, memory, code):
        self.wall, self.cpu, self.memory, self.code = wall, cpu, memory, code


def measure(command, environment, watched=(), allowed=(0,)):
    """Runs a command; CPU seconds include those that the watched processes used meanwhile."""
    before = sum(cpu_of(pid) for pid in watched)
    start = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    if code not in allowed:
        sys.exit(
            f"{' '.join(map(str, command))}\nended with {code}:\n{error.decode(errors='replace')}"
        )
    cpu = usage.ru_utime + usage.ru_stime + sum(cpu_of(pid) for pid in watched) - before
    return Measured(wall, cpu, usage.ru_maxrss * 1024, code)


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def size_of(folder):
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def tree_size(source):
    files = [path for path in source.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(files), sum(path.stat().st_size for path in files)


# ---- what is backed up


def make_kernel(folder):
    archive = sorted(pathlib.Path("/usr/src").glob("linux-source-*.tar.xz"))
    if not archive:
        sys.exit("the kernel's source is missing: apt-get install linux-source-6.1")
    subprocess.run(["tar", "-xf", archive[-1], "-C", folder], check=True)


def make_small(folder):
    for group in range(100):
        (folder / str(group)).mkdir()
        for number in range(1000):
            (folder / str(group) / str(number)).write_bytes(
                os.urandom(2048) + bytes([number % 251]) * 2048
            )


def make_random(folder):
    with open(folder / "random", "wb") as file:
        for _ in range(700):
            file.write(os.urandom(1_000_000))


def make_image(folder):
    """A 2 GB file system image that holds this machine's programs."""
    content = folder.parent / "image-content"
    content.mkdir()
    used = 0
    for source in ("/usr/bin", "/usr/share", "/usr/include", "/usr/lib"):
        for path in sorted(pathlib.Path(source).rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            used += path.stat().st_size
            if used > 1_500_000_000:
                break
            target = content / str(path).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    subprocess.run(
        [
            "mke2fs",
            "-q",
            "-t",
            "ext4",
            "-E",
            "root_owner=0:0,no_copy_xattrs",
            "-d",
            content,
            folder / "disk.img",
            "2G",
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    shutil.rmtree(content)


SERIES = {"kernel": make_kernel, "small": make_small, "random": make_random, "image": make_image}


# ---- who backs up


class Holdfast:
    def __init__(self, folder, nodes):
        self.name = "holdfast" if nodes == 0 else f"holdfast, {nodes} nodes over TCP"
        self.folder, self.nodes, self.processes = folder, nodes, []
        self.environment = dict(
            os.environ,
            HOLDFAST_PASSPHRASE=PASSWORD,
            HOLDFAST_CACHE_DIR=str(folder / "cache"),
            HOLDFAST_REPOSITORY=str(folder / ("repository" if nodes == 0 else "credential")),
        )

    def init(self):
        command = [BIN / "holdfast", "init"]
        for n in range(self.nodes):
            data = self.folder / f"node{n}"
            subprocess.run(
                [
                    BIN / "holdfast-node",
                    "init",
                    "--data",
                    data,
                    "--listen",
                    "tcp://127.0.0.1:0",
                    "--name",
                    f"node{n}",
                ],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            process = subprocess.Popen(
                [BIN / "holdfast-node", "serve", "--data", data],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            process.stdout.readline()
            self.processes.append(process)
            invite = subprocess.run(
                [BIN / "holdfast-node", "invite", "--data", data], check=True, capture_output=True
            )
            command += ["--node", invite.stdout.decode().strip()]
        measure(command, self.environment)

    def run(self, *arguments):
        return measure(
            [BIN / "holdfast", *arguments],
            self.environment,
            [process.pid for process in self.processes],
        )

    def backup(self, source):
        return self.run("backup", "--quiet", source)

    def restore(self, target):
        return self.run("restore", "latest", "--target", target)

    def check(self):
        return self.run("verify", "--read-data")

    def stored(self):
        copies = max(1, self.nodes)
        parts = (
            [self.folder / "repository"]
            if self.nodes == 0
            else [self.folder / f"node{n}" for n in range(self.nodes)]
        )
        return sum(map(size_of, parts)) / copies

    def close(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


class Restic:
    name = "restic"

    def __init__(self, folder):
        self.folder = folder
        self.environment = dict(
            os.environ,
            RESTIC_PASSWORD=PASSWORD,
            RESTIC_CACHE_DIR=str(folder / "cache"),
            RESTIC_REPOSITORY=str(folder / "repository"),
        )

    def init(self):
        measure(["restic", "init"], self.environment)

    def backup(self, source):
        return measure(["restic", "backup", "--quiet", source], self.environment)

    def restore(self, target):
        return measure(["restic", "restore", "latest", "--target", target], self.environment)

    def check(self):
        return measure(["restic", "check", "--read-data"], self.environment)

    def stored(self):
        return size_of(self.folder / "repository")

    def close(self):
        pass


class Borg:
    name = "borg (zstd 3)"

    def __init__(self, folder):
        self.folder, self.archives = folder, 0
        self.environment = dict(
            os.environ,
            BORG_PASSPHRASE=PASSWORD,
            BORG_BASE_DIR=str(folder / "base"),
            BORG_REPO=str(folder / "repository"),
        )

    def init(self):
        measure(["borg", "init", "--encryption", "repokey"], self.environment)

    def backup(self, source):
        self.archives += 1
        return measure(
            ["borg", "create", "--compression", "zstd,3", f"::{self.archives}", source],
            self.environment,
        )

    def restore(self, target):
        target.mkdir()
        return measure(
            ["sh", "-c", 'cd "$0" && exec borg extract "::$1"', target, str(self.archives)],
            self.environment,
        )

    def check(self):
        return measure(["borg", "check", "--verify-data"], self.environment)

    def stored(self):
        return size_of(self.folder / "repository")

    def close(self):
        pass


# ---- the run


def bench(series, folder, runs, programs):
    source = folder / "source" / series
    if not source.exists():
        # One that was interrupted is not taken for whole.
        part = source.with_name(f"{series}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        SERIES[series](part)
        part.rename(source)
    files, size = tree_size(source)
    print(f"\n### {series}: {files} files, {size / 1e6:.0f} MB\n", flush=True)
    limit = BIN / "bare_limit"
    if limit.exists():
        subprocess.run([limit, source], check=True, stdout=subprocess.DEVNULL)
        print(
            "bare limit: "
            + subprocess.run([limit, source], check=True, capture_output=True).stdout.decode()
        )
    rows = {}
    for number, make in enumerate(programs):
        place = runs / f"{series}-{number}"
        place.mkdir(parents=True)
        program = make(place)
        try:
            program.init()
            row = rows[program.name] = {
                "first backup": program.backup(source),
                "stored": program.stored(),
                "unchanged": program.backup(source),
                "restore": program.restore(place / "restored"),
                "verify every byte": program.check(),
            }
        finally:
            program.close()
        difference = subprocess.run(
            [
                "diff",
                "-r",
                "--no-dereference",
                source,
                place / "restored" / str(source).lstrip("/"),
            ],
            capture_output=True,
        )
        if difference.returncode != 0:
            sys.exit(f"{program.name} restored something else: {difference.stdout[:500]}")
        print(
            f"{program.name}: "
            + ", ".join(
                f"{work} {figure.wall:.2f} s"
                for work, figure in row.items()
                if isinstance(figure, Measured)
            ),
            flush=True,
        )
    table(rows)


def table(rows):
    reference = rows.get("restic")
    print("\n| work | program | wall s | CPU s | peak MB | to restic |\n|---|---|---|---|---|---|")
    for work in ("first backup", "unchanged", "restore", "verify every byte"):
        for name, row in rows.items():
            figure = row[work]
            ratio = f"{figure.wall / reference[work].wall:.2f}" if reference else ""
            print(
                f"| {work} | {name} | {figure.wall:.2f} | {figure.cpu:.2f} "
                f"| {figure.memory / 1e6:.0f} | {ratio} |"
            )
    for name, row in rows.items():
        ratio = f"{row['stored'] / reference['stored']:.2f}" if reference else ""
        print(f"| stored, one copy | {name} | {row['stored'] / 1e6:.0f} MB | | | {ratio} |")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", default="kernel,small,random,image")
    parser.add_argument(
        "--folder", type=pathlib.Path, default=pathlib.Path("/var/tmp/holdfast-bench")
    )
    parser.add_argument("--only", default="", help="part of a program's name")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    programs = [lambda place: Holdfast(place, 0), lambda place: Holdfast(place, 3), Restic, Borg]
    programs = [make for make in programs if arguments.only in make(arguments.folder).name]
    runs = arguments.folder / f"runs-{os.getpid()}"
    try:
        for series in arguments.series.split(","):
            if series not in SERIES:
                parser.error(f"no series {series}; there are {', '.join(SERIES)}")
            bench(series, arguments.folder, runs, programs)
    finally:
        shutil.rmtree(runs, ignore_errors=True)


if __name__ == "__main__":
    main()
