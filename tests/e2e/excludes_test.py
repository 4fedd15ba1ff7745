"""What a backup leaves out, and lists of what it takes."""

import os
import pathlib
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import expect, init, run, summary  # noqa: E402

source = pathlib.Path("source").resolve()
for name in ("keep/a.txt", "keep/B.TXT", "keep/Photo.JPG", "private/.nobackup", "private/secret",
             "tagged/NOTE", "tagged/in/x", "untagged/NOTE", "untagged/x", "cache/CACHEDIR.TAG",
             "cache/x"):
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_text("x")
(source / "tagged/NOTE").write_text("do not save\nmore")
(source / "untagged/NOTE").write_text("do save")
(source / "cache/CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")
(source / "keep/large").write_bytes(b"x" * 2049)
(source / "keep/just").write_bytes(b"x" * 2048)
init("repo")


def saved(*options, **more):
    """The regular files in the snapshot that such a backup makes, relative to the source."""
    run("backup", "-q", "-r", "repo", *options, **more)
    lines = run("ls", "-r", "repo", "latest").stdout.splitlines()
    below = [line[len(f"{source}/"):] for line in lines if line.startswith(f"{source}/")]
    return {name for name in below if not (source / name).is_dir()}


everything = saved(source)
expect(len(everything) == 13, str(everything))
expect(saved(source, "--iexclude", "*.txt", "--iexclude", "photo.jpg") ==
       everything - {"keep/a.txt", "keep/B.TXT", "keep/Photo.JPG"}, "--iexclude")
expect(saved(source, "--exclude", "*.txt") == everything - {"keep/a.txt"}, "--exclude")
expect(saved(source, "--exclude-if-present", ".nobackup") == everything - {"private/secret"},
       "--exclude-if-present NAME")
expect(saved(source, "--exclude-if-present", "NOTE:do not save") == everything - {"tagged/in/x"},
       "--exclude-if-present NAME:HEADER")
expect(saved(source, "--exclude-caches") == everything - {"cache/x"}, "--exclude-caches")
expect(saved(source, "--exclude-larger-than", "2k") == everything - {"keep/large"},
       "--exclude-larger-than")
# Another selection is another line of snapshots: nothing of the one before is taken for unchanged
# and then missing, and the same one again finds its parent.
again = summary(run("backup", "-r", "repo", source, "--exclude-larger-than", "2k", "--json"))
expect(again["had_parent"] and again["files_unmodified"] == 12, f"the parent: {again}")

lists = pathlib.Path("list")
lists.write_text(f"{source}/keep/a.txt\n\n{source}/private\n")
expect(saved("--files-from", lists) == {"keep/a.txt", "private/.nobackup", "private/secret"},
       "--files-from")
expect(saved("--files-from", "-", input=f"{source}/keep/a.txt\n") == {"keep/a.txt"},
       "--files-from -")
odd = source / "a\nb"
odd.write_text("x")
run("backup", "-q", "-r", "repo", "--files-from0", "-", input=f"{odd}\0{source}/cache/x\0")
expect(summary(run("backup", "-r", "repo", "--files-from0", "-", "--json",
                   input=f"{odd}\0{source}/cache/x\0"))["files"] == 2, "--files-from0 -")

for wrong in (["--exclude-larger-than", "2 kB"], ["--exclude-if-present", "a/b"],
              ["--iexclude", "[a"], ["--files-from", "absent"],
              ["--files-from", "-", "--files-from0", "-"]):
    said = run("backup", "-r", "repo", source, *wrong, code=1, input="").stderr
    expect("\n" not in said.strip(), f"{wrong}: {said}")
said = run("backup", "-r", "repo", "--files-from", "-", code=1, input="\n\n").stderr
expect("nothing to save" in said, f"an empty list: {said}")
lists.write_text("/nowhere/at/all\n")
expect("/nowhere" in run("backup", "-r", "repo", "--files-from", lists, code=1).stderr,
       "a path that is not there")
run("backup", "-r", "repo", code=2)
