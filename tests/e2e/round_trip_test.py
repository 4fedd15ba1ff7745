"""Backup and restore give back the same tree, whatever is in it."""

import os
import pathlib
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import expect, init, make_tree, objects, run, same_tree, summary  # noqa: E402

source = make_tree(pathlib.Path("source").resolve())
init("repo")
first = summary(run("backup", "-r", "repo", source, "--json", "--tag", "one,two"))
expect(first["files_new"] > 40 and first["problems"] == 0, f"first backup: {first}")
run("restore", "-r", "repo", "latest", "--target", "all")
same_tree(source, f"all{source}")
run("restore", "-r", "repo", f"latest:{source}", "--target", "inner", "--verify")
same_tree(source, "inner", but_for_the_top=True)

# Nothing changed: nothing is read, and the snapshot is there all the same.
second = summary(run("backup", "-r", "repo", source, "--json"))
expect(second["files_new"] == 0 and second["files_changed"] == 0 and second["data_added"] == 0,
       f"unchanged backup: {second}")

# What changed is restored as it is now; what went is removed from the target, and only with
# --delete.
(source / "small 7").write_text("changed")
(source / "small 8").unlink()
third = summary(run("backup", "-r", "repo", source, "--json"))
expect((third["files_new"], third["files_changed"]) == (0, 1), f"third backup: {third}")
run("restore", "-r", "repo", f"latest:{source}", "--target", "inner", "--overwrite", "if-changed")
expect(pathlib.Path("inner/small 8").exists(), "restore removed something without --delete")
run("restore", "-r", "repo", f"latest:{source}", "--target", "inner", "--delete")
same_tree(source, "inner", but_for_the_top=True)

listed = objects(run("ls", "-r", "repo", "latest", "--json"))
paths = {one["path"] for one in listed}
expect(f"{source}/new\nline" in paths, "ls --json lacks the name with a line end")
expect(any("path_base64" in one for one in listed), "ls --json lacks the name that is not UTF-8")
text = run("ls", "-r", "repo", "latest").stdout
expect("new\\x0aline" in text, "ls prints a line end of a name as it is")

snapshots = objects(run("snapshots", "-r", "repo", "--json"))
expect(len(snapshots) == 3, f"{len(snapshots)} snapshots, not 3")
expect(snapshots[0]["tags"] == ["one", "two"], f"tags: {snapshots[0]['tags']}")
expect(len(objects(run("snapshots", "-r", "repo", "--json", "--tag", "two"))) == 1, "--tag")
run("restore", "-r", "repo", f"{snapshots[0]['short_id']}:{source}", "--target", "oldest")
expect(pathlib.Path("oldest/small 8").exists(), "the oldest snapshot lacks a file it had")
run("verify", "-r", "repo", "--read-data")
run("status", "-r", "repo")
