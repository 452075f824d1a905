// The steps of the suite for every engine, written once against the driver's tab. They click, type and read the page as a user
// does, and use nothing that is specific to one engine.

import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shows, until } from "../harness.mjs";

const UNIFORM_LOSS = Math.log(512);

const id = (name) => `[data-testid="${name}"]`;

/** A tab together with what the steps share: reading, pointing, waiting. */
export class Page {
  constructor(tab, home, address) {
    Object.assign(this, { tab, home, address });
  }

  all(name) {
    return this.tab.evaluate((selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent), id(name));
  }

  async text(name) {
    return (await this.all(name))[0] ?? "";
  }

  async number(name) {
    return Number.parseFloat((await this.text(name)).replaceAll(",", ""));
  }

  count(selector) {
    return this.tab.evaluate((selector) => document.querySelectorAll(selector).length, selector);
  }

  /** Opens the drawer or menu that an element is in, and its group; closes one that covers the element. */
  async reach(selector) {
    const next = () => this.tab.evaluate((selector) => {
      const element = document.querySelector(selector);
      if (!element) return undefined;
      const opener = (name) => [...document.querySelectorAll(`[data-opens="${name}"]`)].find((one) => one.offsetWidth > 0);
      const overlay = element.closest("[data-overlay]");
      const box = element.getBoundingClientRect();
      const over = (other) => other.left < box.right && other.right > box.left && other.top < box.bottom && other.bottom > box.top;
      const cover = [...document.querySelectorAll("[data-overlay]:not([hidden])")].find((one) => over(one.getBoundingClientRect()));
      const details = element.closest("details:not([open])");
      let press;
      if (overlay?.hidden) press = opener(overlay.dataset.overlay);
      else if (!overlay && !element.closest("[data-opens]") && cover) press = opener(cover.dataset.overlay);
      else if (details && !element.matches("summary")) press = details.querySelector("summary");
      press?.click();
      return press !== undefined;
    }, selector);
    for (let tries = 0; tries < 5 && (await next()); tries++) await new Promise((done) => setTimeout(done, 200));
  }

  /** Clicks with the pointer, at a fraction of the element's box. */
  async click(selector, [right, down] = [0.5, 0.5]) {
    await this.reach(selector);
    const place = () => this.tab.evaluate((selector, right, down) => {
      const element = document.querySelector(selector);
      if (!element || element.disabled) return undefined;
      element.scrollIntoView({ block: "center" });
      const { left, top, width, height } = element.getBoundingClientRect();
      const at = [left + right * width, top + down * height];
      return element.contains(document.elementFromPoint(...at)) ? at : undefined;
    }, selector, right, down);
    // Content that loads above an element moves it.
    let at;
    await until(`${selector} can be clicked`, async () => {
      const before = await place();
      await new Promise((done) => setTimeout(done, 100));
      at = await place();
      return at && String(at) === String(before);
    });
    await this.tab.clickAt(...at);
  }

  /** Replaces what a field contains, by the keyboard. */
  async fill(selector, text) {
    await this.click(selector);
    await this.tab.evaluate((selector) => document.querySelector(selector).select(), selector);
    await this.tab.type(text);
    await this.tab.press("Enter");
  }

  async state(...states) {
    await until(`the run is ${states.join(" or ")}`, async () => {
      const state = await this.tab.evaluate(() => document.querySelector("[data-run-state]")?.dataset.runState);
      return states.includes(state);
    });
  }

  /** Clicks on a button that saves a file, and returns the file once it is complete. */
  async download(name) {
    const before = new Set(await readdir(this.home.downloads));
    await this.click(id(name));
    let found;
    await until(`${name} has saved a file`, async () => {
      const files = (await readdir(this.home.downloads)).filter((file) => !before.has(file));
      // Chromium begins with a hidden file, and renames it later.
      const partial = files.some((file) => /^\.|\.(part|crdownload|wkdownload)$/.test(file));
      found = files.length > 0 && !partial ? join(this.home.downloads, files[0]) : undefined;
      return found !== undefined && (await readFile(found)).length > 0;
    }, 30_000);
    return { path: found, bytes: await readFile(found) };
  }

  async screenshot(name) {
    const folder = process.env.SCREENSHOTS;
    if (folder) await writeFile(join(folder, `${name}.png`), await this.tab.screenshot());
  }
}

/** The page opens and shows the maps of the untrained model. */
export async function open(page, adapter) {
  await page.tab.goto(page.address);
  await page.state("ready");
  assert.match(await page.text("adapter"), adapter);
  await until("the maps are shown", async () => (await page.count(id("head-map"))) === 8);
}

/** The side of the tile from which the hatching is drawn, in CSS pixels (`.hatched` in train.css). */
const HATCH_TILE = 6;

/** The hatching of masked cells is drawn evenly: its picture repeats with every tile, and each tile has stripes. */
export async function hatching(page) {
  const box = await page.tab.evaluate((selector) => {
    const canvas = document.querySelector(selector);
    canvas.scrollIntoView({ block: "center" });
    const { left, top, width } = canvas.getBoundingClientRect();
    return { left, top, cell: width / canvas.width, width };
  }, `${id("large-map")} canvas.hatched`);
  const picture = Buffer.from(await page.tab.screenshot()).toString("base64");
  const found = await page.tab.evaluate(async (picture, { left, top, cell, width }, tile) => {
    const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const [canvas, scale] = [document.createElement("canvas"), bitmap.width / innerWidth];
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    // Row 0 without cell (0, 0), which is the only one that is not masked, and without the borders of cells.
    const [x, y] = [left + cell + 2, top + 2].map((at) => Math.ceil(at * scale));
    const [w, h] = [left + width - 2, top + cell - 2].map((at) => Math.floor(at * scale)).map((end, i) => end - [x, y][i]);
    const { data } = context.getImageData(x, y, w, h);
    const light = (x, y) => data[4 * (y * w + x)] + data[4 * (y * w + x) + 1] + data[4 * (y * w + x) + 2];
    const [step, values] = [tile * scale, []];
    let uneven = 0;
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        values.push(light(x, y));
        if (x + step < w && Math.abs(light(x, y) - light(x + step, y)) > 12) uneven += 1;
      }
    }
    // Stripes of 45 degrees: as many per tile along a row as the gradient has, one.
    const middle = (Math.min(...values) + Math.max(...values)) / 2;
    const row = Array.from({ length: w }, (_, x) => light(x, 0) < middle);
    const stripes = row.filter((dark, x) => dark !== row[x - 1] && x > 0).length / 2;
    return { w, h, scale, uneven, contrast: Math.max(...values) - Math.min(...values), tiles: w / step, stripes };
  }, picture, box, HATCH_TILE);
  const seen = JSON.stringify(found);
  assert.ok(Number.isInteger(HATCH_TILE * found.scale) && found.tiles > 10 && found.h > 3, `enough to see: ${seen}`);
  assert.ok(found.contrast > 60, `stripes are visible: ${seen}`);
  assert.equal(found.uneven, 0, `every tile is the same: ${seen}`);
  assert.ok(Math.abs(found.stripes - found.tiles) <= 1, `one stripe per tile: ${seen}`);
}

/** Training lowers the loss and pauses on request. */
export async function train(page) {
  await page.click(id("train"));
  await until("the loss is lower", async () => (await page.number("loss")) < UNIFORM_LOSS - 0.5, 240_000);
  assert.ok((await page.number("tokens-per-s")) > 0);
  await page.click(id("train"));
  await page.state("paused");
  assert.ok((await page.number("step-count")) > 5);
  await until("the held-out loss is lower", async () => (await page.number("val-loss")) < UNIFORM_LOSS);
}

/** With activations in f16, the model trains on the same adapter, and its maps are shown. */
export async function half(page, adapter) {
  await page.tab.goto(`${page.address}?f16#preset=nano&activation_storage=f16`);
  await page.state("ready");
  assert.match(await page.text("adapter"), adapter);
  const storage = await page.tab.evaluate(() => document.querySelector('[name="activation_storage"]').value);
  assert.equal(storage, "f16", "the setting of the run");
  assert.deepEqual(await page.all("pending"), [], "nothing waits for a reset");
  await train(page);
}

/** A click on cell (5, 2) of the large map pins its row: weights of the six keys that position 5 attends to. */
export async function pin(page) {
  const n = await page.count(id("token-chip"));
  assert.ok(n > 6, `${n} tokens`);
  await page.click(id("large-map"), [2.5 / n, 5.5 / n]);
  await until("a row is pinned", async () => (await page.count(id("pin"))) === 1);
  const read = () => page.tab.evaluate(() =>
    [...document.querySelectorAll('[data-testid="bars"] .weight')].map((weight) => Number(weight.textContent)));
  await until("its weights are shown", async () => (await read()).length === 6);
  const weights = await read();
  const sum = weights.reduce((sum, weight) => sum + weight, 0);
  assert.ok(Math.abs(sum - 1) < 0.03, `the weights ${weights} sum to ${sum}`);
  const pixels = () => page.tab.evaluate(() => {
    const canvas = document.querySelector('[data-testid="large-map"] canvas');
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return { n: canvas.width, seen: data[3], masked: data[7] };
  });
  // The page paints in a later frame.
  await shows(pixels, { n, seen: 255, masked: 0 }, "cell (0, 0) is painted, and masked cell (0, 1) is not");
}

/** The model writes text. */
export async function write(page) {
  await page.click(id("generate"));
  await until("it has written", async () => (await page.text("generated")).length > 10);
  await until("it has finished", async () => (await page.count(".written")) > 10);
}

/** A step of the lesson is computed, and another after a click. */
export async function lesson(page) {
  await page.click(id("view-lesson"));
  const step = () => page.tab.evaluate(() => {
    const { step, computed } = document.querySelector('[data-testid="lesson"]')?.dataset ?? {};
    return computed === "true" ? step : undefined;
  });
  await until("the first step is computed", async () => (await step()) === "tokens");
  await until("GPT-2's tokens are shown", async () => (await page.text("lesson-decoded")) !== "");
  await page.click(id("lesson-next"));
  await until("the second step is computed", async () => (await step()) === "scores");
  const scores = await page.tab.evaluate(() =>
    [...document.querySelectorAll('[data-matrix="s"] tbody td')].map((cell) => Number(cell.dataset.value)));
  const expected = [0.9544, 1.495, 1.4754, 0.8434, 0.707, 1.0865];
  assert.equal(scores.length, expected.length);
  scores.forEach((score, i) => assert.ok(Math.abs(score - expected[i]) < 1e-4, `${scores}`));
  await page.click(id("view-train"));
  await until("the maps are back", async () => (await page.count(id("large-map"))) === 1);
}

/** Exports the run and a head's weights as files. */
export async function exportFiles(page) {
  const { path, bytes } = await page.download("save");
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))));
  assert.ok("__metadata__" in header, `${Object.keys(header)}`);
  const csv = (await page.download("csv-head")).bytes.toString();
  const n = await page.count(id("token-chip"));
  assert.equal(csv.trim().split("\n").length, 1 + (n * (n + 1)) / 2, "a header, and every cell that is not masked");
  const picture = (await page.download("save-png")).bytes;
  assert.equal(picture.subarray(1, 4).toString(), "PNG");
  return path;
}

/** The run that was saved resumes after a reload, and so does its file. */
export async function resume(page, path) {
  const [step, loss] = [await page.text("step-count"), await page.text("loss")];
  await page.tab.reload();
  await page.state("ready");
  await until("the saved run is offered", async () => (await page.count(id("resume"))) === 1);
  await page.click(id("resume"));
  await until("the step is back", async () => (await page.text("step-count")) === step);
  assert.equal(await page.text("loss"), loss);
  await page.click(id("step"));
  await until("it has trained one more step", async () => (await page.text("step-count")) !== step);
  await page.tab.choose(id("checkpoint-file"), path);
  await until("the file is loaded", async () => (await page.text("step-count")) === step);
  await page.state("paused", "ready");
  await page.click(id("delete-kept"));
  await until("the saved run is deleted", async () => (await page.count(id("kept"))) === 0);
}

/** Without its server the page opens from the browser's cache and trains. */
export async function offline(page, stop) {
  await until("the service worker is in control", () => page.tab.evaluate(() => navigator.serviceWorker.controller !== null));
  await stop();
  await page.tab.reload();
  await page.state("ready");
  await page.click(id("step"));
  await until("a step is done", async () => (await page.number("step-count")) === 1);
}
