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
    if (line.startsWith("http")) return { address: line, pid: server.pid, stop: () => server.kill() };
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

// The same with a profile folder, which remembers what pages store.
export function launchProfile(folder) {
  const viewport = { width: 1400, height: 1000 };
  return chromium.launchPersistentContext(folder, {
    executablePath: required("GLASSHEAD_CHROMIUM"),
    args: [...QUIET, ...SOFTWARE_GPU],
    viewport,
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
    reachBeforeActions(page);
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

// Actions for which an element has to be visible.
const ACTIONS = ["click", "dblclick", "hover", "fill", "press", "pressSequentially", "selectOption", "check", "uncheck", "setChecked", "tap", "focus", "blur"];

// Opens what holds an element, as a user would: the drawer, popover or menu, and the groups within it. Closes a drawer that
// covers the element.
export async function reach(locator) {
  const page = locator.page();
  const first = locator.first();
  const place = () => first.evaluate((element) => {
    const [box, overlay] = [element.getBoundingClientRect(), element.closest("[data-overlay]")?.dataset.overlay ?? ""];
    const open = [...document.querySelectorAll("[data-overlay]:not([hidden])")];
    const covers = (one) => {
      const over = one.getBoundingClientRect();
      return over.left < box.right && over.right > box.left && over.top < box.bottom && over.bottom > box.top;
    };
    const opens = element.closest("[data-opens]") !== null;
    const covered = !overlay && !opens && open.some(covers);
    // A summary shows its own details, so that only those around it count.
    const around = element.closest("summary")?.parentElement.parentElement ?? element;
    const closed = around.closest("details:not([open])") !== null;
    return { overlay, open: open.map((one) => one.dataset.overlay), covered, closed };
  }, { timeout: 30_000 });
  for (let tries = 0; tries < 12; tries += 1) {
    const { overlay, open, covered, closed } = await place();
    if (overlay && !open.includes(overlay)) {
      await page.locator(`[data-opens="${overlay}"]`).evaluateAll((all) => (all.find((one) => one.offsetWidth > 0) ?? all[0]).click());
    } else if (covered) {
      const [name] = open;
      await page.locator(`[data-overlay="${name}"] [aria-label="Close"], [data-opens="${name}"]`).first().evaluate((button) => button.click());
    } else if (closed) {
      await first.evaluate((element) => {
        const around = element.closest("summary")?.parentElement.parentElement ?? element;
        around.closest("details:not([open])").querySelector("summary").click();
      });
    } else {
      return;
    }
    await rendered(page);
  }
}

let reaching = false;
function reachBeforeActions(page) {
  const prototype = Object.getPrototypeOf(page.locator("body"));
  if (prototype.reaches) return;
  prototype.reaches = true;
  const waitFor = prototype.waitFor;
  prototype.waitFor = async function (options = {}) {
    if (!reaching && (options.state ?? "visible") === "visible") {
      await waitFor.call(this, { ...options, state: "attached" });
      reaching = true;
      await reach(this).finally(() => (reaching = false));
    }
    return waitFor.call(this, options);
  };
  for (const name of ACTIONS) {
    const action = prototype[name];
    prototype[name] = async function (...args) {
      if (!reaching) {
        reaching = true;
        try {
          if ((await this.count()) > 0) await reach(this);
        } finally {
          reaching = false;
        }
      }
      return action.apply(this, args);
    };
  }
}

export const byTestId = (page, id) => page.locator(`[data-testid="${id}"]`);

// A control of the setup by the name of its field.
export const control = (page, name) => page.locator(`:is(input, select)[name="${name}"]`);

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
  const input = control(page, name);
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
  await settled(page);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`), [], where);
}

// Waits for CSS transitions: in the middle of one, colors are neither the old nor the new.
export async function settled(page) {
  await page.evaluate(() => {
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    return Promise.all(transitions.map((transition) => transition.finished.catch(() => {})));
  });
}

// Saves a screenshot in the folder SCREENSHOTS, if it is set.
export async function screenshot(page, name) {
  if (!process.env.SCREENSHOTS) return;
  await mkdir(process.env.SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}
