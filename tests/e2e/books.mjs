// Reads the counters that turnd wrote when it ended and checks that nothing is missing or left over.
//   node books.mjs FILE [NAME=LEAST]... [NAME=LEAST..MOST]...
// NAME is a path in the totals, such as refused.peer-denied; requests.allocate is the sum of all its results.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const [file, ...wanted] = process.argv.slice(2);
const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
assert.equal(lines.length, 1, "one JSON line");
const counters = JSON.parse(lines[0]);

const sum = (numbers) => Object.values(numbers).reduce((total, n) => total + (typeof n === "object" ? sum(n) : n), 0);

function balanced(books, whose) {
    const { net, streams, dtls } = books, equal = (a, b, what) => assert.equal(a, b, `${whose}: ${what}`);
    equal(books["from-clients"].packets,
        books.relayed.up.packets + sum(books.dropped.up) + sum(books.requests) + books.absorbed + books.pending,
        "from clients = relayed + dropped + answered + absorbed + pending");
    equal(books["from-peers"].packets, books.relayed.down.packets + sum(books.dropped.down),
        "from peers = relayed + dropped");
    equal(net.received.packets + streams.received.frames,
        books["from-clients"].packets + books["from-peers"].packets + dtls.received, "received = handled or DTLS");
    equal(dtls.received, dtls["for-sessions"] + dtls.challenged + sum(dtls.dropped),
        "DTLS = of sessions + challenged + dropped");
    const gone = (way) => net.sent[way].packets + sum(net.dropped[way]) + streams.sent[way].frames + sum(streams.dropped[way]);
    for (const way of ["up", "down"]) equal(books.relayed[way].packets, gone(way), `relayed ${way} = sent + dropped`);
    // RFC 6062, 5.3: one for each peer that had a permission
    const attempts = gone("control") - sum(books.requests) - dtls.own - books.icmp.relayed;
    assert.ok(attempts >= 0 && attempts <= books.peers.accepted, `${whose}: answered + ICMP + attempts = sent + dropped`);
    equal(sum(streams.queued) + sum(streams.connections) + streams["without-allocation"], 0, "connections are gone");
    equal(books["allocations-created"], books["allocations-ended"] + books.allocations, "created = ended + alive");
}

balanced(counters.total, "total");
counters.shards.forEach((books, i) => balanced(books, `shard ${i}`));
for (const name of ["allocations", "permissions", "channels", "pending"]) assert.equal(counters.total[name], 0, `${name} left`);
for (const name of ["ports-in-use", "quota-in-use", "reservations"]) assert.equal(counters[name], 0, `${name} left`);
for (const [path, least, most = Infinity] of wanted.map((text) => text.split(/=|\.\.(?=\d)/))) {
    const found = path.split(".").reduce((object, name) => object?.[name], counters.total);
    const value = typeof found === "object" ? sum(found) : found;
    assert.ok(value >= Number(least) && value <= Number(most), `${path} is ${value}, should be ${least} to ${most}`);
}
