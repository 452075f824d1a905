// Chromium without Playwright, over its debugging pipe. Playwright makes every page believe that it is in front, so tests of
// hidden, frozen or discarded tabs need this.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_GPU, QUIET, required, serve } from "./harness.mjs";

// Messages end with a zero byte: to the browser on its descriptor 3, from it on 4.
function line(browser) {
  const [, , , to, from] = browser.stdio;
  const waiting = new Map();
  let rest = Buffer.alloc(0);
  let last = 0;
  from.on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) {
      const { id, result, error } = JSON.parse(rest.subarray(0, end));
      const { done, failed } = waiting.get(id) ?? {};
      waiting.delete(id);
      if (error) failed?.(new Error(error.message));
      else done?.(result);
    }
  });
  return (method, params = {}, sessionId = undefined) =>
    new Promise((done, failed) => {
      waiting.set(++last, { done, failed });
      to.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
}

// Attaches to a tab, or opens one at an address, and returns functions to control it.
async function tab(send, target) {
  const targetId = target.targetId ?? (await send("Target.createTarget", { url: target.url })).targetId;
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const call = (method, params) => send(method, params, sessionId);
  return {
    targetId,
    call,
    leave: () => send("Target.detachFromTarget", { sessionId }),
    front: () => send("Target.activateTarget", { targetId }),
    async evaluate(expression) {
      const question = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
      const { result, exceptionDetails } = await call("Runtime.evaluate", question);
      assert.equal(exceptionDetails?.exception?.description, undefined, expression);
      return result.value;
    },
  };
}

// Serves the page, starts Chromium without a GPU, and passes both to `use`.
export async function withBrowser(use) {
  const server = await serve();
  const profile = await mkdtemp(join(tmpdir(), "glasshead-"));
  // The page that discards tabs is an internal one, which has to be enabled.
  await writeFile(join(profile, "Local State"), JSON.stringify({ internal_only_uis_enabled: true }));
  const args = ["--headless=new", "--remote-debugging-pipe", `--user-data-dir=${profile}`, ...QUIET, ...NO_GPU, "about:blank"];
  const browser = spawn(required("GLASSHEAD_CHROMIUM"), args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const ended = new Promise((done) => browser.on("exit", done));
  const send = line(browser);
  try {
    await use({ address: server.address, send, open: (url) => tab(send, { url }), attach: (targetId) => tab(send, { targetId }) });
  } finally {
    await Promise.race([send("Browser.close"), ended]).catch(() => browser.kill());
    await ended;
    server.stop();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
