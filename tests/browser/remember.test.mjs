// Earlier moments: scrubbed through, compared, taken along as files, and shared as a link.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { byTestId, number, screenshot, until, waitForState, withPage } from "./harness.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

async function accessible(page) {
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
}

// What a click makes the browser save.
async function saved(page, id) {
  const coming = page.waitForEvent("download", { timeout: 60_000 });
  await byTestId(page, id).click();
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

// The lines of a CSV file, which may hold quoted line ends.
function rows(text) {
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const row = rows.at(-1);
    if (text[i] === '"' && quoted && text[i + 1] === '"') row[row.length - 1] += text[++i];
    else if (text[i] === '"') quoted = !quoted;
    else if (text[i] === "," && !quoted) row.push("");
    else if (text[i] === "\n" && !quoted) rows.push([""]);
    else row[row.length - 1] += text[i];
  }
  return rows.slice(1, -1);
}

async function checkWeights(page) {
  const csv = await saved(page, "csv-head");
  assert.match(csv.name, /layer-1.*head-1.*\.csv$/);
  const sums = new Map();
  for (const [, , , query, , , , weight] of rows(csv.bytes.toString())) {
    sums.set(query, (sums.get(query) ?? 0) + Number(weight));
  }
  const n = await byTestId(page, "token-chip").count();
  assert.equal(sums.size, n);
  for (const [query, sum] of sums) assert.ok(Math.abs(sum - 1) < 1e-5, `row ${query} sums to ${sum}`);
  const json = JSON.parse((await saved(page, "json-all")).bytes.toString());
  assert.deepEqual([json.heads.length, json.tokens.length, json.heads[7].weights[n - 1].length], [8, n, n]);
  // The cell that the keyboard reaches shows what the file says.
  await byTestId(page, "large-map").focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
  const shown = /(\d\.\d{3})/.exec(await byTestId(page, "readout").textContent());
  assert.ok(Math.abs(Number(shown[1]) - json.heads[0].weights[2][1]) < 0.003, `${shown[1]} is in the file`);
}

async function checkPictures(page, context, address) {
  const svg = (await saved(page, "save-svg")).bytes.toString();
  assert.ok(!/(href|src)=/.test(svg) && /step \d+ · seed 336/.test(svg), "the file needs nothing else");
  const alone = await context.newPage();
  await alone.goto(address);
  const root = await alone.evaluate((svg) => {
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    return [parsed.documentElement.nodeName, parsed.querySelectorAll("text").length, parsed.querySelectorAll("rect").length];
  }, svg);
  await alone.close();
  assert.equal(root[0], "svg");
  assert.ok(root[1] > 20 && root[2] > 100, `${root}`);
  const png = (await saved(page, "save-png")).bytes;
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.ok(png.readUInt32BE(16) > 700, "two pixels for one");
}

test("goes back through the training, compares, takes along", { timeout: 300_000 }, async () => {
  await withPage({}, async (page, { address }) => {
    await waitForState(page, "ready");
    await page.keyboard.press("Space");
    await until("some moments are there", async () => Number(await byTestId(page, "scrubber").getAttribute("max")) >= 3);
    // While it trains, the first moment is shown and stays.
    await byTestId(page, "scrubber").focus();
    await page.keyboard.press("Home");
    assert.match(await byTestId(page, "moment").textContent(), /step 0, not live/);
    await byTestId(page, "hold").click();
    const steps = await number(page, "step-count");
    await until("training goes on", async () => (await number(page, "step-count")) > steps + 2);
    assert.match(await byTestId(page, "moment").textContent(), /step 0, not live/);
    await page.keyboard.press(">");
    assert.doesNotMatch(await byTestId(page, "moment").textContent(), /step 0,/);
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    await byTestId(page, "live").click();
    assert.equal(await byTestId(page, "moment").textContent(), "live");
    // Step 0 beside now.
    const changes = await byTestId(page, "head-change").allTextContents();
    assert.ok(changes.length === 8 && changes.some((change) => Number(change) > 0.001), `${changes}`);
    await byTestId(page, "map-difference").locator("canvas").hover({ position: { x: 3, y: 60 } });
    assert.match(await byTestId(page, "compare-readout").textContent(), /A \d\.\d{3}, B \d\.\d{3}, B − A [+-]\d\.\d{3}/);
    await byTestId(page, "take-along").locator("summary").click();
    await checkWeights(page);
    await checkPictures(page, page.context(), address);
    const film = await saved(page, "save-film");
    assert.match(film.name, /\.webm$/);
    assert.deepEqual([...film.bytes.subarray(0, 4)], [0x1a, 0x45, 0xdf, 0xa3]);
    assert.match(await byTestId(page, "made").textContent(), /: [2-9]\d* moments|: 1\d+ moments/);
    await screenshot(page, "remember");
    await accessible(page);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 400, height: 900 });
    await screenshot(page, "remember-narrow-dark");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
    await accessible(page);
  });
});

test("a link restores the view in a fresh profile", { timeout: 200_000 }, async () => {
  let link = "";
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await page.keyboard.press("]");
    await page.keyboard.press("}");
    await byTestId(page, "token-chip").nth(3).click();
    await byTestId(page, "share").click();
    link = await byTestId(page, "share-link").inputValue();
    assert.doesNotMatch(link, /Lily/);
    await byTestId(page, "share-text").check();
    assert.match(await byTestId(page, "share-link").inputValue(), /text=Lily/);
    await accessible(page);
  });
  await withPage({ gpu: false }, async (page, { address }) => {
    await page.goto("about:blank");
    await page.goto(`${address}#${link.split("#")[1]}&n_layers=3&nonsense=%ff`);
    await waitForState(page, "ready");
    await until("the head is chosen", async () => (await page.locator('[data-testid="head-map"][data-layer="1"][data-head="1"]').getAttribute("aria-pressed")) === "true");
    assert.equal(await byTestId(page, "token-chip").nth(3).getAttribute("aria-pressed"), "true");
    assert.equal(await byTestId(page, "head-map").count(), 12, "three layers of four heads");
    assert.match((await byTestId(page, "banner").allTextContents()).join(), /“nonsense”, that this page does not know/);
  });
});
