// Lighthouse on every page of a folder of static pages: 100 of 100 in all four
// categories, or it fails and says which audit of which page is in the way.
//
// node pages.js FOLDER [PAGE…], where `npm ci` has installed what it needs
//
// Lighthouse measures here as its "mobile" preset does, with simulated
// throttling: it loads the page as fast as this machine can, and computes from
// what was asked for, in which order and how large, how long a slow phone on a
// slow network would take. To slow down for real would take ten times as long
// and vary more. What is left of this machine is the time that its processor
// took, and other programs may have been at work. So a page may try three times
// for its performance, and for nothing else.

import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const CATEGORIES = ["performance", "accessibility", "best-practices", "seo"];
const TRIES = 3;

// The same as in book/tests/browser/chromium.rs.
const FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--no-default-browser-check",
];

const TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
};

// The whole book on one page, to print it or to take it along. It is larger than
// a slow phone can load at once, and says `noindex`: each chapter is to be found
// on a page of its own.
const EXEMPT = {
    "print.html": { categories: ["performance"], audits: ["is-crawlable"] },
};

/** A web host: it compresses, as all of them do, and caches nothing. */
const serve = (folder) => createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://127.0.0.1");
    const file = join(folder, normalize(decodeURIComponent(pathname)));
    let body;
    try {
        body = await readFile(file);
    } catch {
        response.writeHead(404).end();
        return;
    }
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, {
        "Content-Type": type,
        "Content-Encoding": "gzip",
    });
    response.end(gzipSync(body));
});

/** The scores of a page, and the audits that cost it something. */
const measure = async (url, port, categories, skipAudits) => {
    const { lhr } = await lighthouse(url, {
        port,
        logLevel: "error",
        onlyCategories: categories,
        skipAudits,
        disableFullPageScreenshot: true,
    });
    if (lhr.runtimeError) {
        throw new Error(`${url}: ${lhr.runtimeError.message}`);
    }
    return categories.map((category) => {
        const { score, auditRefs } = lhr.categories[category];
        const faults = auditRefs
            .filter(({ weight }) => weight > 0)
            .map(({ id }) => lhr.audits[id])
            .filter((audit) => audit.score !== null && audit.score < 1)
            .map(({ id, displayValue }) => `${id} ${displayValue ?? ""}`.trim());
        // A category without a score was not measured.
        return { category, score: Math.round(100 * (score ?? 0)), faults };
    });
};

const [folder, ...named] = process.argv.slice(2);
const all = (await readdir(folder)).filter((name) => name.endsWith(".html"));
const pages = named.length > 0 ? named : all.sort();
if (pages.length === 0) {
    throw new Error(`there are no pages in ${folder}`);
}

const server = serve(folder);
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const chrome = await launch({
    chromePath: process.env.CHROME_PATH ?? "/usr/bin/chromium",
    ignoreDefaultFlags: true,
    chromeFlags: FLAGS,
});
const failures = [];
try {
    console.log(`Lighthouse: ${CATEGORIES.join(", ")}`);
    for (const page of pages) {
        const url = `http://127.0.0.1:${server.address().port}/${page}`;
        const exempt = EXEMPT[page] ?? { categories: [], audits: [] };
        const wanted = CATEGORIES
            .filter((category) => !exempt.categories.includes(category));
        let results = await measure(url, chrome.port, wanted, exempt.audits);
        for (let tries = 1; tries < TRIES; tries += 1) {
            const [{ category, score, faults }] = results;
            if (category !== "performance" || score === 100) {
                break;
            }
            console.log(`  ${page}: ${category} ${score} (${faults}), again`);
            const [again] = await measure(url, chrome.port, [category], []);
            results = [again, ...results.slice(1)];
        }
        const scores = CATEGORIES.map((name) => {
            const found = results.find(({ category }) => category === name);
            return String(found?.score ?? "-").padStart(3);
        });
        console.log(`${scores.join(" ")}  ${page}`);
        for (const { category, score, faults } of results) {
            if (score !== 100) {
                failures.push(`${page}: ${category} ${score}: ${faults}`);
            }
        }
    }
} finally {
    chrome.kill();
    server.close();
}
for (const failure of failures) {
    console.error(failure);
}
process.exitCode = failures.length > 0 ? 1 : 0;
