"""What a node serves over HTTP: metrics that Prometheus takes and that tell what has happened, and
clients that do it no harm."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import sys
import threading

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import Node, expect, init, make_tree, promtool, run, system, until  # noqa: E402

SOCKET = pathlib.Path("metrics.sock").resolve()


def connect(where):
    if isinstance(where, pathlib.Path):
        client = socket.socket(socket.AF_UNIX)
        client.connect(os.fspath(where))
    else:
        client = socket.create_connection(where)
    client.settimeout(60)
    return client


def answer(client):
    text = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            text += part
    return text


def get(path, where=SOCKET):
    with connect(where) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head, _, body = answer(client).partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def metrics(where=SOCKET):
    """{family: {labels: value}}; a second old at most."""
    status, text = get("/metrics", where)
    expect(status == 200, f"/metrics: {status} {text}")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-z_]+)(\{.*\})? (\S+)", line).groups()
            found.setdefault(name, {})[labels or ""] = float(value)
    return found


def eventually(holds, what):
    """Metrics of which `holds` is true."""
    latest = {}

    def look():
        latest.clear()
        latest.update(metrics())
        return holds(latest)

    until(look, what)
    return latest


def total(found, name, labels=""):
    return sum(value for key, value in found.get(name, {}).items() if labels in key)


def refused_addresses():
    for address in ("0.0.0.0:9753", "[::]:9753", "192.0.2.1:9753", "nonsense"):
        done = run("init", "--data", "refused", "--listen", "tcp://127.0.0.1:0", "--metrics",
                   address, program="holdfast-node", code=1)
        expect("unix:/PATH" in done.stderr, f"{address}: {done.stderr}")


def after_a_backup():
    tree = make_tree("tree")
    init("repo", "--node", node.invite())
    run("backup", "-r", "repo", tree)
    run("restore", "-r", "repo", "latest", "--target", "restored")
    found = eventually(lambda now: total(now, "holdfast_node_newest_snapshot_sequence") == 1,
                       "the snapshot is told")
    for name in ("holdfast_node_stored_bytes", "holdfast_node_segments", "holdfast_node_objects",
                 "holdfast_node_frames_received_total", "holdfast_node_frames_received_bytes_total",
                 "holdfast_node_frames_sent_total", "holdfast_node_received_bytes_total",
                 "holdfast_node_sent_bytes_total", "holdfast_node_sync_seconds_count",
                 "holdfast_node_handshakes_total", "holdfast_node_disk_free_bytes",
                 "holdfast_node_disk_size_bytes"):
        expect(total(found, name) > 0, f"{name}: {found.get(name)}")
    for kind in ("put_frame", "commit", "get_frame"):
        expect(total(found, "holdfast_node_requests_total", f'"{kind}"') > 0, f"{kind}: {found}")
    expect(total(found, "holdfast_node_snapshots", '"complete"') == 1, str(found))
    expect(total(found, "holdfast_node_snapshots", '"incomplete"') == 0, str(found))
    expect(total(found, "holdfast_node_damaged_objects") == 0, str(found))
    expect(found["holdfast_node_healthy"][""] == 1, str(found))
    run("verify", "-r", "repo", "--read-data")
    eventually(lambda now: "holdfast_node_last_full_verification_timestamp_seconds" in now
               and now["holdfast_node_last_full_verification_timestamp_seconds"],
               "the verification is told")


def strangers_are_counted():
    endpoint = (node.data / "endpoint").read_text().strip().removeprefix("tcp://")
    host, port = endpoint.rsplit(":", 1)
    before = total(metrics(), "holdfast_node_connections_unheard_total")
    with connect((host, int(port))) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer(client)
    eventually(lambda now: total(now, "holdfast_node_connections_unheard_total") > before,
               "a stranger is counted")


def damage_is_told():
    segment = max((node.data / "repositories").glob("*/segments/*"), key=lambda p: p.stat().st_size)
    with open(segment, "r+b") as file:
        file.seek(segment.stat().st_size // 2)
        file.write(b"\0" * 64)
    run("verify", "-r", "repo", "--read-data", code=5)
    found = eventually(lambda now: total(now, "holdfast_node_damaged_objects") > 0,
                       "damage is told")
    expect(total(found, "holdfast_node_damage_found_total") > 0, str(found))
    eventually(lambda now: total(now, "holdfast_node_snapshots", '"incomplete"') == 1,
               "a snapshot is incomplete")


def prometheus_takes_it():
    tool = promtool()
    if not tool:
        print("promtool is not there: the format is not checked by it")
        return
    done = system(tool, "check", "metrics", input=get("/metrics")[1])
    expect(not done.stdout + done.stderr, f"promtool: {done.stdout}{done.stderr}")


def clients_that_do_harm():
    for request in (b"\0\xff" * 5000, b"GET " + b"a" * 100_000, b"GET / HTTP/1.1\r\n" * 1000,
                    b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 9000,
                    b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
                    b"GET /metrics HTTP/1.1\r\nRange: bytes=" + b"0-," * 1200 + b"0-\r\n\r\n"):
        with connect(SOCKET) as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            answer(client)
    expect(get("/healthz")[0] in (200, 503), "the server is gone")
    # More clients that say nothing than there are threads: each is given up in its turn.
    silent = [connect(SOCKET) for _ in range(8)]
    expect(get("/metrics")[0] == 200, "silent clients keep others out")
    for client in silent:
        client.close()


def ends_beside_stuck_clients():
    silent = [connect(SOCKET) for _ in range(8)]
    silent[0].sendall(b"GET /met")
    node.process.send_signal(signal.SIGTERM)
    expect(node.process.wait(20) == 0, f"the node does not end well: {node.log.read_text()}")
    expect(not SOCKET.exists(), "its socket stays behind")
    for client in silent:
        client.close()


def many_at_once_over_tcp():
    other = Node("bert", more=("--metrics", "127.0.0.1:0"))
    url = re.search(r"metrics at http://([\d.]+):(\d+)", other.log.read_text())
    where = (url[1], int(url[2]))
    wrong = []

    def ask():
        for _ in range(20):
            status, text = get("/metrics", where)
            if status != 200 or not text.endswith("\n"):
                wrong.append(status)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not wrong, f"answers: {wrong}")
    expect(get("/elsewhere", where)[0] == 404, "a page that is not there")
    # A second node cannot have the same address, and takes backups all the same.
    third = Node("carl", more=("--metrics", f"{where[0]}:{where[1]}"))
    expect("metrics are not served" in third.log.read_text(), third.log.read_text())
    for one in (other, third):
        one.process.send_signal(signal.SIGTERM)
        expect(one.process.wait(60) == 0, f"{one.name}: {one.log.read_text()}")


refused_addresses()
node = Node("anna", more=("--metrics", f"unix:{SOCKET}"))
expect(get("/healthz") == (200, "well\n"), str(get("/healthz")))
after_a_backup()
strangers_are_counted()
prometheus_takes_it()
damage_is_told()
clients_that_do_harm()
ends_beside_stuck_clients()
many_at_once_over_tcp()
