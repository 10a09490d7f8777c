// The status page: asks api/v1/ for numbers and shows them. What comes from clients (user names!) is only ever set as
// text, never as markup.

const every = 2000; // ms between two looks
const remembered = 60; // points in the chart
const $ = (id) => document.getElementById(id);

const bits = (n) => scaled(n, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);
const bytes = (n) => scaled(n, ["B", "kB", "MB", "GB", "TB"]);
const count = (n) => n.toLocaleString("en");
function scaled(n, units) {
    let i = 0;
    for (; n >= 1000 && i < units.length - 1; ++i) n /= 1000;
    return `${i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}
function duration(seconds) {
    const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const at = Math.max(0, parts.findIndex(([size]) => seconds >= size));
    if (seconds < 1) return "0 s";
    const [size, unit] = parts[at], [smaller, small] = parts[at + 1] ?? [];
    const rest = smaller ? Math.floor((seconds % size) / smaller) : 0;
    return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${small}` : ""}`;
}

function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

/// Columns: [title, row => cell content, isNumber]. A table keeps its place when it is filled again.
function fill(table, columns, rows, nothing) {
    const cell = (kind, content, number) => element(kind, { className: number ? "number" : "", ...(kind === "th" && { scope: "col" }) }, content);
    const head = element("thead", {}, element("tr", {}, ...columns.map(([title, , number]) => cell("th", title, number))));
    const body = element("tbody", {}, ...rows.map((row) => element("tr", {}, ...columns.map(([, content, number]) => cell("td", content(row) ?? "", number)))));
    if (rows.length === 0) body.append(element("tr", {}, element("td", { className: "empty", colSpan: columns.length }, nothing)));
    const focused = table.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    table.replaceChildren(head, body);
    if (focused) table.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function facts(list, pairs) {
    list.replaceChildren(...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

async function ask(path) {
    const response = await fetch(`api/v1/${path}`, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    const said = await response.json().catch(() => ({}));
    if (!response.ok) throw Object.assign(new Error(said.message ?? response.statusText), { status: response.status });
    return said;
}

// --- traffic -------------------------------------------------------------------------------------------------------

let last = null;
const history = [];

function remember(traffic) {
    const now = performance.now();
    if (last) {
        const seconds = (now - last.now) / 1000;
        const rate = (way) => Math.max(0, 8 * (traffic[way].bytes - last.traffic[way].bytes) / seconds);
        history.push({ up: rate("up"), down: rate("down") });
        if (history.length > remembered) history.shift();
    }
    last = { now, traffic };
}

function draw() {
    if (history.length === 0) return;
    const top = Math.max(1000, ...history.flatMap(({ up, down }) => [up, down]));
    const line = (way) => {
        const made = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
        made.setAttribute("class", way);
        made.setAttribute("points", history.map((point, i) =>
            `${600 - (history.length - 1 - i) * 600 / (remembered - 1)},${155 - 150 * point[way] / top}`).join(" "));
        return made;
    };
    $("chart").replaceChildren(line("up"), line("down"));
    const { up, down } = history.at(-1);
    $("rate-up").textContent = bits(up);
    $("rate-down").textContent = bits(down);
    $("chart-says").textContent = `${duration(history.length * every / 1000)}; highest ${bits(top)}`;
}

// --- overview ------------------------------------------------------------------------------------------------------

function showStatus(status) {
    $("version").textContent = status.version;
    say(status.draining ? "Draining: no new relays" : `Up for ${duration(status.uptimeSeconds)}`, status.draining ? "bad" : "good");
    facts($("tiles"), [
        ["Active clients", count(status.activeClients)],
        ["Active relays", count(status.numAllocations)],
        ...Object.entries(status.relays).map(([transport, n]) => [`via ${transport.toUpperCase()}`, count(n)]),
        ["relaying TCP", count(status.tcpRelays.relays)],
        ["Peer connections", openAndPending(status.tcpRelays)],
        ["Relays at most", count(status.capacity)],
        ["Ports used", count(status.ports.used)],
        ["Ports free", count(status.ports.free)],
        ["Ports peak", count(status.ports.peak)],
    ]);
    const { relayedUp, relayedDown } = status.traffic, { bytesUp, bytesDown } = status.tcpRelays;
    remember({ up: { bytes: relayedUp.bytes + bytesUp }, down: { bytes: relayedDown.bytes + bytesDown } });
    draw();
    fill($("listeners"), [
        ["Address", (l) => l.address],
        ["Port", (l) => l.port],
        ["Transport", (l) => l.transport.toUpperCase()],
        ["Realm", (l) => l.realm],
    ], status.listeners, "None.");
    fill($("reasons"), [
        ["Reason", (r) => r.reason],
        ["What", (r) => r.what],
        ["How often", (r) => count(r.n), true],
    ], [...counted(status.refused, "request refused"), ...dropped(status.drops)].sort((a, b) => b.n - a.n),
    "Nothing was refused and nothing dropped.");
}
const drops = { up: "packet to a peer dropped", down: "packet to a client dropped", control: "answer dropped" };
const counted = (object, what) => Object.entries(object).map(([reason, n]) => ({ reason, what, n }));
const dropped = (by) => Object.entries(drops).flatMap(([way, what]) => counted(by[way] ?? {}, what));

const openAndPending = ({ openPeerConnections: open, pendingPeerConnections: pending }) =>
    count(open) + (pending ? ` + ${count(pending)} pending` : "");

function filter() {
    const query = new URLSearchParams({ limit: 200 });
    for (const name of ["user", "client"]) if ($(`filter-${name}`).value) query.set(name, $(`filter-${name}`).value);
    return query;
}

const relayLink = (r) => element("a", { href: `#relay/${r.id}` }, `#${r.id}`);
const isTcp = (r) => r.peerTransport === "tcp"; // to peers: RFC 6062
const amount = (r, packets, size) => isTcp(r) ? bytes(size) : `${count(packets)} (${bytes(size)})`;
const addresses = (r) => r.relayedAddresses.join(" ") + (isTcp(r) ? " TCP" : "");
const connections = (r) => isTcp(r) ? openAndPending(r) : "";

async function showRelays() {
    try {
        const { relays, more } = await ask(`relays?${filter()}`);
        $("relays-say").textContent = more ? `Only the first ${count(relays.length)} are shown.` : "";
        fill($("relays"), [
            ["Relay", relayLink],
            ["User", (r) => r.user],
            ["Client", (r) => r.client],
            ["Via", (r) => r.transport.toUpperCase()],
            ["Relayed address", addresses],
            ["Peers", (r) => r.peers.join(" ")],
            ["Connections", connections],
            ["To peers", (r) => amount(r, r.packetsUp, r.bytesUp), true],
            ["To client", (r) => amount(r, r.packetsDown, r.bytesDown), true],
            ["Age", (r) => duration(r.ageSeconds), true],
            ["Verdict", (r) => r.verdict],
        ], relays, "No relays.");
    } catch (error) {
        if (error.status !== 400) throw error;
        $("relays-say").textContent = error.message;
    }
}

// --- one relay -----------------------------------------------------------------------------------------------------

async function showRelay(id) {
    $("relay-title").textContent = `Relay #${id}`;
    let r;
    try {
        r = await ask(`relays/${encodeURIComponent(id)}`);
    } catch (error) {
        if (error.status !== 404 && error.status !== 400) throw error;
        $("relay-says").textContent = "This relay has ended. What was known about it: turnctl why relay " + id;
        return;
    }
    $("relay-says").textContent = "";
    facts($("relay-facts"), [
        ["Verdict", r.verdict],
        ["User", r.user],
        ["Realm", r.realm],
        ["Client", `${r.client} via ${r.transport.toUpperCase()}`],
        ["Server", r.server],
        ["Relayed address", addresses(r)],
        ["Peers", r.peers.join(" ")],
        ["To peers", amount(r, r.packetsUp, r.bytesUp)],
        ["To client", amount(r, r.packetsDown, r.bytesDown)],
        ["Age", duration(r.ageSeconds)],
        ["Expires in", duration(r.expiresInSeconds)],
    ]);
    fill($("relay-permissions"), [["Peer", (p) => p.peer], ["Expires in", (p) => duration(p.expiresInSeconds), true]],
        r.permissions, "None: nobody may send to this client.");
    fill($("relay-channels"), [
        ["Channel", (c) => `0x${c.number.toString(16)}`],
        ["Peer", (c) => c.peer],
        ["Expires in", (c) => duration(c.expiresInSeconds), true],
    ], r.channels, "None.");
    $("relay-connections-title").hidden = $("relay-connections-place").hidden = !isTcp(r);
    fill($("relay-connections"), [
        ["Peer", (c) => c.peer],
        ["State", (c) => c.bound ? "open" : "pending"],
        ["To the peer", (c) => bytes(c.bytesUp), true],
        ["To the client", (c) => bytes(c.bytesDown), true],
    ], r.peerConnections, "None.");
    fill($("relay-requests"), [["Request", ([name]) => name], ["Answer", (entry) => entry[1]], ["How often", (entry) => count(entry[2]), true]], [
        ...Object.entries(r.requests).filter(([, n]) => n > 0).map(([name, n]) => [name, "success", n]),
        ...Object.entries(r.refused).map(([reason, n]) => ["any", `refused: ${reason}`, n]),
    ], "None.");
    fill($("relay-drops"), [["Reason", (d) => d.reason], ["What", (d) => d.what], ["Packets", (d) => count(d.n), true]],
        dropped(r.drops), "None.");
}

// --- the loop ------------------------------------------------------------------------------------------------------

function say(text, kind) {
    $("state").textContent = text;
    $("state").className = kind;
}

let looking = null;
async function look() {
    clearTimeout(looking);
    const [, id] = /^#relay\/(\d+)$/.exec(location.hash) ?? [];
    $("overview").hidden = id !== undefined;
    $("relay").hidden = id === undefined;
    try {
        showStatus(await ask("status"));
        await (id === undefined ? showRelays() : showRelay(id));
    } catch (error) {
        say(`No answer from turnd (${error.message}); the numbers are old`, "bad");
    }
    clearTimeout(looking);
    looking = setTimeout(look, every);
}

addEventListener("hashchange", () => { look(); $("main").focus(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
$("filter").addEventListener("submit", (event) => { event.preventDefault(); look(); });
look();
