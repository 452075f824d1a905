// The page as an app and as a part of other pages: it works offline, reports a newer version, and fits into a frame.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { byTestId, number, required, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";

test("works without a server after the first visit, and tells of a newer version", { timeout: 200_000 }, async () => {
  // A copy, because the test changes its service worker.
  const built = required("GLASSHEAD_DIST");
  const dist = await mkdtemp(join(tmpdir(), "glasshead-"));
  try {
    await cp(built, dist, { recursive: true });
    process.env.GLASSHEAD_DIST = dist;
    await withPage({ gpu: false, serviceWorkers: "allow", expected: /ERR_CONNECTION_REFUSED/ }, async (page, { stop }) => {
      await waitForState(page, "ready");
      await until("it is kept", () => page.evaluate(() => navigator.serviceWorker.controller !== null));
      const manifest = await page.evaluate(async () => (await fetch(document.querySelector("[rel=manifest]").href)).json());
      assert.equal(manifest.display, "standalone");
      for (const { src, sizes, purpose, type } of manifest.icons) {
        // Decoded by the browser, as an installer would.
        const size = await page.evaluate(async (src) => {
          const icon = new Image();
          icon.src = src;
          await icon.decode();
          return `${icon.naturalWidth}x${icon.naturalHeight}`;
        }, src);
        assert.ok(type === "image/svg+xml" || size === sizes, `${purpose}: ${size}`);
      }
      const offered = manifest.icons.map(({ sizes, purpose }) => `${purpose} ${sizes}`);
      assert.deepEqual(offered, ["any any", "any 192x192", "any 512x512", "maskable 512x512"]);
      assert.equal(await page.locator(".update").count(), 0);

      const script = await readFile(join(dist, "sw.js"), "utf8");
      await writeFile(join(dist, "sw.js"), script.replace(/const VERSION = "[0-9a-f]+"/, 'const VERSION = "another"'));
      await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
      await page.locator(".update").waitFor();
      await screenshot(page, "app-update");

      stop();
      await page.locator(".update button").click();
      await page.locator(".update").waitFor({ state: "detached" });
      await waitForState(page, "ready");
      await byTestId(page, "step").click();
      await shows(() => number(page, "step-count"), 1);
    });
  } finally {
    process.env.GLASSHEAD_DIST = built;
    await rm(dist, { recursive: true });
  }
});

test("fits into a frame and shows there what the link says", { timeout: 120_000 }, async () => {
  await withPage({ gpu: false }, async (page, { address }) => {
    const link = `${address}#view=train&preset=nano&layer=2&head=3&text=The%20cat%20sat.`;
    // Another site's page, with its own policy.
    const body = `<!doctype html><h1>A lesson</h1><iframe id="frame" title="Glasshead" style="width:100%;height:50px;border:0"
      src="${link}&hide=title,setup,saved,writing,costs"></iframe>`;
    await page.route("**/lesson.html", (route) => route.fulfill({ contentType: "text/html", body }));
    await page.goto(`${address}lesson.html`);
    await page.evaluate(() => {
      const frame = document.getElementById("frame");
      addEventListener("message", ({ source, data }) => {
        if (source === frame.contentWindow && data?.glasshead) frame.style.height = `${data.glasshead.height}px`;
      });
    });
    const frame = page.frameLocator("#frame");
    await frame.locator('[data-run-state="ready"]').waitFor({ timeout: 60_000 });
    await frame.locator('[data-testid="head-map"]').first().waitFor();
    const fits = () =>
      page.evaluate(() => {
        const { contentDocument: inner, clientHeight } = document.getElementById("frame");
        return clientHeight > 400 && Math.abs(inner.getElementById("app").getBoundingClientRect().height - clientHeight) <= 1;
      });
    await until("the frame fits", fits, 20_000);
    const part = (name) => `[data-part~="${name}"]`;
    for (const hidden of ["title", "setup", "saved", "writing", "costs"].map(part))
      assert.deepEqual(await frame.locator(`.page ${hidden}:visible`).count(), 0, hidden);
    for (const visible of ["controls", "attention", "detail", "loss"].map(part))
      assert.ok(await frame.locator(`.page ${visible}`).first().isVisible(), visible);
    await screenshot(page, "app-frame");
    // Another link shows and hides other parts, and the frame is resized again.
    await page.evaluate((link) => (document.getElementById("frame").contentWindow.location = link), `${link}&hide=attention,loss`);
    await frame.locator(part("setup")).first().waitFor();
    await frame.locator(part("attention")).first().waitFor({ state: "hidden" });
    await until("the frame fits", fits, 20_000);
  });
});
