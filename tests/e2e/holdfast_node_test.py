"""holdfast-node from init to reindex, as an operator runs it."""

import os
import pathlib
import signal
import subprocess

PROGRAM = os.path.join(os.environ["HOLDFAST_BIN"], "holdfast-node")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False,
                          timeout=60)


def expect(run_result, code, words=""):
    assert run_result.returncode == code, run_result
    assert words in run_result.stdout + run_result.stderr, (words, run_result)
    return run_result


class Server:
    """`holdfast-node serve`, ready once this is made."""

    def __init__(self, data):
        self.process = subprocess.Popen([PROGRAM, "serve", "--data", data], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.line = self.process.stdout.readline()

    def end(self, number):
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


def main():
    # Mistakes of usage, and what cannot work.
    for arguments in ([], ["serve"], ["init", "--data", "n"], ["nonsense"], ["serve", "--bad"]):
        expect(run(*arguments), 2)
    expect(run("--help"), 0, "serve")
    expect(run("--version"), 0, "holdfast-node")
    expect(run("serve", "--data", "absent"), 1, "there is no node in absent")
    expect(run("init", "--data", "n", "--listen", "tcp://0.0.0.0:1"), 1, "--advertise")

    expect(run("init", "--data", "n", "--listen", "tcp://127.0.0.1:0", "--name", "anna"), 0)
    expect(run("init", "--data", "n", "--listen", "tcp://127.0.0.1:0"), 1, "a node already")
    assert pathlib.Path("n/node.key").stat().st_mode & 0o777 == 0o600
    expect(run("invite", "--data", "n"), 1, "no port before it was started")

    server = Server("n")
    words = server.line.split()
    assert words[:4] == ["holdfast-node", "anna", "ready", "on"], server.line
    assert words[4] == pathlib.Path("n/endpoint").read_text(encoding="ascii").strip()
    assert not words[4].endswith(":0"), words

    # Beside a running server: an invitation; but no second server and no reindex.
    invite = expect(run("invite", "--data", "n"), 0).stdout
    assert invite.startswith("holdfast-invite-1.") and invite.count("\n") == 1, invite
    assert len(list(pathlib.Path("n/invites").iterdir())) == 1
    expect(run("serve", "--data", "n"), 1, f"process {server.process.pid}")
    expect(run("reindex", "--data", "n"), 1, "in use")
    assert server.end(signal.SIGTERM) == 0

    expect(run("reindex", "--data", "n"), 0)
    assert Server("n").end(signal.SIGINT) == 0
    # A server that was killed leaves nothing behind that keeps the next one from starting.
    assert Server("n").end(signal.SIGKILL) == -signal.SIGKILL
    assert Server("n").end(signal.SIGTERM) == 0


main()
