#!/usr/bin/env python3
"""Says which lines and branches of the libraries the tests have run, by folder.

Branches that only the compiler knows (of exceptions, of unreachable code) are not counted. A line
counts once, however many templates it was compiled into.

  report.py --build FOLDER [--untaken FOLDER] [--again]

--untaken common/format lists, of the files in that folder, the lines that never ran and those with
a branch that was never taken. --again (to ./dev coverage) reports on the last run of the tests.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys

LIBRARIES = ("common", "agent", "repository", "cli")


def counted(build):
    """What gcovr says of each line, by file."""
    command = ["gcovr", "--root", ".", "--object-directory", build, "--json", "--gcov-executable"]
    command += ["gcov", "-j", "2", "--exclude-throw-branches", "--exclude-unreachable-branches"]
    command += [part for library in LIBRARIES for part in ("--filter", f"{library}/")]
    done = subprocess.run(command + [build], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"gcovr failed:\n{done.stderr}")
    return {file["file"]: file["lines"] for file in json.loads(done.stdout)["files"]}


class Tally:
    def __init__(self):
        self.lines = self.run = self.branches = self.taken = 0

    def add(self, line):
        self.lines += 1
        self.run += line["count"] > 0
        self.branches += len(line["branches"])
        self.taken += sum(branch["count"] > 0 for branch in line["branches"])

    def row(self, name):
        def share(part, whole):
            return f"{100 * part / whole:6.1f} % of {whole:6d}" if whole else ""

        lines, branches = share(self.run, self.lines), share(self.taken, self.branches)
        return f"{name:34s} {lines:>20s} {branches:>22s}"


def untaken(files, folder):
    for name, lines in sorted(files.items()):
        if str(pathlib.PurePath(name).parent) != folder.rstrip("/") and name != folder:
            continue
        source = pathlib.Path(name).read_text().splitlines()
        for line in lines:
            if line.get("gcovr/noncode"):
                continue
            missing = [branch for branch in line["branches"] if branch["count"] == 0]
            if line["count"] > 0 and not missing:
                continue
            how = "never" if line["count"] == 0 else f"{len(missing)}/{len(line['branches'])}"
            number = line["line_number"]
            print(f"{name}:{number}: {how:>5s}  {source[number - 1].strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--untaken", metavar="FOLDER")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    files = counted(options.build)
    if options.untaken:
        return untaken(files, options.untaken)
    folders, everything = collections.defaultdict(Tally), Tally()
    for name, lines in files.items():
        for line in lines:
            if not line.get("gcovr/noncode"):
                folders[str(pathlib.PurePath(name).parent)].add(line)
                everything.add(line)
    print(f"{'folder':34s} {'lines that ran':>20s} {'branches taken':>22s}")
    for folder in sorted(folders):
        print(folders[folder].row(folder))
    print(everything.row("all"))


if __name__ == "__main__":
    main()
