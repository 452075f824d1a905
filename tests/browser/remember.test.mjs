// The timeline: earlier snapshots are selected, compared, exported to files, and shared as a link.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, byTestId, matches, number, rendered, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";

// The file that the browser saves after a click.
async function saved(page, id) {
  const coming = page.waitForEvent("download", { timeout: 60_000 });
  await byTestId(page, id).click();
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

// The rows of a CSV file, which may contain quoted line ends.
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
  // The cell focused by keyboard shows the file's value.
  await byTestId(page, "large-map").focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
  await until("it is the file's", async () => {
    const shown = /(\d\.\d{3})/.exec(await byTestId(page, "readout").textContent());
    return Math.abs(Number(shown?.[1]) - json.heads[0].weights[2][1]) < 0.003;
  });
}

// The SVG matches the screen, and opens on its own.
async function checkPictures(page, browser, address) {
  await byTestId(page, "gamma").fill("0.5");
  await byTestId(page, "values").selectOption({ index: 1 });
  const svg = (await saved(page, "save-svg")).bytes.toString();
  assert.ok(!/(href|src)=/.test(svg) && /step \d+ · seed 336/.test(svg), "the file needs nothing else");
  assert.match(svg, /each row's maximum.*gamma 0\.50/);
  const alone = await browser.newPage();
  await alone.goto(address);
  const root = await alone.evaluate((svg) => {
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    const rects = [...parsed.querySelectorAll("rect")];
    const cells = rects.slice(rects.findIndex((rect) => rect.getAttribute("fill") === "url(#masked)") + 1);
    const fills = cells.map((rect) => rect.getAttribute("fill"));
    return [parsed.documentElement.nodeName, parsed.querySelectorAll("text").length, fills];
  }, svg);
  await alone.close();
  assert.equal(root[0], "svg");
  assert.ok(root[1] > 20, `${root[1]} labels`);
  const shown = await page.evaluate(() => {
    const canvas = document.querySelector('[data-testid="large-map"] canvas');
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const hex = (at) => `#${[...data.slice(at, at + 3)].map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
    return Array.from({ length: data.length / 4 }, (_, i) => 4 * i).filter((at) => data[at + 3] > 0).map(hex);
  });
  assert.deepEqual(root[2].slice(0, shown.length), shown, "every cell has the colour of the screen");
  const png = (await saved(page, "save-png")).bytes;
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.ok(png.readUInt32BE(16) > 700, "two pixels for one");
}

// Exports earlier snapshots as numbers.
async function checkMoments(page, moments) {
  await byTestId(page, "scrubber").focus();
  await page.keyboard.press("Home");
  const first = rows((await saved(page, "csv-head")).bytes.toString());
  const n = await byTestId(page, "token-chip").count();
  assert.equal(first.length, (n * (n + 1)) / 2);
  assert.ok(first.every(([step, , , , , , , weight]) => step === "0" && /^[01](\.\d{1,3})?$/.test(weight) && Math.abs(weight * 255 - Math.round(weight * 255)) < 0.13));
  await byTestId(page, "live").click();
  const all = rows((await saved(page, "csv-moments")).bytes.toString());
  assert.equal(new Set(all.map(([step]) => step)).size, moments);
  const json = JSON.parse((await saved(page, "json-moments")).bytes.toString());
  assert.deepEqual([json.length, json[0].step, json[0].precision], [moments, 0, "0.002"]);
}

async function checkFilms(page, moments) {
  // Played in the page, the film starts at the first snapshot and ends with the present.
  await byTestId(page, "film").click();
  await until("it begins", async () => /step 0, not live/.test(await byTestId(page, "moment").textContent()));
  await until("it ends", async () => (await byTestId(page, "moment").textContent()) === "Live");
  await byTestId(page, "save-film").click();
  await byTestId(page, "cancel-film").dispatchEvent("click");
  await until("it is given up", async () => /canceled/.test(await byTestId(page, "made").textContent()));
  const gif = await saved(page, "save-gif");
  assert.match(gif.name, /\.gif$/);
  const frames = await page.evaluate(async (bytes) => {
    const decoder = new ImageDecoder({ data: new Uint8Array(bytes), type: "image/gif" });
    await decoder.tracks.ready;
    const last = await decoder.decode({ frameIndex: decoder.tracks.selectedTrack.frameCount - 1 });
    const found = [decoder.tracks.selectedTrack.frameCount, last.image.codedWidth > 300];
    last.image.close();
    decoder.close();
    return found;
  }, [...gif.bytes]);
  assert.deepEqual(frames, [moments, true]);
  const film = await saved(page, "save-film");
  assert.match(film.name, /\.webm$/);
  assert.deepEqual([...film.bytes.subarray(0, 4)], [0x1a, 0x45, 0xdf, 0xa3]);
  await matches(() => byTestId(page, "made").textContent(), new RegExp(`: ${moments} moments`));
  assert.equal(await byTestId(page, "status-line").textContent(), await byTestId(page, "made").textContent());
}

// The CPU reference, given the same checkpoint and sentence, reproduces the numbers in the GPU's file.
async function checkAgainstReference(checkpoint, csv) {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    const file = { name: "checkpoint.safetensors", mimeType: "application/octet-stream", buffer: checkpoint };
    await byTestId(page, "checkpoint-file").setInputFiles(file);
    await until("it is loaded", async () => (await number(page, "step-count")) > 0);
    await waitForState(page, ["ready", "paused"]);
    await byTestId(page, "take-along").waitFor();
    const [ours, theirs] = [csv, (await saved(page, "csv-all")).bytes].map((bytes) => rows(bytes.toString()));
    assert.equal(ours.length, theirs.length);
    let most = 0;
    for (const [i, row] of ours.entries()) {
      assert.deepEqual(row.slice(0, 7), theirs[i].slice(0, 7));
      most = Math.max(most, Math.abs(row[7] - theirs[i][7]));
    }
    assert.ok(most < 1e-5, `the weights differ by ${most}`);
  });
}

test("goes back through the training, compares, takes along", { timeout: 300_000 }, async () => {
  let checkpoint, csv;
  await withPage({}, async (page, { address }) => {
    await waitForState(page, "ready");
    await page.keyboard.press("Space");
    await until("some moments are there", async () => Number(await byTestId(page, "scrubber").getAttribute("max")) >= 3);
    // During training, the first snapshot is shown and stays selected.
    await byTestId(page, "scrubber").focus();
    await page.keyboard.press("Home");
    await matches(() => byTestId(page, "moment").textContent(), /step 0, not live/);
    await byTestId(page, "hold").click();
    const steps = await number(page, "step-count");
    await until("training goes on", async () => (await number(page, "step-count")) > steps + 2);
    await matches(() => byTestId(page, "moment").textContent(), /step 0, not live/);
    await page.keyboard.press(">");
    await until("the next moment is shown", async () => !/step 0,/.test(await byTestId(page, "moment").textContent()));
    await byTestId(page, "train").click();
    await waitForState(page, "paused");
    await byTestId(page, "live").click();
    await shows(() => byTestId(page, "moment").textContent(), "Live");
    // Step 0 next to the latest.
    await rendered(page);
    const changes = await byTestId(page, "head-change").allTextContents();
    assert.ok(changes.length === 8 && changes.some((change) => Number(change) > 0.001), `${changes}`);
    await byTestId(page, "map-difference").locator("canvas").hover({ position: { x: 3, y: 60 } });
    await matches(() => byTestId(page, "compare-readout").textContent(), /A \d\.\d{3}, B \d\.\d{3}, B − A [+-]\d\.\d{3}/);
    await byTestId(page, "let-go").click();
    await byTestId(page, "take-along").waitFor();
    await checkWeights(page);
    checkpoint = (await saved(page, "save")).bytes;
    csv = (await saved(page, "csv-all")).bytes;
    await checkPictures(page, page.context().browser(), address);
    const moments = 1 + Number(await byTestId(page, "scrubber").getAttribute("max"));
    await checkMoments(page, moments);
    await checkFilms(page, moments);
    await page.evaluate(() => delete window.MediaRecorder);
    await page.keyboard.press("m");
    await until("where nothing records, the GIF stays", async () => (await byTestId(page, "save-film").count()) === 0);
    assert.ok(await byTestId(page, "save-gif").isEnabled());
    await screenshot(page, "remember");
    await accessible(page);
    // Two runs side by side.
    await byTestId(page, "scrubber").focus();
    await page.keyboard.press("Home");
    await matches(() => byTestId(page, "moment").textContent(), /step 0, not live/);
    await byTestId(page, "hold").click();
    await byTestId(page, "reset").click();
    await until("the other run is there", async () => /A: Run 1, step 0/.test(await byTestId(page, "map-a").textContent()) &&
      /B: Run 2, step 0/.test(await byTestId(page, "map-b").textContent()));
    await byTestId(page, "take-along").waitFor();
    await byTestId(page, "figure").selectOption("difference");
    await rendered(page);
    const both = (await saved(page, "save-svg")).bytes.toString();
    assert.match(both, /B − A.*A: run 1 step 0 seed 336 · B: run 2 step 0 seed 336/);
    await matches(() => byTestId(page, "difference-legend").textContent(), /change of the softmax weight, B − A/);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 400, height: 900 });
    await screenshot(page, "remember-narrow-dark");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
    await accessible(page);
  });
  await checkAgainstReference(checkpoint, csv);
});

// The values shown after a link was restored.
async function restored(page) {
  const value = (id) => byTestId(page, id).inputValue();
  const [head, pinned] = [page.locator(".head.selected"), byTestId(page, "token-chip")];
  return {
    head: await head.getAttribute("aria-label").then((label) => label.split(",").slice(0, 2).join()),
    pinned: await pinned.evaluateAll((chips) => chips.flatMap((chip, i) => (chip.ariaPressed === "true" ? [i] : []))),
    look: await Promise.all(["gamma", "threshold", "colors", "values"].map(value)),
    setup: await Promise.all(["seed", "n_layers", "max_lr"].map((name) => page.locator(`input[name="${name}"]`).inputValue())),
    heads: await byTestId(page, "head-map").count(),
  };
}

test("a link is copied, opens in a fresh profile and in an open page", { timeout: 300_000 }, async () => {
  let link = "";
  let shown;
  await withPage({ gpu: false }, async (page) => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await waitForState(page, "ready");
    for (const [name, value] of [["seed", "99"], ["n_layers", "3"], ["max_lr", "0.005"]]) {
      await page.locator(`input[name="${name}"]`).fill(value);
      await page.locator(`input[name="${name}"]`).press("Enter");
    }
    await byTestId(page, "reset").click();
    await until("three layers are there", async () => (await byTestId(page, "head-map").count()) === 12);
    await page.locator("h1").click();
    await page.keyboard.press("]");
    await page.keyboard.press("}");
    await byTestId(page, "token-chip").nth(3).click();
    await byTestId(page, "token-chip").nth(6).click({ modifiers: ["Shift"] });
    await byTestId(page, "gamma").fill("0.5");
    await byTestId(page, "threshold").fill("0.1");
    await byTestId(page, "colors").selectOption("magma");
    await byTestId(page, "values").selectOption({ index: 1 });
    await rendered(page);
    shown = await restored(page);
    await byTestId(page, "share").click();
    await byTestId(page, "share-copy").click();
    await until("it says so", async () => /Copied/.test(await byTestId(page, "share-said").textContent()));
    link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, await byTestId(page, "share-link").inputValue());
    assert.doesNotMatch(link, /Lily/);
    await byTestId(page, "share-text").check();
    await matches(() => byTestId(page, "share-link").inputValue(), /text=Lily/);
    await screenshot(page, "share");
    await accessible(page);
    // Without a clipboard the link is selected.
    await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
    await byTestId(page, "share-copy").click();
    await until("it is selected", async () => /is selected/.test(await byTestId(page, "share-said").textContent()));
    await matches(() => page.evaluate(() => getSelection().toString()), /preset=nano.*text=Lily/);
  });
  await withPage({ gpu: false }, async (page, { address }) => {
    await page.goto("about:blank");
    const hash = link.split("#")[1];
    await page.goto(`${address}#${hash}&nonsense=%ff`);
    await waitForState(page, "ready");
    await until("the maps are there", async () => (await byTestId(page, "head-map").count()) === 12);
    await until("the head is chosen", async () => (await page.locator(".head.selected").getAttribute("data-layer")) === "1");
    await shows(() => restored(page), shown);
    await matches(async () => (await byTestId(page, "banner").allTextContents()).join(), /“nonsense”, that this page does not know/);
    // A link pasted into the open page starts at once if no training would be lost.
    const paste = (hash) => page.evaluate((hash) => { location.hash = hash; }, hash);
    await paste("view=train&preset=nano&task=reverse&layer=2&head=max");
    await until("the task is there", async () => /abfzqk/.test(await byTestId(page, "probe-input").inputValue()));
    await until("its maps are there", async () => (await byTestId(page, "max-map").nth(1).getAttribute("aria-pressed").catch(() => "")) === "true");
    await shows(() => byTestId(page, "head-map").count(), 8);
    await byTestId(page, "step").click();
    await waitForState(page, "paused");
    // A run that has trained continues; settings that need a new run go into the draft, and the rest applies at once.
    await paste("view=train&preset=nano&n_layers=1&colors=grey");
    await until("it says so", async () => /They stand in the setup/.test((await byTestId(page, "banner").allTextContents()).join()));
    await shows(() => byTestId(page, "colors").inputValue(), "grey");
    await shows(() => byTestId(page, "head-map").count(), 8);
    await byTestId(page, "reset").click();
    await until("one layer is there", async () => (await byTestId(page, "head-map").count()) === 4);
    // Switching to another view keeps this view's entries in the address.
    await byTestId(page, "view-lesson").click();
    await byTestId(page, "lesson").waitFor();
    await matches(() => page.evaluate(() => location.hash), /view=lesson.*preset=nano&n_layers=1/);
    await byTestId(page, "view-train").click();
    await until("the heads are back", async () => await byTestId(page, "large-map").isVisible());
    await shows(() => byTestId(page, "head-map").count(), 4, "the run goes on");
  });
});
