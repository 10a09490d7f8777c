// Starts browsers that talk to nobody but the page's TURN server, each with a profile of its own.
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const chromium = {
    executablePath: "/usr/bin/chromium",
    pipe: true,
    args: ["--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP *.google.com ~NOTFOUND, MAP *.googleapis.com ~NOTFOUND"], // it asks all the same
};

// Puppeteer's preferences and those Firefox gives itself when it is driven stop all other calls home.
const firefox = {
    browser: "firefox", // by WebDriver BiDi
    executablePath: "/usr/bin/firefox-esr",
    headless: true,
    env: { ...process.env, MOZ_REMOTE_SETTINGS_DEVTOOLS: "1" }, // else it ignores services.settings.server
    extraPrefsFirefox: {
        "services.settings.server": "data:,#remote-settings-dummy/v1",
    },
};

/// A browser with one empty page. It trusts the CAs in $HOME/.pki/nssdb: Chromium reads that, Firefox gets a copy.
export async function launch(name) {
    const profile = await mkdtemp(join(tmpdir(), `turn-e2e-${name}-`));
    const authorities = join(homedir(), ".pki/nssdb/cert9.db");
    if (name === "firefox" && existsSync(authorities)) await copyFile(authorities, join(profile, "cert9.db"));
    const browser = await puppeteer.launch({ ...{ chromium, firefox }[name], userDataDir: profile });
    const [page] = await browser.pages();
    page.setDefaultTimeout(60_000);
    page.on("pageerror", (error) => console.error(`page: ${error.message}`));
    return { page, close: async () => { await browser.close(); await rm(profile, { recursive: true, force: true }); } };
}
