// Serves the built page and opens it in Chromium. Every test asserts that the console has no errors.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
export const NO_GPU = ["--disable-features=WebGPU,WebGPUService", "--disable-gpu", "--disable-software-rasterizer"];
export const QUIET = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function required(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set; run these tests with \`cargo xtask test --browser\``);
  return value;
}

// Starts the file server and resolves to its address and a function that stops it.
export async function serve() {
  const args = ["serve", "--dist", required("GLASSHEAD_DIST"), "--port", "0"];
  const server = spawn(required("GLASSHEAD_XTASK"), args, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    if (line.startsWith("http")) return { address: line, stop: () => server.kill() };
  }
  throw new Error("the server did not start");
}

// Chromium, with an emulated GPU or without a GPU.
export function launch({ gpu, flags = [] }) {
  return chromium.launch({
    executablePath: required("GLASSHEAD_CHROMIUM"),
    args: [...QUIET, ...(gpu ? SOFTWARE_GPU : NO_GPU), ...flags],
  });
}

// Opens the page, passes it to `use`, and checks that the console has no errors except `expected` ones: Chromium itself reports
// every request that fails. Playwright cannot see requests that service workers serve, so they are only enabled in their own
// test.
export async function withPage(
  { gpu = true, flags = [], viewport = { width: 1400, height: 1000 }, colorScheme = "light", serviceWorkers = "block", expected = /^$/ },
  use,
) {
  const server = await serve();
  const browser = await launch({ gpu, flags });
  const complaints = [];
  const requests = [];
  try {
    const page = await browser.newPage({ viewport, colorScheme, serviceWorkers });
    openOverlays(page);
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(server.address);
    await use(page, { address: server.address, requests, stop: server.stop });
    // Chromium itself warns once when WebGPU runs on an emulated adapter or on none.
    const ours = complaints.filter((text) => !/WebGPU|adapter/i.test(text) && !expected.test(text));
    assert.deepEqual(ours, []);
  } finally {
    await browser.close();
    server.stop();
  }
}

// The overlay (a drawer or a menu) that an element is in, by the beginning of its test id; a closing quote ends the whole id.
const HOMES = {
  settings: ["preset\"", "corpus\"", "corpus-choice", "file-input", "file-reading", "file-problem", "field-choice", "hub-", "chosen-vocabulary",
    "task-description", "backend", "workers\"", "lr-", "setup-problems", "discard", "pending", "reset-to-apply", "apply-to-run", "undo-changes", "mark-",
    "accounting", "group-", "settings-search"],
  runs: ["save\"", "save-message", "checkpoint-file", "kept", "copy\"", "resume\"", "resume-copy", "delete-kept", "export-", "with-state", "model-files",
    "model-folder", "runs\"", "run\"", "compare-settings", "stay-awake"],
  display: ["colors", "values", "gamma", "threshold", "hatch"],
  save: ["take-along", "figure", "save-png", "save-svg", "csv-", "json-", "save-film", "save-gif", "cancel-film", "made"],
  share: ["share-"],
  heads: ["entropy-unit"],
};

function homeOf(selector) {
  const id = /data-testid="([^"]*)"/.exec(selector)?.[1];
  if (id) {
    const is = (known) => (known.endsWith('"') ? id === known.slice(0, -1) : id.startsWith(known));
    return Object.keys(HOMES).find((name) => HOMES[name].some(is));
  }
  if (/(input|select)\[name=/.test(selector)) return "settings";
  return /\.ask input/.test(selector) ? "sampling" : undefined;
}

const opener = (page, name) => page.locator(`[data-opens="${name}"]`).first();

// Opens the overlay that an element is in, and its group, as a user would; closes an overlay that covers the element.
async function reveal(locator) {
  const page = locator.page();
  const home = homeOf(String(locator));
  const open = await page.evaluate(() => [...document.querySelectorAll("[data-overlay]:not([hidden])")].map(({ dataset }) => dataset.overlay));
  if (home) {
    if (!open.includes(home)) {
      if ((await opener(page, home).count()) === 0) return;
      await opener(page, home).evaluate((button) => button.click());
      await page.locator(`[data-overlay="${home}"]:not([hidden])`).waitFor({ timeout: 5000 }).catch(() => {});
    }
    const group = locator.first().locator("xpath=ancestor::details[not(@open)][1]/summary");
    if (await group.count()) await group.evaluate((summary) => summary.click());
    return;
  }
  if (open.length === 0) return;
  const covered = await locator.first().evaluate((element) => {
    if (element.closest("[data-overlay], [data-opens]")) return false;
    const box = element.getBoundingClientRect();
    const over = (other) => other.left < box.right && other.right > box.left && other.top < box.bottom && other.bottom > box.top;
    return [...document.querySelectorAll("[data-overlay]:not([hidden])")].some((overlay) => over(overlay.getBoundingClientRect()));
  }, undefined, { timeout: 2000 }).catch(() => false);
  if (covered) await opener(page, open[0]).evaluate((button) => button.click());
}

// What a user does with an element, and what a user can only read while it is in view.
const USES = ["click", "fill", "press", "selectOption", "setInputFiles", "check", "uncheck", "setChecked", "hover", "focus", "blur", "tap", "pressSequentially"];
const READS = ["waitFor", "textContent", "allTextContents", "inputValue", "isVisible", "isDisabled"];

// From now on, using an element of this page first opens the overlay that it is in.
function openOverlays(page) {
  const prototype = Object.getPrototypeOf(page.locator("body"));
  if (prototype.opensOverlays) return;
  prototype.opensOverlays = true;
  let revealing = false;
  for (const name of [...USES, ...READS]) {
    const use = prototype[name];
    prototype[name] = async function (...args) {
      if (!revealing && (USES.includes(name) || homeOf(String(this)))) {
        revealing = true;
        await reveal(this).catch(() => {}).finally(() => (revealing = false));
      }
      return use.apply(this, args);
    };
  }
}

export const byTestId = (page, id) => page.locator(`[data-testid="${id}"]`);

export async function waitForState(page, states, timeout = 120_000) {
  const list = [states].flat().map((state) => `[data-run-state="${state}"]`);
  await page.locator(list.join(",")).waitFor({ timeout });
}

// A number shown on the page; NaN if none is shown.
export async function number(page, id) {
  const text = await byTestId(page, id).textContent();
  return Number.parseFloat(text.replaceAll(",", ""));
}

export async function until(what, check, timeout = 120_000) {
  const end = Date.now() + timeout;
  while (Date.now() < end) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.fail(`timed out waiting until ${what}`);
}

// Repeats `read` until `check` accepts its result; throws the last failure. The page renders after an event, not within it (and
// later still when the machine is busy).
async function eventually(read, check, timeout = 20_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await read();
    try {
      check(value);
      return value;
    } catch (refusal) {
      if (Date.now() > end) throw refusal;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Asserts that the page eventually shows the expected value.
export const shows = (read, expected, message) =>
  eventually(read, (value) => assert.deepEqual(value, expected, message));
export const matches = (read, pattern, message) =>
  eventually(read, (value) => assert.match(value, pattern, message));

// Enters a value into a field of the setup.
export async function field(page, name, value) {
  const input = page.locator(`input[name="${name}"]`);
  await input.fill(String(value));
  await input.press("Enter");
  await input.blur();
}

// Trains until a stop rule pauses at `steps`.
export async function trainTo(page, steps) {
  await field(page, "stop_steps", steps);
  await byTestId(page, "train").click();
  await byTestId(page, "stopped").waitFor({ timeout: 240_000 });
  await waitForState(page, "paused");
  await shows(() => number(page, "step-count"), steps);
}

// Waits until all requested changes have been rendered.
export const rendered = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20))));

// Loads axe-core into the page, bypassing its Content-Security-Policy, which forbids third-party scripts.
export async function addAxe(page) {
  const script = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(await readFile(script, "utf8"));
}

// Asserts that axe-core finds nothing; `where` describes the page's state.
export async function accessible(page, where) {
  await addAxe(page);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`), [], where);
}

// Saves a screenshot in the folder SCREENSHOTS, if it is set.
export async function screenshot(page, name) {
  if (!process.env.SCREENSHOTS) return;
  await mkdir(process.env.SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}
