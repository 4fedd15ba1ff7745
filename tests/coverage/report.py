#!/usr/bin/env python3
"""Says which lines and branches of the libraries the tests have run, by folder, and which places no
test takes: explained ones, of which tests/coverage/explained.txt says why, and others.

A place is a line with a condition that was only ever true or only ever false, with what did not run
behind it, or lines that never ran. A condition counts once, however many templates it was compiled
into. What stands in a check() is never false: a process for which it is has ended. What is
`= default` is the compiler's, and a macro's conditions are those of the lines that use it.

  report.py --build FOLDER [--untaken [FOLDER]] [--again]

--untaken lists the places that nothing explains, of all files or of a folder's. --again (to
./dev coverage) reports on the last run of the tests.
"""
import argparse
import bisect
import collections
import json
import pathlib
import subprocess
import sys

LIBRARIES = ("common/", "agent/", "repository/", "cli/")
EXPLAINED = "tests/coverage/explained.txt"
BECAUSE = "  because: "
CODE, EXPANSION = 0, 1  # kinds of regions


def run(command):
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def exports(build):
    """What llvm-cov says of all programs together: the lines as lcov writes them, the branches as
    JSON does."""
    raw = sorted(str(path) for path in (build / "profiles").glob("*.profraw"))
    if not raw:
        sys.exit(f"{build}/profiles: no program has run; leave out --again")
    merged = str(build / "tests.profdata")
    run(["llvm-profdata-16", "merge", "-sparse", "-o", merged, *raw])
    first, *others = sorted(str(path) for path in (build / "bin").iterdir() if path.is_file())
    command = ["llvm-cov-16", "export", first, f"-instr-profile={merged}", "-num-threads=2"]
    for other in others:
        command += ["-object", other]
    lines = run(command + ["-format=lcov"]).decode()
    functions = json.loads(run(command))["data"][0]["functions"]
    return lines, functions


def in_libraries(path, build):
    """The path from the checkout, or None for what is none of the libraries. Compiled in with paths
    from there, it comes as if it lay where the compiler ran."""
    name = path.removeprefix(f"{build}/")
    return name if name.startswith(LIBRARIES) else None


class File:
    def __init__(self, name):
        self.text = pathlib.Path(name).read_text().splitlines()
        self.counts = {}  # of lines, by number
        self.branches = collections.defaultdict(dict)  # by line, then by where: [true, false]
        self.checks = spans_of_checks(self.text)

    def in_check(self, line, column):
        at = bisect.bisect_right(self.checks, ((line, column), (sys.maxsize, 0))) - 1
        return at >= 0 and self.checks[at][0] <= (line, column) <= self.checks[at][1]


def spans_of_checks(text):
    """Where the calls of check() begin and end, as (line, column) pairs from 1."""
    spans, begin, depth = [], None, 0
    for number, line in enumerate(text, 1):
        column = 0
        while column < len(line):
            if begin is None:
                at = line.find("check(", column)
                if at < 0 or (at > 0 and (line[at - 1].isalnum() or line[at - 1] in "_.:>")):
                    break
                begin, depth, column = (number, at + 1), 1, at + len("check(")
                continue
            depth += {"(": 1, ")": -1}.get(line[column], 0)
            column += 1
            if depth == 0:
                spans.append((begin, (number, column)))
                begin = None
    return spans


def read_lines(lcov, build):
    files, current = {}, None
    for line in lcov.splitlines():
        if line.startswith("SF:"):
            name = in_libraries(line[3:], build)
            current = files.setdefault(name, File(name)) if name else None
        elif line.startswith("DA:") and current:
            number, count = line[3:].split(",")[:2]
            current.counts[int(number)] = int(count)
    return files


def is_constant(function, branch):
    """A condition that the compiler knows: neither way was counted where the code around it ran."""
    line, column, *_, true, false, file, _, _ = branch
    if true or false:
        return False
    around = [region for region in function["regions"]
              if region[7] == CODE and region[5] == file
              and tuple(region[0:2]) <= (line, column) < tuple(region[2:4])]
    return bool(around) and max(around, key=lambda region: region[0:2])[4] > 0


def read_branches(functions, files, build):
    for function in functions:
        names = function["filenames"]
        # A macro's conditions belong to the line that uses it.
        user = {region[6]: region for region in function["regions"] if region[7] == EXPANSION}
        for branch in function["branches"]:
            if is_constant(function, branch):
                continue
            where, position, file = [], branch[0:2], branch[6]
            while True:
                where.append(tuple(position))
                if file not in user:
                    break
                position, file = user[file][0:2], user[file][5]
            into = files.get(in_libraries(names[file], build))
            if into is None or into.in_check(*where[-1]):
                continue
            both = into.branches[where[-1][0]].setdefault(tuple(where), [0, 0])
            both[0] += branch[4]
            both[1] += branch[5]


class Place:
    def __init__(self, name, number, how, text):
        self.name, self.number, self.how, self.texts = name, number, how, [text]


def places(name, file):
    found, last = [], None  # the place that what never ran next belongs to
    for number in sorted(file.counts):
        text = file.text[number - 1].strip()
        ways = [count for both in file.branches[number].values() for count in both]
        missed = ways.count(0)
        if file.counts[number] > 0:
            last = Place(name, number, f"{missed}/{len(ways)}", text) if missed else None
            if last:
                found.append(last)
        elif last:
            last.texts.append(text)
        else:
            last = Place(name, number, "never", text)
            found.append(last)
    return [place for place in found if not is_nobodys(place)]


def is_nobodys(place):
    """Not a choice that somebody wrote down and a test could take."""
    first = place.texts[0]
    ends_process = any(text.startswith("check(false,") for text in place.texts[:2])
    return ends_process or first.endswith("= default;") or first.endswith("\\")


class Explanation:
    def __init__(self, name, snippet, reason):
        self.name, self.snippet, self.reason = name, snippet, reason
        self.used = False

    def fits(self, place):
        return place.name == self.name and any(self.snippet in text for text in place.texts)


def read_explanations(path):
    """Below the name of a file, indented: a part of a line, BECAUSE and the reason. An entry of
    which no line has the part is an error, since it explains nothing any more."""
    explanations, name, wrong = [], None, []
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.strip()
            source = pathlib.Path(name).read_text() if pathlib.Path(name).is_file() else ""
            continue
        snippet, because, reason = line.partition(BECAUSE)
        if not because or not reason.strip() or snippet.strip() not in source:
            wrong.append(f"{path}:{number}: {name} has no such line: {snippet.strip()}")
        explanations.append(Explanation(name, snippet.strip(), reason.strip()))
    if wrong:
        sys.exit("\n".join(wrong))
    return explanations


class Tally:
    def __init__(self):
        self.lines = self.run = self.ways = self.taken = self.explained = self.open = 0

    def add(self, file, explained, others):
        self.lines += len(file.counts)
        self.run += sum(count > 0 for count in file.counts.values())
        for number in file.counts:
            for both in file.branches[number].values():
                self.ways += 2
                self.taken += sum(count > 0 for count in both)
        self.explained += explained
        self.open += others

    def row(self, name):
        def share(part, whole):
            return f"{100 * part / whole:6.1f} % of {whole:6d}" if whole else ""

        return (f"{name:20s} {share(self.run, self.lines):>19s} "
                f"{share(self.taken, self.ways):>19s} {self.explained:>10d} {self.open:>6d}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--untaken", metavar="FOLDER", nargs="?", const="")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    explanations = read_explanations(EXPLAINED)
    lcov, functions = exports(options.build)
    files = read_lines(lcov, options.build)
    read_branches(functions, files, options.build)

    tallies, everything = collections.defaultdict(Tally), Tally()
    for name, file in sorted(files.items()):
        folder = str(pathlib.PurePath(name).parent)
        found = places(name, file)
        unexplained = []
        for place in found:
            fitting = [one for one in explanations if one.fits(place)]
            for one in fitting:
                one.used = True
            if not fitting:
                unexplained.append(place)
        for tally in (tallies[folder], everything):
            tally.add(file, len(found) - len(unexplained), len(unexplained))
        if options.untaken in ("", folder, name):
            for place in unexplained:
                print(f"{name}:{place.number}: {place.how:>5s}  {place.texts[0]}")
    print(f"{'folder':20s} {'lines that ran':>19s} {'branches taken':>19s} "
          f"{'explained':>10s} {'not':>6s}")
    for folder in sorted(tallies):
        print(tallies[folder].row(folder))
    print(everything.row("all"))
    for one in explanations:
        if not one.used:
            print(f"{EXPLAINED}: a test takes it now: {one.name}: {one.snippet}")
    print(f"{everything.explained + everything.open} places that no test takes: "
          f"{everything.explained} explained, {everything.open} not")


if __name__ == "__main__":
    main()
