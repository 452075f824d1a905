// WebKitGTK: its MiniBrowser in Xvfb, driven by WebKitWebDriver over plain HTTP.

import { spawn } from "node:child_process";
import { createServer } from "node:net";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

// Key names in WebDriver's private-use code points.
const KEYS = { Enter: "\uE007", Escape: "\uE00C" };

const START_MS = 20_000;

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

// Starts an X server on a display number of its own choice, and returns the display.
function xvfb(home, { width, height }) {
  const screen = `${width}x${height}x24`;
  const args = ["-displayfd", "3", "-screen", "0", screen, "-nolisten", "tcp"];
  const stdio = ["ignore", "ignore", "ignore", "pipe"];
  const server = home.add(spawn("Xvfb", args, { env: home.env, detached: true, stdio }));
  return new Promise((done, failed) => {
    server.on("error", failed);
    server.on("exit", (code) => failed(new Error(`Xvfb ended with ${code}`)));
    server.stdio[3].once("data", (data) => done(`:${String(data).trim()}`));
  });
}

// One WebDriver request; returns its value.
async function request(address, method, path, body) {
  const text = method === "POST" ? JSON.stringify(body ?? {}) : undefined;
  const response = await fetch(address + path, { method, body: text, signal: AbortSignal.timeout(60_000) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
  return value;
}

// Runs in the page after each load, because WebDriver has no access to the console: collects what goes wrong.
const WATCH = `() => {
  if (globalThis.complaints) return;
  globalThis.complaints = [];
  const error = console.error;
  console.error = (...parts) => (complaints.push(parts.join(" ")), error.apply(console, parts));
  addEventListener("error", (event) => complaints.push(String(event.message)));
  addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
}`;

// Runs in the page: calls the function `code` and passes its result, or its exception, to WebDriver's callback.
const CALL = `
  const done = arguments[arguments.length - 1];
  Promise.resolve().then(() => (CODE)(...arguments[0])).then(
    (value) => done({ value: value === undefined ? null : value }),
    (error) => done({ error: String(error && error.stack || error) }),
  );`;

/** Starts a browser in `home` and returns its tab. */
export async function launch(home, { viewport }) {
  const DISPLAY = await xvfb(home, viewport);
  const port = await freePort();
  const env = { ...home.env, DISPLAY, GDK_BACKEND: "x11", GSETTINGS_BACKEND: "memory" };
  home.add(spawn("WebKitWebDriver", [`--port=${port}`], { env, detached: true, stdio: "ignore" }));
  const address = `http://127.0.0.1:${port}`;
  const end = Date.now() + START_MS;
  while (!(await request(address, "GET", "/status").then(() => true, () => false))) {
    if (Date.now() > end) throw new Error("WebKitWebDriver does not answer");
    await new Promise((done) => setTimeout(done, 100));
  }
  const { sessionId } = await request(address, "POST", "/session", { capabilities: {} });
  const send = (method, path, body) => request(address, method, `/session/${sessionId}${path}`, body);
  home.quit = () => send("DELETE", "");
  await send("POST", "/timeouts", { script: 60_000, pageLoad: 60_000 });
  await send("POST", "/window/rect", { x: 0, y: 0, ...viewport });
  const act = (action) => send("POST", "/actions", { actions: [action] });
  const keys = (list) => {
    const actions = list.flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }]);
    return act({ type: "key", id: "keyboard", actions });
  };
  const evaluate = async (code, ...values) => {
    const script = CALL.replace("CODE", () => String(code));
    const { value, error } = await send("POST", "/execute/async", { script, args: [values] });
    if (error) throw new Error(error);
    return value;
  };
  const earlier = [];
  const complaints = async () => [...earlier, ...(await evaluate("() => globalThis.complaints ?? []"))];
  return {
    complaints,
    evaluate,
    async goto(url) {
      await send("POST", "/url", { url });
      await evaluate(WATCH);
    },
    async reload() {
      earlier.splice(0, Infinity, ...(await complaints()));
      await send("POST", "/refresh");
      await evaluate(WATCH);
    },
    clickAt(x, y) {
      const move = { type: "pointerMove", duration: 0, origin: "viewport", x: Math.round(x), y: Math.round(y) };
      const actions = [move, { type: "pointerDown", button: 0 }, { type: "pointerUp", button: 0 }];
      return act({ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions });
    },
    type: (text) => keys([...text]),
    press: (key) => keys([KEYS[key] ?? key]),
    async choose(selector, path) {
      const element = await send("POST", "/element", { using: "css selector", value: selector });
      await send("POST", `/element/${element[ELEMENT]}/value`, { text: path });
    },
    screenshot: async () => Buffer.from(await send("GET", "/screenshot"), "base64"),
  };
}
