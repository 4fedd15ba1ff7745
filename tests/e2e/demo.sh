#!/usr/bin/env bash
# The main job, step by step, on this machine: three nodes, a backup during which one is killed,
# damage on a second, a restore from what is left, and the repair by the next backup. Each step says
# what it expects and fails if it is not so.
#
#   HOLDFAST_BIN   the folder of the programs
#   HOLDFAST_DEMO  a folder to work in, kept; a temporary one unless given
set -euo pipefail

bin=${HOLDFAST_BIN:?the folder of the programs}
# Not /tmp, which often lies in memory.
work=${HOLDFAST_DEMO:-$(mktemp -d "${TMPDIR:-/var/tmp}/holdfast-demo.XXXXXX")}
mkdir -p "$work"
export HOLDFAST_CACHE_DIR=$work/cache HOLDFAST_PASSPHRASE='correct horse battery staple'
export HOLDFAST_REPOSITORY=$work/repository.credential
declare -A node_pid=()

step() { printf '\n== %s\n' "$*"; }
fail() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}
cleanup() {
  for pid in "${node_pid[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${node_pid[@]}"; do tail --pid="$pid" -f /dev/null; done
  [[ -n ${HOLDFAST_DEMO-} ]] || rm -rf "$work"
}
trap cleanup EXIT

# expect CODE COMMAND...: runs it and compares its exit code.
expect() {
  local code=$1 got=0
  shift
  printf '$ %s\n' "${*/#$bin\//}"
  "$@" || got=$?
  ((got == code)) || fail "exit $got where $code was expected: $*"
  printf '(exit %s, as expected)\n' "$got"
}

start_node() {
  local n=$1 line='' out
  # Its standard output is ours to read until it says that it accepts.
  exec {out}< <(exec "$bin/holdfast-node" serve --data "$work/node$n" 2>>"$work/node$n.log")
  node_pid[$n]=$!
  read -r -t 60 line <&"$out" || true
  [[ $line == *ready* ]] || fail "node $n did not start: $(cat "$work/node$n.log")"
  printf '%s\n' "$line"
}

free_port() {
  python3 -c 'import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1])'
}

stored_bytes() { du -sb "$work/node$1" | cut -f1; }

# A real tree: programs, libraries and documents of this machine, and some of each awkward kind.
make_tree() {
  mkdir -p "$work/tree"
  local from files=0 bytes=0
  for from in /usr/share /usr/include /usr/lib /usr/bin /usr/src /usr/sbin; do
    [[ -d $from ]] || continue
    mkdir -p "$work/tree$from"
    cp -a --no-target-directory "$from" "$work/tree$from" 2>/dev/null || true
    files=$(find "$work/tree" -type f | wc -l)
    bytes=$(du -sb "$work/tree" | cut -f1)
    ((files >= 20000 && bytes >= 500000000)) && break
  done
  # A small machine has fewer: copies with another beginning are other files.
  local copy=0
  while ((files < 20000 || bytes < 500000000)); do
    copy=$((copy + 1))
    mkdir -p "$work/tree/more/$copy"
    cp -a /usr/share "$work/tree/more/$copy/" 2>/dev/null || true
    head -c 50000000 /dev/urandom >"$work/tree/more/$copy/random"
    files=$(find "$work/tree" -type f | wc -l)
    bytes=$(du -sb "$work/tree" | cut -f1)
  done
  local odd=$work/tree/odd
  mkdir -p "$odd/empty folder" "$odd/locked"
  head -c 3000000 /dev/urandom >"$odd/random"
  ln "$odd/random" "$odd/hard link"
  ln -s random "$odd/symbolic link"
  printf 'x' >"$odd/"$'new\nline'
  printf 'y' >"$odd/"$'not \xff UTF-8'
  truncate -s 10M "$odd/hole"
  chmod 4751 "$odd/symbolic link" 2>/dev/null || true
  touch -d '2001-02-03 04:05:06.789012345' "$odd/empty folder"
  setfattr -n user.comment -v 'kept' "$odd/random" 2>/dev/null || true
  chmod 0500 "$odd/locked"
  printf '%s files, %s bytes\n' "$files" "$bytes"
}

# The tree, three copies of what is stored of it, and what is restored.
room=$(df --output=avail -B1M "$work" | tail -n 1)
((room >= 5000)) ||
  fail "$work has $room MiB free, and 5000 are needed; TMPDIR names another place"

step "A tree of at least 20,000 files and 500 MB"
make_tree

step "Three nodes on loopback"
invites=()
for n in 1 2 3; do
  expect 0 "$bin/holdfast-node" init --data "$work/node$n" --name "node$n" \
    --listen "tcp://127.0.0.1:$(free_port)"
  start_node "$n"
  invites+=(--node "$("$bin/holdfast-node" invite --data "$work/node$n")")
done

step "A repository on all three; two copies make a backup"
printf '$ holdfast init --node INVITE --node INVITE --node INVITE\n'
"$bin/holdfast" init "${invites[@]}" || fail "init"

step "A backup during which node 3 is killed with -9"
(
  # As soon as a part of the tree has arrived there.
  until (($(stored_bytes 3) > 30000000)); do read -r -t 0.02 <> <(:) || true; done
  kill -9 "${node_pid[3]}"
) &
killer=$!
expect 4 "$bin/holdfast" backup "$work/tree"
wait "$killer"
unset 'node_pid[3]'
expect 0 "$bin/holdfast" snapshots | tee "$work/snapshots"
grep -q '2/3' "$work/snapshots" || fail "the snapshot should show 2/3"

step "Bytes in a segment of node 2 are flipped"
kill "${node_pid[2]}"
tail --pid="${node_pid[2]}" -f /dev/null  # ends when the node has
python3 - "$work/node2" <<'PYTHON'
import pathlib, sys
segment = max(pathlib.Path(sys.argv[1]).rglob("*.seg"), key=lambda path: path.stat().st_size)
size = segment.stat().st_size
with open(segment, "r+b") as file:
    for part in (3, 5, 7):
        file.seek(size * part // 10)
        byte = file.read(1)[0]
        file.seek(size * part // 10)
        file.write(bytes([byte ^ 0x40]))
print(f"3 bytes of {size} in {segment.name}")
PYTHON
start_node 2

step "Everything is restored from what is left, and is identical"
expect 0 "$bin/holdfast" restore latest --target "$work/restored"
rsync -aHAXn --checksum --delete --itemize-changes \
  "$work/tree/" "$work/restored$work/tree/" >"$work/differences"
[[ ! -s $work/differences ]] || fail "the restored tree differs: $(head "$work/differences")"
printf 'content, owners, modes, times, links, ACLs and extended attributes are identical\n'

step "verify names the damage"
expect 5 "$bin/holdfast" verify --read-data | tee "$work/verify"
grep -q node2 "$work/verify" || fail "verify should name node2"

step "Node 3 returns; the next backup completes it and heals node 2"
start_node 3
expect 0 "$bin/holdfast" backup "$work/tree"
expect 0 "$bin/holdfast" snapshots | tee "$work/snapshots"
! grep -q '[012]/3' "$work/snapshots" || fail "every snapshot should show 3/3"
expect 0 "$bin/holdfast" verify --read-data
expect 0 "$bin/holdfast" status

printf '\nThe demo is done: every step went as expected.\n'
