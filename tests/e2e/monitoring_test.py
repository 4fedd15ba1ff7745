"""docs/operating: the page has every metric and every event that there is and no other, the alerts
and the dashboard ask for nothing else, and Prometheus understands the alerts and fires them when it
should."""

import json
import os
import pathlib
import re
import socket
import sys

sys.path.insert(0, os.environ["HOLDFAST_E2E"])
from e2e import Node, expect, init, make_tree, promtool, run, system  # noqa: E402

ROOT = pathlib.Path(os.environ["HOLDFAST_E2E"]).parents[1]
PAGE = (ROOT / "docs/operating/monitoring.md").read_text()
RULES = ROOT / "docs/operating/holdfast.rules.yml"
# What the agent leaves for the textfile collector, and what a node has only at times.
AGENTS = {f"holdfast_backup_{what}" for what in
          ("last_run_timestamp_seconds", "last_success_timestamp_seconds", "exit_code",
           "duration_seconds", "unread_files", "nodes_complete", "nodes_total")}
METRIC = r"\b(?:holdfast_(?:node|backup)_[a-z_]+|process_start_time_seconds)\b"


def families():
    """Of a node that has taken a backup."""
    address = pathlib.Path("metrics.sock").resolve()
    node = Node("anna", more=("--metrics", f"unix:{address}"))
    init("repo", "--node", node.invite())
    run("backup", "-r", "repo", make_tree("tree"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(address))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    node.kill()
    return set(re.findall(r"(?m)^# TYPE (\w+) ", text))


def asked_for(text):
    """The families in an expression: a histogram is asked for by its parts."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(METRIC, text)}


def the_page_has_what_there_is(nodes):
    listed = set()
    for line in PAGE.splitlines():
        if line.startswith("| `") and re.match(METRIC, line[3:]):
            listed |= set(re.findall(METRIC, line.split("|")[1]))
    expect(listed == nodes | AGENTS, f"not on the page: {sorted((nodes | AGENTS) - listed)}; "
           f"not there: {sorted(listed - nodes - AGENTS)}")
    events = set()
    for source in (ROOT / "repository").rglob("*.cpp"):
        events |= set(re.findall(r'Severity::k\w+,\s*"([a-z_]+)"', source.read_text()))
    table = PAGE.split("| event |")[1]
    explained = set(re.findall(r"`([a-z_]+)`", "".join(row.split("|")[1] for row
                                                      in table.splitlines()[2:] if row)))
    expect("sync_failed" in events, "events are not found in the source")
    expect(explained == events, f"events that are not on the page: {sorted(events - explained)}; "
           f"that do not happen: {sorted(explained - events)}")


def rules_and_dashboard_ask_for_what_there_is(known):
    rules = RULES.read_text()
    expressions = re.sub(r"(?m)^\s*(#|summary:|action:).*$", "", rules)
    expect(asked_for(expressions) <= known, f"alerts: {asked_for(expressions) - known}")
    alerts = set(re.findall(r"(?m)^ *- alert: (\w+)$", rules))
    explained = set(re.findall(r"(?m)^\| `(Holdfast\w+)` \|", PAGE))
    expect(alerts == explained, f"alerts that are not on the page: {sorted(alerts ^ explained)}")
    board = json.loads((ROOT / "docs/operating/grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    expect(len(queries) > 15, "the dashboard has no queries")
    for query in queries:
        expect(asked_for(query) and asked_for(query) <= known, f"dashboard: {query}")
    return queries


def prometheus_understands(queries):
    tool = promtool()
    if not tool:
        print("promtool is not there: alerts are not checked by it")
        return
    system(tool, "check", "rules", RULES)
    # The dashboard's queries as rules, since only those can be checked.
    text = "groups:\n- name: dashboard\n  rules:\n"
    for number, query in enumerate(queries):
        query = query.replace("$__rate_interval", "5m")
        text += f"  - record: query_{number}\n    expr: {json.dumps(query)}\n"
    pathlib.Path("dashboard.yml").write_text(text)
    system(tool, "check", "rules", "dashboard.yml")
    cases = (ROOT / "tests/e2e/holdfast.rules.test.yml").read_text()
    pathlib.Path("cases.yml").write_text(f"rule_files: [{json.dumps(str(RULES))}]\n{cases}")
    done = system(tool, "test", "rules", "cases.yml", check=False)
    expect(done.returncode == 0, f"promtool: {done.stdout}{done.stderr}")


found = families()
the_page_has_what_there_is(found)
prometheus_understands(rules_and_dashboard_ask_for_what_there_is(found | AGENTS))
