// A page may use its TURN server and nothing else.
//
//   node browser.mjs relay BROWSER URI USER PASSWORD MEGABYTES    two browsers: bytes come back exact, over relay/relay
//   node browser.mjs refused BROWSER URI USER PASSWORD CODE       the page sees icecandidateerror CODE and no candidate,
//                                                                 as this user and as one that does not exist
//
// BROWSER is chromium or firefox. Prints what was seen as one JSON line; exit status 1 when it is not what should be.
import assert from "node:assert/strict";
import { launch } from "./launch.mjs";
import { describe, echoEverything, exchange, prepare, selectedPair } from "./page.mjs";

const [story, name, urls, username, credential, figure] = process.argv.slice(2);
const configuration = (who) => ({ iceTransportPolicy: "relay", iceServers: [{ urls, username: who, credential }] });
const relayProtocol = urls.startsWith("turns:") ? "tls" : urls.split("?transport=")[1];

async function relayed(ann, bob) {
    await ann.evaluate(prepare, configuration(username));
    await bob.evaluate(prepare, configuration(username));
    await bob.evaluate(echoEverything);
    const offer = await ann.evaluate(describe, null);
    const answer = await bob.evaluate(describe, offer.description);
    for (const side of [offer, answer]) {
        assert.deepEqual(side.errors, []);
        assert.ok(side.candidates.length > 0, "no candidate");
        for (const candidate of side.candidates) assert.match(candidate, / typ relay /);
    }
    await ann.evaluate((description) => window.pc.setRemoteDescription(description), answer.description);
    const echoed = await ann.evaluate(exchange, Number(figure) * 1_000_000);
    const pairs = [await ann.evaluate(selectedPair), await bob.evaluate(selectedPair)];
    console.log(JSON.stringify({ ...echoed, pairs }));
    for (const { local, remote } of pairs) {
        assert.equal(local.candidateType, "relay");
        assert.equal(remote.candidateType, "relay");
        assert.equal(local.relayProtocol, relayProtocol); // between client and server
        assert.equal(local.protocol, "udp"); // between server and peer
        assert.equal(remote.protocol, "udp");
    }
}

async function refused(page) {
    for (const who of [username, `not ${username}`]) { // the code is no user oracle
        await page.evaluate(prepare, configuration(who));
        const { candidates, errors } = await page.evaluate(describe, null);
        console.log(JSON.stringify({ who, candidates, errors }));
        assert.deepEqual(candidates, []);
        assert.deepEqual([...new Set(errors.map((error) => error.errorCode))], [Number(figure)]);
    }
}

const starting = Array.from({ length: story === "relay" ? 2 : 1 }, () => launch(name));
try {
    const pages = (await Promise.all(starting)).map(({ page }) => page);
    await { relay: relayed, refused }[story](...pages);
} catch (error) {
    console.error(error);
    process.exitCode = 1;
} finally {
    await Promise.allSettled(starting.map(async (browser) => (await browser).close()));
}
