# A small world for end-to-end tests: three network namespaces of their own, turnd in the middle.
#
#   client 10.77.1.2 ──── 10.77.1.1 server 10.77.2.1 ──── 10.77.2.2 peer
#      fd77:1::2 ──────── fd77:1::1        fd77:2::1 ──────── fd77:2::2
#
# The client knows 10.77.1.1 as turn.e2e.example, and no other name.
# The server forwards nothing, so what the client hears from the peer has been relayed. Relays are bound at 10.77.2.1,
# the side of the peer. A missing program or privilege fails the test; nothing is skipped.
# A test sources this file, calls network, start_turnd and its checks; ending it undoes everything.
set -euo pipefail
[ "$(id -u)" = 0 ] || exec sudo --non-interactive TURND="${TURND-}" TURNCTL="${TURNCTL-}" ASIO_ECHO="${ASIO_ECHO-}" ASIO_TCP="${ASIO_TCP-}" bash "$0" "$@"
here=$(dirname "$(readlink -f "$0")")

readonly client=turn-$$-client server=turn-$$-server peer=turn-$$-peer # namespaces
listen=10.77.1.1 listen6=fd77:1::1 relay=10.77.2.1 relay6=fd77:2::1 peer_address=10.77.2.2 peer_address6=fd77:2::2
name=turn.e2e.example # of $listen, for the client
user=ann password="blue horizon" realm=e2e.example
room=$(mktemp -d /tmp/turn-e2e.XXXXXX) # for logs and a copy of turnd that an ordinary user can reach
turnd_pid=
children=()

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

need() {
    local program
    for program in "$@"; do command -v "$program" >/dev/null || fail "$program is missing: ./dev deps installs it"; done
}

in_client() { ip netns exec "$client" "$@"; }
in_server() { ip netns exec "$server" "$@"; }
in_peer() { ip netns exec "$peer" "$@"; }

clean_up() {
    local status=$? namespace
    set +e
    [ $status = 0 ] || what_turnd_says >&2
    [ ${#children[@]} = 0 ] || { kill -KILL "${children[@]}"; wait "${children[@]}"; } 2>/dev/null
    for namespace in "$client" "$server" "$peer"; do ip netns del "$namespace" 2>/dev/null; done
    rm -rf "$room" "/etc/netns/$client"
}
trap clean_up EXIT

# what_turnd_says: its log and, once it has been asked to end, the counters that are not 0.
what_turnd_says() {
    if [ -n "$turnd_pid" ] && kill -TERM $turnd_pid 2>/dev/null; then wait $turnd_pid; fi
    echo "--- turnd said:"
    tail -n 40 "$room/turnd.log"
    [ ! -s "$room/out/counters.json" ] || node -e 'const flat = (at, o) => Object.entries(o).forEach(([k, v]) =>
        typeof v === "object" ? flat(`${at}${k}.`, v) : v && console.log(`${at}${k}=${v}`));
        flat("", JSON.parse(require("fs").readFileSync(process.argv[1])).total)' "$room/out/counters.json"
} 2>/dev/null

# link NAMESPACE NUMBER: joins a namespace to the server's by the networks 10.77.NUMBER.0/24 and fd77:NUMBER::/64.
link() {
    local namespace=$1 net=$2
    ip -n "$server" link add "net$net" type veth peer name wire netns "$namespace"
    ip -n "$server" address add "10.77.$net.1/24" dev "net$net"
    ip -n "$server" address add "fd77:$net::1/64" dev "net$net" nodad
    ip -n "$server" link set "net$net" up
    ip -n "$namespace" address add "10.77.$net.2/24" dev wire
    ip -n "$namespace" address add "fd77:$net::2/64" dev wire nodad
    ip -n "$namespace" link set wire up
}

network() {
    need ip ss setpriv
    local namespace
    for namespace in "$client" "$server" "$peer"; do
        ip netns add "$namespace" || fail "no network namespace: run as root, or where ip netns add is allowed"
        ip -n "$namespace" link set lo up
    done
    link "$client" 1
    link "$peer" 2
    ip -n "$client" route add default via 10.77.1.1 # to nowhere; browsers want a default route
    # ip netns exec puts these in the place of those in /etc. Nobody answers questions about other names.
    install -d "/etc/netns/$client"
    echo "$listen $name" >"/etc/netns/$client/hosts"
    echo "nameserver 127.0.0.1" >"/etc/netns/$client/resolv.conf"
}

# background COMMAND...: ends with the test. Its pid is $!.
background() {
    "$@" &
    children+=($!)
}

# eventually COMMAND...: until it succeeds, at most ten seconds.
eventually() {
    local deadline=$((SECONDS + 10))
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}

bound() { [ -n "$(ip netns exec "$1" ss -Hlun "sport = $2")" ]; } # NAMESPACE PORT: whether UDP is served there

# turnd ARGUMENT...: turnd in the foreground, in the server's namespace, as nobody.
turnd() {
    [ -x "${TURND:-}" ] || fail "TURND does not name the program under test"
    [ -x "$room/turnd" ] || { install -m 755 "$TURND" "$room/turnd" && install -d -o nobody "$room/out" && chmod 755 "$room"; }
    exec ip netns exec "$server" setpriv --reuid=nobody --regid=nogroup --clear-groups "$room/turnd" "$@"
}

# start_turnd ARGUMENT...: listening at $listen:3478 and relaying at $relay with one user, unless arguments say more.
# Without --allow-peer among them the peers are the default ones.
start_turnd() {
    background turnd --listen "$listen:3478" --relay-address "$relay" --realm "$realm" --user "$user:$password" \
        --counters-file "$room/out/counters.json" --drain-timeout 0s "$@" >"$room/turnd.log" 2>&1
    turnd_pid=$!
    eventually turnd_is_ready_or_ended && bound "$server" 3478 || fail "turnd does not listen at $listen:3478"
}
turnd_is_ready_or_ended() { said '^[^ ]+ info +ready ' turnd.log || ! kill -0 $turnd_pid 2>/dev/null; }

# stop_turnd [NAME=LEAST]...: SIGTERM, exit status 0, and books that balance, with nothing left over and with these
# counters at least so high (refused.peer-denied=1).
stop_turnd() {
    local status=0
    kill -TERM $turnd_pid
    wait $turnd_pid || status=$?
    [ $status = 0 ] || fail "turnd ended with exit status $status after SIGTERM"
    need node
    node "$here/books.mjs" "$room/out/counters.json" "$@" || fail "the counters do not add up"
}

# start_peer [ADDRESS]: turnutils_peer at port 3480 of the peer.
start_peer() {
    need turnutils_peer
    background ip netns exec "$peer" turnutils_peer -L "${1:-$peer_address}" -p 3480 >"$room/peer.log" 2>&1
    eventually bound "$peer" 3480 || fail "turnutils_peer does not listen"
}

# uclient ARGUMENT... SERVER: runs turnutils_uclient in the client's namespace; its words go to $room/uclient.log. Its
# exit status means nothing, so judge with none_lost or said.
uclient() {
    need turnutils_uclient
    echo "\$ turnutils_uclient $*"
    timeout 60 ip netns exec "$client" turnutils_uclient -u "$user" -w "$password" "$@" \
        >"$room/uclient.log" 2>&1 || true
}

said() { grep -qE -- "$1" "$room/${2:-uclient.log}"; } # PATTERN [LOG]

# browser ARGUMENT...: browser.mjs in the client's namespace; to the browsers, as if it were their first day.
browser() {
    need node chromium firefox-esr
    [ -d "$here/node_modules/puppeteer-core" ] || fail "puppeteer-core is missing: ./dev deps installs it"
    mkdir -p "$room/home"
    in_client env HOME="$room/home" XDG_RUNTIME_DIR="$room/home" TMPDIR="$room/home" node "$here/browser.mjs" "$@"
}

# none_lost COUNT: uclient sent so many messages and got every one of them back.
none_lost() {
    local sent received
    read -r sent received < <(sed -nE 's/.*tot_send_msgs=([0-9]+), tot_recv_msgs=([0-9]+).*/\1 \2/p' "$room/uclient.log" | tail -n 1) || true
    grep -E 'Total lost packets|tot_send_msgs' "$room/uclient.log" | tail -n 2
    if ! said 'Total lost packets 0 \(' || [ "${sent:-0}" != "$1" ] || [ "$sent" != "$received" ]; then
        tail -n 20 "$room/uclient.log" >&2
        fail "uclient sent ${sent:-nothing} and received ${received:-nothing}"
    fi
}
