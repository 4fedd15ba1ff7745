"""Runs clang-tidy over the compile database, skipping what has not changed.

With --deep, the Clang static analyzer too: it follows paths through functions, and takes as long as
all other checks together.

A file's result depends on its text, on that of every file of the project it includes, on the
compile command, on the checks and on clang-tidy's version. Their digest names an empty file in the
cache folder, written only when the run was clean; a file whose digest is there is not read again.
Generated headers count by the .proto file that they come from. The others are read by the dozen
(joined_sources.py): one by one, their headers take five times as long as they do.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

import joined_sources

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
FINDING = re.compile(r"^(?=\S+:\d+:\d+: (?:warning|error): )", re.MULTILINE)
# core.uninitialized takes a std::variant's storage for uninitialised memory; optin has opinions.
DEEP = "--checks=clang-analyzer-*,-clang-analyzer-core.uninitialized.*,-clang-analyzer-optin.*"
# An option that decides how a source is read, other than where it finds what it includes.
DEFINE = re.compile(r" -D(\S+)")
MOST_JOINED = 12
KEPT_SECONDS = 30 * 24 * 3600  # a result not asked for in so long is removed


class Sources:
    """The project's files, each read once, and what they include."""

    def __init__(self, root):
        self.root = root
        self.files = {}

    def read(self, path):
        """The text of a file and the paths it includes; None if the project has no such file."""
        if path not in self.files:
            source = self.root / re.sub(r"\.pb\.h$", ".proto", path)
            if source.is_file():
                text = source.read_text(encoding="utf-8")
                self.files[path] = (text, INCLUDE.findall(text) if source.suffix != ".proto" else
                                    [p.replace(".proto", ".pb.h")
                                     for p in re.findall(r'^import "([^"]+)"', text, re.MULTILINE)])
            else:
                self.files[path] = None
        return self.files[path]

    def reach(self, path):
        """`path` and all that it includes within the project, sorted."""
        found, waiting = set(), [path]
        while waiting:
            current = waiting.pop()
            entry = self.read(current)
            if entry is None or current in found:
                continue
            found.add(current)
            waiting.extend(entry[1])
        return sorted(found)


def digest_of(sources, path, command, common):
    digest = hashlib.sha256(common)
    digest.update(command.encode())
    for reached in sources.reach(path):
        digest.update(f"\0{reached}\0{sources.read(reached)[0]}".encode())
    return digest.hexdigest()


def configurations(root):
    files = sorted(p for p in root.rglob(".clang-tidy") if "build" not in p.relative_to(root).parts)
    return b"".join(str(p.relative_to(root)).encode() + p.read_bytes() for p in files)


def lint(command, root, paths):
    """The findings in these files and the headers they include: texts, each with its notes."""
    joined = [f"--extra-arg-before={part}" for path in paths[1:]
              for part in ("-include", root / path)]
    run = subprocess.run([*command, *joined, paths[0]], capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return []
    if "[clang-diagnostic-error]" in run.stdout and len(paths) > 1:
        half = len(paths) // 2
        return lint(command, root, paths[:half]) + lint(command, root, paths[half:])
    return FINDING.split(run.stdout)[1:] or [run.stdout + run.stderr]


def units(sources, waiting):
    """The paths waiting, in lists to be read as one; first the one that finds most headers."""
    files = []
    for path, (command, _) in sorted(waiting.items()):
        kind = (sorted(DEFINE.findall(command)), path.startswith("tests/"))
        files.append((path, sources.read(path)[0], repr(kind)))
    for unit in joined_sources.join(files, MOST_JOINED):
        yield sorted(unit, key=lambda path: -waiting[path][0].count(" -isystem"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", required=True, help="folder of compile_commands.json")
    parser.add_argument("--cache", required=True, type=pathlib.Path)
    parser.add_argument("--clang-tidy", required=True)
    parser.add_argument("--deep", action="store_true", help="the static analyzer too")
    arguments = parser.parse_args()

    root = pathlib.Path.cwd()
    build = (root / arguments.database).resolve()
    version = subprocess.run([arguments.clang_tidy, "--version"], capture_output=True, check=True)
    tidy = [arguments.clang_tidy, "--quiet", "-p", str(build), *([DEEP] if arguments.deep else [])]
    common = hashlib.sha256(
        version.stdout + configurations(root) + repr(tidy[4:]).encode()).digest()
    arguments.cache.mkdir(parents=True, exist_ok=True)

    sources = Sources(root)
    waiting, unchanged = {}, 0
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if build in file.parents:
            continue  # generated
        path = str(file.relative_to(root))
        command = entry["command"].replace(str(root), "")
        mark = arguments.cache / digest_of(sources, path, command, common)
        if mark.exists():
            mark.touch()
            unchanged += 1
        else:
            waiting[path] = (command, mark)

    # What is wrong with a header is found from each unit that includes it, and said once.
    said, started = set(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(lint, tidy, root, unit): unit for unit in units(sources, waiting)}
        for run in concurrent.futures.as_completed(runs):
            findings = set(run.result())
            if not findings:
                for path in runs[run]:
                    waiting[path][1].touch()
            for finding in sorted(findings - said):
                print(finding.replace(f"{root}/", "").rstrip(), flush=True)
            said |= findings

    for mark in arguments.cache.iterdir():
        if time.time() - mark.stat().st_mtime > KEPT_SECONDS:
            mark.unlink()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"clang-tidy: {len(waiting)} files read in {time.monotonic() - started:.0f} s "
          f"({used.ru_utime + used.ru_stime:.0f} s of processor time), "
          f"{unchanged} unchanged, {len(said)} findings")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
