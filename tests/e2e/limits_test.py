"""Upload and download limits hold over all nodes together, and make no node look slow or dead."""

import os
import pathlib
import sys
import time

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import Node, expect, init, run, summary  # noqa: E402

MIB = 1 << 20
source = pathlib.Path("source").resolve()
source.mkdir()
for number in range(8):
    (source / f"{number}").write_bytes(os.urandom(MIB // 4))
nodes = [Node(name) for name in ("north", "south", "east")]
init("owner", *(part for node in nodes for part in ("--node", node.invite())))


def took(*arguments):
    began = time.monotonic()
    done = summary(run(*arguments, "--json"))
    return done, time.monotonic() - began


# Six times a mebibyte, of which the first may go at once. A node gets one every six seconds, which
# is beyond the patience with one that does not move.
done, seconds = took("backup", "-r", "owner", source, "--limit-upload", "512")
expect(done["copies"] == 3 and done["problems"] == 0, f"copies: {done}")
expect(seconds >= 9, f"6 MiB at 512 KiB/s in {seconds:.1f} s")

done, seconds = took("restore", "-r", "owner", f"latest:{source}", "--target", "restored",
                     "--limit-download", "512", "--verify")
expect(done["files_restored"] == 8 and done["failed"] == 0, f"restored: {done}")
expect(seconds >= 1.5, f"2 MiB at 512 KiB/s in {seconds:.1f} s")

(source / "more").write_bytes(os.urandom(8 * MIB))
done, seconds = took("backup", "-r", "owner", source, "--limit-upload", "0")
# It would be 48 s with the limit from before.
expect(done["copies"] == 3 and seconds < 40, f"no limit: {seconds:.1f} s, {done}")
run("backup", "-r", "owner", source, "--limit-upload", "fast", code=2)
run("backup", "-r", "owner", source, "--limit-upload", "-1", code=2)

# Where there is nothing to limit, the option is not there.
run("restore", "-r", "owner", "latest", "--target", "x", "--limit-upload", "5", code=2)
pathlib.Path("home.toml").write_text(f'repository = "{pathlib.Path.cwd()}/owner"\n'
                                     f'paths = ["{source}"]\n')
for option in ("--limit-upload", "--limit-download", "--tag", "--host"):
    run("verify", "home.toml", option, "5", program="holdfast-agent", code=2)
run("verify", "home.toml", program="holdfast-agent")
