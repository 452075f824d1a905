// The Data view: pages of an archive that is dropped in, a limit that moves, the reason of a dropped page, paired runs, files, and
// what a reload restores.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { accessible, byTestId, matches, number, screenshot, until, withPage } from "./harness.mjs";

const NAMES = ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karla", "Leo"];
const THINGS = ["kite", "boat", "drum", "lamp", "coat", "clock", "map", "chair", "spoon", "bell", "rope", "stone"];
const PLACES = ["park", "river", "barn", "market", "school", "harbor", "forest", "station", "garden", "bridge"];

// A story of six sentences; other numbers give other stories.
function story(n) {
  const [name, thing, place] = [NAMES[n % 12], THINGS[(n * 5) % 12], PLACES[(n * 7) % 10]];
  const other = NAMES[(n * 3 + 1) % 12];
  return (
    `On the ${n + 2}th day of the month ${name} took an old ${thing} to the ${place} because it was broken and nobody could use it. ` +
    `${other} was already there and had tools for that kind of work in a small bag. ` +
    `They looked at the ${thing} for a long time, and then ${other} said that number ${n} was written on it. ` +
    `Nobody knew what the number meant, but with a little oil the ${thing} worked again. ` +
    `In the evening ${name} carried the ${thing} home and told the whole family about the ${place}. ` +
    `The next week ${n + 3} other people came to the ${place} with things that they wanted to have repaired.`
  );
}

const menu = "<nav><a href='/a'>Home</a> <a href='/b'>Shop</a> <a href='/c'>Login</a></nav>";
const page = (content) => `<html><head><title>t</title></head><body>${menu}<article><p>${content}</p></article><footer>© 2026</footer></body></html>`;

// 40 stories, one of them twice with a changed word, 8 short pages, 6 pages in German.
function pages() {
  const stories = Array.from({ length: 40 }, (_, n) => [`https://stories.example/${n}`, page(story(n))]);
  const copy = ["https://copy.example/1", page(story(1).replace("whole family", "entire family"))];
  const short = Array.from({ length: 8 }, (_, n) => [`https://short.example/${n}`, page(`The shop number ${n} near the old station is open today and has new goods from many countries. It was closed for a week because its owner had painted every wall. Visitors are welcome until six in the evening.`)]);
  const german = Array.from({ length: 6 }, (_, n) => [
    `https://deutsch.example/${n}`,
    page(`Am ${n + 1}. Tag ging die Familie zum Hafen, weil dort ein neues Schiff lag. Die Kinder wollten es sehen und liefen voraus. Der Kapitän zeigte ihnen alles, auch die Küche und den Maschinenraum. Danach gab es Kuchen, und alle waren zufrieden. Am Abend fuhren sie mit der Bahn wieder nach Hause.`),
  ]);
  return [...stories, copy, ...short, ...german];
}

// A WARC file of gzip members, one per page.
function warc(all) {
  const record = ([url, html]) => {
    const response = `HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${html}`;
    const head = `WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: ${url}\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: ${Buffer.byteLength(response)}\r\n\r\n`;
    return gzipSync(Buffer.from(`${head}${response}\r\n\r\n`));
  };
  return Buffer.concat(all.map(record));
}

async function drop(page, name, bytes) {
  const transfer = await page.evaluateHandle(([name, base64]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    return transfer;
  }, [name, bytes.toString("base64")]);
  await page.locator(".page").dispatchEvent("drop", { dataTransfer: transfer });
}

const done = (page) => page.locator('[data-testid="data-state"][data-state="done"]').waitFor({ timeout: 60_000 });

test("a dropped archive is filtered, explained, trained on, and still there after a reload", async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page, { address, requests }) => {
    assert.ok(!requests.some((url) => url.includes("filter-")), "the module is not loaded before the view opens");
    await byTestId(page, "view-data").click();
    await byTestId(page, "data-first-file").waitFor({ state: "attached" });
    await accessible(page, "no pages");
    await screenshot(page, "data-empty");

    const all = pages();
    await drop(page, "crawl.warc.gz", warc(all));
    await done(page);
    assert.equal(await number(page, "data-pages"), all.length);
    await until("the stories are kept", async () => (await number(page, "data-kept")) === 40);

    // A limit moves, and the counts with it.
    await byTestId(page, "filter-gopher").click();
    await byTestId(page, "data-rule").selectOption("gopher_short_doc");
    await byTestId(page, "data-limit-field").fill("1000");
    await byTestId(page, "data-limit-field").press("Enter");
    await until("nothing is kept", async () => (await number(page, "data-kept")) === 0);
    await byTestId(page, "data-limit").evaluate((slider) => {
      slider.value = slider.min;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await until("the short pages are kept by this rule", async () => (await number(page, "data-dropped")) === 0);
    await byTestId(page, "data-limit-field").fill("52");
    await byTestId(page, "data-limit-field").press("Enter");
    await until("the stories are kept again", async () => (await number(page, "data-kept")) === 40);

    // Why was a page dropped?
    await byTestId(page, "data-search").fill("shop Number 3 near");
    await until("one dropped page is found", async () => (await number(page, "data-total-0")) === 1);
    await byTestId(page, "data-list-0").locator('[data-testid="data-row"]').click();
    await matches(() => byTestId(page, "data-reason").textContent(), /Words, at least: [34]\d, below the limit of 52/);
    await accessible(page, "an open page");
    await page.keyboard.press("Escape");
    await byTestId(page, "data-document").waitFor({ state: "detached" });
    await byTestId(page, "data-search").fill("");
    await matches(() => page.locator(".data-member:not(.kept)").first().textContent(), /entire/);
    await screenshot(page, "data-filtered");

    // Paired runs.
    await byTestId(page, "effect-steps").fill("12");
    await byTestId(page, "effect-steps").press("Enter");
    await byTestId(page, "effect-seeds").fill("1");
    await byTestId(page, "effect-seeds").press("Enter");
    await byTestId(page, "data-train-both").click();
    await byTestId(page, "effect-after").waitFor({ state: "attached", timeout: 60_000 });
    await byTestId(page, "effect-before").waitFor({ state: "attached", timeout: 60_000 });
    const loss = Number(await byTestId(page, "effect-after").getAttribute("data-loss"));
    assert.ok(loss > 1 && loss < 6, `a loss of ${loss}`);
    await accessible(page, "results");

    // Every decision as a file.
    const download = page.waitForEvent("download");
    await byTestId(page, "data-decisions-file").click();
    const lines = (await readFile(await (await download).path(), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.length, all.length);
    assert.equal(lines.filter((line) => line.keep).length, 40);
    assert.equal(lines.find((line) => line.url === "https://copy.example/1").dropped.reason, "duplicate");

    // Everything is there after a reload, from the address and the browser's storage.
    assert.match(page.url(), /filters=/);
    await page.goto(`${address}#view=data`);
    await page.reload();
    await done(page);
    await until("the same pages are kept", async () => (await number(page, "data-kept")) === 40);
    await byTestId(page, "filter-gopher").click();
    await byTestId(page, "data-rule").selectOption("gopher_short_doc");
    assert.equal(await byTestId(page, "data-limit-field").inputValue(), "52");
    assert.equal(Number(await byTestId(page, "effect-after").getAttribute("data-loss")), loss);

    // The kept text becomes the text of the Train view.
    await byTestId(page, "data-train").click();
    await page.locator(".train-tiles").waitFor();
    await matches(() => page.locator(".setup-bar").first().textContent(), /filtered-crawl/);
  });
});
