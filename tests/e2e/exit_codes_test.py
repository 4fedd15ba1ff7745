"""Each exit code of `holdfast backup` and its fellows, and a message that says what to do."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import BIN, expect, init, make_tree, run  # noqa: E402

source = make_tree(pathlib.Path("source").resolve())
run("--version")
run("--help")
run("backup", "--no-such-flag", code=2)
run("backup", "-r", "repo", code=2)
run("nonsense", code=2)
run(code=2)
run("restore", "-r", "repo", "--target", "x", code=2)

missing = run("backup", "-r", "repo", source, code=10)
expect("holdfast init" in missing.stderr, f"no advice: {missing.stderr}")
pathlib.Path("folder").mkdir()
run("snapshots", "-r", "folder", code=10)
init("repo")
run("init", "-r", "repo", "--kdf-cost", "low", code=1)
again = run("init", "-r", "source", "--kdf-cost", "low", code=1)
expect("not empty" in again.stderr, again.stderr)

wrong = {"HOLDFAST_PASSPHRASE": "wrong"}
run("backup", "-r", "repo", source, code=12, env=wrong)
run("snapshots", "-r", "repo", code=12, env=wrong)
run("snapshots", "-r", "repo", code=12, env={"HOLDFAST_PASSPHRASE": ""}, stdin=subprocess.DEVNULL,
    start_new_session=True)
pathlib.Path("passphrase").write_text(os.environ["HOLDFAST_PASSPHRASE"] + "\n")
run("snapshots", "-r", "repo", "--passphrase-file", "passphrase", env=wrong)
run("snapshots", "-r", "repo", "--passphrase-command", "cat passphrase", env=wrong)
run("snapshots", "-r", "repo", "--passphrase-command", "exit 3", code=12)

gone = run("backup", "-r", "repo", source, "absent", code=1)
expect("absent" in gone.stderr, f"the missing source is not named: {gone.stderr}")
run("restore", "-r", "repo", "latest", "--target", "x", code=1)
run("backup", "-r", "repo", source, "--exclude", "[", code=1)

# Somebody who may not read everything saves what he can, and says what he could not.
if os.geteuid() == 0:
    here = pathlib.Path.cwd()
    (source / "secret").write_text("of root")
    (source / "secret").chmod(0o600)
    for folder in (here, source):
        folder.chmod(0o755)
    pathlib.Path("nobody").mkdir()
    os.chown("nobody", 65534, 65534)
    # The build may lie where only its owner can go.
    program = shutil.copy(BIN / "holdfast", here / "holdfast")

    def as_nobody(script):
        return subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env",
             f"HOLDFAST_CACHE_DIR={here}/nobody/cache", "sh", "-c", script],
            check=False, capture_output=True, text=True, timeout=60)

    result = as_nobody(f"'{program}' init -r nobody/repo --kdf-cost low && "
                       f"'{program}' backup -r nobody/repo '{source}'")
    expect(result.returncode == 3, f"unreadable file: {result.returncode}\n{result.stderr}")
    expect("secret" in result.stderr, f"the unreadable file is not named: {result.stderr}")
    listed = as_nobody(f"'{program}' ls -r nobody/repo latest --json")
    marked = [line for line in listed.stdout.splitlines() if '"condition":"unreadable"' in line]
    expect(len(marked) == 1 and "/secret" in marked[0], f"{listed.stdout}{listed.stderr}")
    (source / "closed").mkdir(mode=0o700)
    result = as_nobody(f"'{program}' backup --dry-run -r nobody/repo '{source}'")
    expect(result.returncode == 3 and "/closed: " in result.stderr, f"a dry run: {result.stderr}")

    # A credential, a passphrase and a profile that are not for him are named, with the reason.
    agent = shutil.copy(BIN / "holdfast-agent", here / "holdfast-agent")
    for name in ("of-root.credential", "passphrase", "of-root.toml"):
        (here / name).write_text("not for everybody")
        (here / name).chmod(0o600)
    for command in (f"'{program}' snapshots -r '{here}/of-root.credential'",
                    f"'{program}' backup -r '{here}/of-root.credential' '{source}'",
                    f"'{program}' snapshots -r nobody/repo --passphrase-file '{here}/passphrase'",
                    f"'{agent}' run '{here}/of-root.toml'"):
        result = as_nobody(command)
        expect(result.returncode in (1, 12), f"{command}: {result.returncode}\n{result.stderr}")
        named = [name for name in ("of-root.credential", "passphrase", "of-root.toml")
                 if name in command and name in result.stderr]
        expect(named and "Permission denied" in result.stderr, f"{command}: {result.stderr}")
