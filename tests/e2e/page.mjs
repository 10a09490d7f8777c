// What runs inside the pages: each function is sent there as text, so it sees nothing but the page.

/// A peer connection that remembers its candidates and errors in window.pc, .candidates, .errors.
export function prepare(configuration) {
    const pc = new RTCPeerConnection(configuration);
    Object.assign(window, { pc, candidates: [], errors: [] });
    window.within = (seconds, promise, said) => Promise.race([promise, new Promise((_, reject) => {
        setTimeout(() => reject(new Error(`${said()}, after ${seconds} s`)), seconds * 1000);
    })]);
    window.gathered = new Promise((resolve) => {
        // null ends the gathering; an empty one, which only Firefox gives, ends a generation.
        pc.onicecandidate = ({ candidate }) => {
            if (!candidate) resolve();
            else if (candidate.candidate) window.candidates.push(candidate.candidate);
        };
    });
    window.failed = new Promise((resolve) => {
        pc.onicecandidateerror = ({ errorCode, errorText, url }) => resolve(window.errors.push({ errorCode, errorText, url }));
    });
}

export async function describe(offer) {
    const { pc } = window;
    if (offer) {
        await pc.setRemoteDescription(offer);
        await pc.setLocalDescription(await pc.createAnswer());
    } else {
        window.channel = pc.createDataChannel("bytes");
        window.channel.binaryType = "arraybuffer";
        await pc.setLocalDescription(await pc.createOffer());
    }
    // Candidates travel inside the description. Some Chromiums gather for ever: after an error, and sometimes, on a busy
    // machine, with every candidate there. A page with candidates goes on then, as real ones do; by that time a server
    // that left a connection hanging has closed it, and its books say so.
    const patience = new Promise((resolve) => setTimeout(resolve, 15_000, "patience"));
    await Promise.race([window.gathered, window.failed, patience]);
    if (window.candidates.length === 0)
        await window.within(15, Promise.race([window.gathered, window.failed]), () => "no candidate, still gathering");
    return { description: pc.localDescription.toJSON(), candidates: window.candidates, errors: window.errors };
}

export function echoEverything() {
    window.pc.ondatachannel = ({ channel }) => {
        channel.binaryType = "arraybuffer";
        channel.onmessage = ({ data }) => channel.send(data);
    };
}

/// Sends `total` random bytes and resolves with how many came back equal, in order. Few are on their way at a time:
/// browsers answer a burst of lost datagrams with pauses of 0.4 s, tens of them in a row.
export async function exchange(total) {
    const { channel } = window, chunk = 16384, ahead = 8 * chunk, sent = new Uint8Array(total);
    for (let i = 0; i < total; i += 65536) crypto.getRandomValues(sent.subarray(i, Math.min(i + 65536, total)));
    if (channel.readyState !== "open")
        await window.within(30, new Promise((resolve) => { channel.onopen = resolve; }),
            () => `data channel ${channel.readyState}, ICE ${pc.iceConnectionState}, connection ${pc.connectionState}`);
    const began = performance.now();
    let next = 0, back = 0;
    await window.within(60, new Promise((resolve, reject) => {
        const pump = () => {
            for (; next < total && next < back + ahead; next += chunk) channel.send(sent.subarray(next, next + chunk));
        };
        channel.onclose = () => reject(new Error(`data channel closed after ${back} bytes`));
        channel.onmessage = ({ data }) => {
            for (const byte of new Uint8Array(data))
                if (byte !== sent[back++]) return reject(new Error(`byte ${back - 1} came back different`));
            if (back === total) resolve();
            pump();
        };
        pump();
    }), () => `${back} of ${next} bytes sent came back, ${channel.bufferedAmount} buffered, ICE ${pc.iceConnectionState}`);
    return { bytes: total, seconds: (performance.now() - began) / 1000 };
}

/// The pair in use. Chromium's state of it says little: `in-progress` comes back with each check.
export async function selectedPair() {
    const stats = await window.pc.getStats();
    const pair = [...stats.values()].find((s) => s.type === "candidate-pair" && s.selected) ?? // Firefox says it here
        stats.get([...stats.values()].find((s) => s.type === "transport").selectedCandidatePairId);
    const about = ({ candidateType, protocol, relayProtocol, address }) => ({ candidateType, protocol, relayProtocol, address });
    return { local: about(stats.get(pair.localCandidateId)), remote: about(stats.get(pair.remoteCandidateId)) };
}
