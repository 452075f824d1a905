// A whole sweep in the page, on the CPU: three budgets of five sizes within ten minutes, all minima bracketed, and a sealed
// prediction whose check run is within 10 % of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, byTestId, matches, number, screenshot, until, waitForState, withPage } from "./harness.mjs";

const MINUTES = 8;

test("a sweep of three budgets and five sizes predicts its check run", { timeout: 1_200_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
    await waitForState(page, "ready");
    await page.evaluate((minutes) => (location.hash = `#view=scale&sweep=minutes:${minutes},budgets:3,sizes:5`), MINUTES);
    const began = Date.now();
    await byTestId(page, "scale-plan").click();
    await byTestId(page, "scale-start").waitFor({ timeout: 60_000 });
    console.log(`planned after ${(Date.now() - began) / 1000} s: ${await byTestId(page, "scale-summary").textContent()}`);
    await byTestId(page, "scale-start").click();
    await until("the sweep has ended", async () => (await byTestId(page, "seal").count()) === 1, 900_000);
    const seconds = (Date.now() - began) / 1000;
    console.log(`${seconds} s: ${await byTestId(page, "fit-facts").textContent()}`);
    assert.ok(seconds < 600, `it took ${seconds} s`);
    assert.equal(await number(page, "scale-bracketed"), 3);
    await screenshot(page, "scale-soak");
    await byTestId(page, "seal").click();
    await matches(() => byTestId(page, "seal-numbers").textContent(), /Held-out loss/);
    await byTestId(page, "check").click();
    await until("the check run has ended", async () => /Checked/.test(await byTestId(page, "seal-state").textContent()), 600_000);
    const steps = await page.locator(".seal-steps li").last().textContent();
    console.log(steps);
    const error = Number(/off by ([+-][\d.]+) %/.exec(steps)[1]);
    assert.ok(Math.abs(error) < 10, steps);
    await accessible(page, "checked");
    await screenshot(page, "scale-soak-checked");
  });
});
