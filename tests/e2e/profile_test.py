"""holdfast-agent runs a profile, and says what is wrong with one."""

import os
import pathlib
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import PASSPHRASE, expect, init, make_tree, objects, run  # noqa: E402

source = make_tree(pathlib.Path("source").resolve())
init("repo")
here = pathlib.Path.cwd()
pathlib.Path("passphrase").write_text(PASSPHRASE)
profile = pathlib.Path("home.toml")
good = f"""
repository = "{here}/repo"
passphrase_file = "{here}/passphrase"
paths = ["{source}"]
exclude = ["small *"]
tags = ["daily"]
host = "profiled"
"""
profile.write_text(good)
without = {"HOLDFAST_PASSPHRASE": ""}
run("check", profile, program="holdfast-agent", env=without)
expect(objects(run("snapshots", "-r", "repo", "--json")) == [], "check made a snapshot")
run("run", profile, program="holdfast-agent", env=without)
snapshot = objects(run("snapshots", "-r", "repo", "--json"))[0]
expect((snapshot["hostname"], snapshot["tags"]) == ("profiled", ["daily"]), str(snapshot))
expect("small 3" not in run("ls", "-r", "repo", "latest").stdout, "exclude was not heeded")

profile.write_text(good + 'exlude_caches = true\n')
wrong = run("run", profile, program="holdfast-agent", code=1).stderr
expect("line 8" in wrong and "exclude_caches" in wrong, f"unknown key: {wrong}")
profile.write_text(good.replace('["daily"]', '"daily"'))
wrong = run("run", profile, program="holdfast-agent", code=1).stderr
expect("line 6" in wrong and "tags" in wrong, f"wrong type: {wrong}")
profile.write_text('repository = "/x"\n')
expect("paths" in run("check", profile, program="holdfast-agent", code=1).stderr, "missing key")
expect("/etc/holdfast/absent.toml" in
       run("run", "absent", program="holdfast-agent", code=1).stderr, "the name's path")
run("run", program="holdfast-agent", code=2)
