// Looks at turnd's status page as an operator does, while relays are at work.
//
//   node status_page.mjs URL USER CLIENT PEER TCP_PEER [SCREENSHOT]
//
// CLIENT and the peers, with their ports, are the addresses the relays are between: a relay with a channel to PEER, and
// one over TCP to TCP_PEER, which has carried a line of 12 bytes each way. Prints what was seen; exit status 1 when it is not what should be.
import assert from "node:assert/strict";
import { launch } from "./launch.mjs";

const [url, user, client, peer, tcpPeer, screenshot] = process.argv.slice(2);
const wrong = []; // what the browser complains about, and requests that leave the server

/// Text of the cells of a table, by row; the first row is the head.
const rows = (page, id) => page.$$eval(`#${id} tr`, (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
const tile = (page, name) => page.$$eval("#tiles div", (all, name) =>
    all.find((tile) => tile.firstChild.textContent === name)?.lastChild.textContent, name);
/// Where the link of the relay that talks to this peer leads.
const relayOf = (page, peer) => page.$$eval("#relays tbody tr", (all, peer) =>
    all.find((row) => row.textContent.includes(peer)).querySelector("a").getAttribute("href"), peer);
const shown = (page, selector) => page.waitForSelector(selector, { visible: true, timeout: 10_000 });
const eventually = (page, is, ...values) => page.waitForFunction(is, { timeout: 10_000, polling: 100 }, ...values);

async function overview(page) {
    await eventually(page, (peer) => document.getElementById("relays").textContent.includes(peer), peer);
    assert.equal(await page.$eval("#state", (state) => state.className), "good");
    assert.match(await tile(page, "Active relays"), /^[1-9]$/);
    assert.equal(await tile(page, "Active clients"), "1"); // by address
    assert.ok(Number(await tile(page, "via UDP")) >= 1);
    assert.equal(await tile(page, "via TLS"), "0");
    assert.ok(Number(await tile(page, "Ports used")) >= 1);
    const listeners = await rows(page, "listeners");
    assert.ok(listeners.some((row) => row.includes("UDP") && row.includes("3478")), `${listeners}`);
    const [head, ...relays] = await rows(page, "relays");
    for (const relay of relays) {
        assert.equal(relay[head.indexOf("User")], user);
        assert.ok(relay[head.indexOf("Client")].startsWith(`${client}:`), `${relay}`);
    }
    assert.ok(relays.some((relay) => relay[head.indexOf("Peers")].includes(peer)), `${relays}`);
    // Live: the traffic that is shown is that of now.
    await eventually(page, () => /bit\/s$/.test(document.getElementById("rate-up").textContent) &&
        !document.getElementById("rate-up").textContent.startsWith("0 "));
    assert.equal(await page.$$eval("#chart polyline", (lines) => lines.length), 2);
    const reasons = await rows(page, "reasons");
    assert.ok(reasons.some((row) => row[0] === "first-challenge"), `${reasons}`);
    console.log(JSON.stringify({ relays, up: await page.$eval("#rate-up", (rate) => rate.textContent) }));
}

async function filtering(page) {
    const say = async (name, text) => {
        await page.$eval(`#filter-${name}`, (input, text) => { input.value = text; }, text);
        await page.click("#filter button");
    };
    await say("user", "nobody");
    await shown(page, "#relays td.empty");
    await say("user", user);
    await shown(page, "#relays td a");
    await say("client", "not an address");
    await eventually(page, () => document.getElementById("relays-say").textContent.length > 0);
    await say("client", client);
    await shown(page, "#relays td a");
}

async function oneRelay(page) {
    // By keyboard alone: Tab to the relay that talks to the peer, Enter.
    const wanted = await relayOf(page, peer);
    await page.focus("#filter button");
    for (let i = 0; i < 20; ++i) {
        await page.keyboard.press("Tab");
        if (await page.evaluate(() => document.activeElement.getAttribute("href")) === wanted) break;
    }
    await page.keyboard.press("Enter");
    await shown(page, "#relay");
    await shown(page, "#relay-permissions td:not(.empty)");
    assert.equal(await page.$eval("#relay-title", (title) => title.textContent), `Relay #${wanted.split("/")[1]}`);
    const facts = await page.$eval("#relay-facts", (list) => list.textContent);
    for (const part of [user, client, "Verdict"]) assert.ok(facts.includes(part), facts);
    assert.ok((await rows(page, "relay-permissions")).some((row) => peer.startsWith(`${row[0]}:`)));
    assert.ok((await rows(page, "relay-channels")).some((row) => row[1]?.includes(peer)));
    const requests = Object.fromEntries((await rows(page, "relay-requests")).slice(1).map(([name, , n]) => [name, n]));
    assert.equal(requests.allocate, "1");
    assert.ok(Number(requests.channelBind) >= 1);
    assert.ok(await page.$eval("#relay-connections-place", (place) => place.hidden));
    await page.goBack();
    await shown(page, "#overview");
}

async function tcpRelay(page) {
    await eventually(page, (peer) => document.getElementById("relays").textContent.includes(peer), tcpPeer);
    await page.$eval(`#relays a[href="${await relayOf(page, tcpPeer)}"]`, (link) => link.click());
    await shown(page, "#relay-connections td:not(.empty)");
    await eventually(page, () => /open12 B12 B$/.test(document.getElementById("relay-connections").textContent));
    assert.deepEqual((await rows(page, "relay-connections")).slice(1), [[tcpPeer, "open", "12 B", "12 B"]]);
    const facts = await page.$eval("#relay-facts", (list) => list.textContent);
    for (const part of ["Verdictok", `${client}:`, " TCP"]) assert.ok(facts.includes(part), facts);
    await page.goBack();
    await shown(page, "#overview");
    assert.equal(await tile(page, "relaying TCP"), "1");
    assert.equal(await tile(page, "Peer connections"), "1");
}

async function onAPhone(page) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await page.setViewport({ width: 360, height: 740, isMobile: true, hasTouch: true });
    const [wide, background] = await page.evaluate(() => [document.documentElement.scrollWidth, getComputedStyle(document.documentElement).backgroundColor]);
    assert.ok(wide <= 360, `the page is ${wide} wide on a phone`);
    const dark = background.match(/\d+/g).map(Number);
    assert.ok(Math.max(...dark) < 80, `${background} is not dark`);
}

const { page, close } = await launch("chromium");
try {
    page.on("console", (message) => { if (message.type() !== "log") wrong.push(message.text()); });
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on("dialog", (dialog) => { wrong.push("a dialog: a name was taken for markup"); dialog.dismiss(); });
    page.on("request", (request) => { if (!request.url().startsWith(url) && !request.url().startsWith("data:")) wrong.push(request.url()); });
    await page.setViewport({ width: 1280, height: 1000 });
    await page.goto(url);
    await overview(page);
    if (screenshot) {
        await new Promise((resolve) => setTimeout(resolve, 12_000)); // a longer line
        await page.screenshot({ path: screenshot });
    }
    await oneRelay(page);
    await tcpRelay(page);
    const before = wrong.length;
    await filtering(page);
    // A wrong filter is answered 400, and Chromium says so on the console: the only thing it may say.
    assert.ok(wrong.slice(before).every((text) => /status of 400/.test(text)), `${wrong}`);
    await onAPhone(page);
    assert.deepEqual(wrong.slice(0, before), []);
} catch (error) {
    console.error(error, wrong);
    process.exitCode = 1;
} finally {
    await close();
}
