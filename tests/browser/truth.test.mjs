// The page shows the truth: settings of the run and of the draft, numbers, names, autosaves of other tabs, and a crashed
// program.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, byTestId, field, matches, number, rendered, screenshot, shows, trainTo, until, waitForState, withPage } from "./harness.mjs";

const input = (page, name) => page.locator(`input[name="${name}"]`);

test("no text in a field stops the page, and what differs from the run is marked", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "parameters").textContent(), /^This run: [\d,]+ parameters · \d+ MiB/);
    for (const [name, text] of [["n_heads", "0"], ["vocab_size", "5"], ["d_model", "many"], ["max_lr", "0,5"], ["context_length", "99999999999999999999"]]) {
      await field(page, name, text);
      await shows(() => input(page, name).inputValue(), text, "what was typed stays in its field");
      await matches(() => byTestId(page, "setup-problems").textContent(), new RegExp(name));
    }
    await screenshot(page, "refused");
    await accessible(page, "with refused entries");
    await shows(() => byTestId(page, "reset").isDisabled(), true);
    await byTestId(page, "discard").click();
    await shows(() => input(page, "n_heads").inputValue(), "4");

    // While another field is invalid, one that applies during training reaches the run.
    await trainTo(page, 10);
    await field(page, "n_layers", "0");
    await field(page, "max_lr", "0.02");
    await field(page, "n_layers", "2");
    await shows(() => byTestId(page, "pending").count(), 0, "shown and run agree");
    await trainTo(page, 40);
    await matches(() => byTestId(page, "loss-readout").textContent(), /step 40 .* Learning rate 0\.02/);

    // A preset and back: the run keeps its own settings, and the difference is marked until it is applied.
    await byTestId(page, "preset").selectOption("tiny");
    await matches(() => byTestId(page, "parameters").textContent(), /^Next run: .*, fewer where the text/);
    await matches(() => byTestId(page, "accounting-summary").textContent(), /Next run/);
    await byTestId(page, "preset").selectOption("nano");
    await shows(() => input(page, "max_lr").inputValue(), "0.01");
    await matches(() => byTestId(page, "mark-max_lr").textContent(), /run: 0\.02/);
    await matches(() => byTestId(page, "pending").textContent(), /Not applied to this run yet: max_lr/);
    await screenshot(page, "pending");
    await accessible(page, "with a marked field");
    await byTestId(page, "apply-to-run").click();
    await shows(() => byTestId(page, "pending").count(), 0);
    await trainTo(page, 60);
    await matches(() => byTestId(page, "loss-readout").textContent(), /step 60 .* Learning rate (0\.01|0\.009\d*) /);

    // Sampling settings also show a reason when they are refused.
    const temperature = page.locator('label:has(span:text-is("Temperature")) input');
    await temperature.fill("0,5");
    await temperature.blur();
    await matches(() => page.locator(".writing .problem").textContent(), /temperature cannot be “0,5”; enter a number with a decimal point/);
    await shows(() => byTestId(page, "generate").isDisabled(), true);
    await temperature.fill("0.5");
    await temperature.blur();
    await shows(() => page.locator(".writing .problem").count(), 0);
  });
});

test("a link with settings that fail opens a page that runs", { timeout: 200_000 }, async () => {
  await withPage({ gpu: false }, async (page, { address }) => {
    await page.goto(`${address}#preset=nano&vocab_size=5`);
    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "banner").allTextContents().then((all) => all.join(" ")), /vocab_size is 5, and has to be at least 257/);
  });
});

test("a panic in the page is shown, and the latest autosave resumed", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false, expected: /panicked|unreachable|no such node/ }, async (page) => {
    await waitForState(page, "ready");
    const name = byTestId(page, "run").locator('input[inputmode="text"]');
    await name.fill("my best");
    await name.blur();
    await field(page, "save_every", "1");
    await trainTo(page, 20);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    const loss = await byTestId(page, "loss").textContent();
    // The program panics when the browser refuses an element.
    await page.evaluate(() => {
      const refuse = () => {
        throw new DOMException("no such node");
      };
      Object.assign(Node.prototype, { insertBefore: refuse, appendChild: refuse });
    });
    await byTestId(page, "help").click();
    await byTestId(page, "crash").waitFor();
    await matches(() => byTestId(page, "crash").textContent(), /error in the program.*latest autosave is my best, step 20.*panicked at/s);
    await screenshot(page, "crash-page");
    await accessible(page, "after a crash");
    await page.getByRole("button", { name: "Reload and resume it" }).click();
    await until("the run is back", async () => (await byTestId(page, "step-count").count()) === 1 && (await number(page, "step-count")) === 20);
    await shows(() => byTestId(page, "loss").textContent(), loss);
    await shows(() => name.first().inputValue(), "my best", "with its name");
    await trainTo(page, 30);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 30/);
    await matches(() => byTestId(page, "copy").first().textContent(), /my best/);
    await page.reload();
    await matches(() => byTestId(page, "offer").textContent(), /my best was saved automatically at step 30/);
  });
});

test("a panic in the worker is shown, and the latest autosave offered", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false, expected: /panicked|unreachable|borrowed/ }, async (page) => {
    await waitForState(page, "ready");
    await field(page, "save_every", "1");
    await trainTo(page, 20);
    await matches(() => byTestId(page, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    // Runs queued tasks at once, while the worker's inbox is in use.
    await page.workers()[0].evaluate(() => void (globalThis.queueMicrotask = (run) => run()));
    await field(page, "stop_steps", "40");
    await waitForState(page, "failed");
    const banner = page.locator('[role="alert"][data-testid="banner"]');
    await matches(() => banner.textContent(), /worker stopped unexpectedly: panicked at .*worker/);
    await matches(() => byTestId(page, "offer").textContent(), /run 1 was saved automatically at step 20/);
    await screenshot(page, "crash-worker");
    await byTestId(page, "reload").click();
    await waitForState(page, "ready");
    await byTestId(page, "resume-offer").click();
    await until("the run is back", async () => (await number(page, "step-count")) === 20);
  });
});

test("autosaves of another tab appear without a reload", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    const [other] = await Promise.all([page.waitForEvent("popup"), page.evaluate(() => void globalThis.open(location.href))]);
    await waitForState(other, "ready");
    await field(other, "save_every", "1");
    await trainTo(other, 20);
    await matches(() => byTestId(other, "kept-by-itself").textContent(), /Saved automatically at step 20/);
    await matches(() => byTestId(page, "copy").first().textContent(), /step 20/);
    await byTestId(other, "delete-kept-copy").click();
    await shows(() => byTestId(page, "copy").count(), 0, "and go");
    await other.close();
  });
});

test("a weight that is kept changes the held-out loss that is shown", { timeout: 400_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await trainTo(page, 20);
    const before = await number(page, "val-loss");
    await page.getByRole("tab", { name: "What if", exact: true }).click();
    const losses = async () => (await byTestId(page, "what-if-loss").locator("td").allTextContents()).map(Number);
    await until("it is compared", async () => (await byTestId(page, "what-if-loss").count()) === 1);
    assert.ok(Math.abs((await losses())[0] - before) < 0.0006, "header and what-if show the same loss");
    await byTestId(page, "edit-weight").click();
    await byTestId(page, "new-weight").fill("1e39");
    await byTestId(page, "new-weight").blur();
    await matches(() => byTestId(page, "what-if").textContent(), /the new weight cannot be 1e39/);
    await byTestId(page, "new-weight").fill("20");
    await byTestId(page, "new-weight").blur();
    await until("the loss differs", async () => Math.abs((await losses())[1] - before) > 0.001);
    const changed = (await losses())[1];
    await byTestId(page, "keep-weight").click();
    await until("the header shows it", async () => Math.abs((await number(page, "val-loss")) - changed) < 0.0006);
    await shows(() => number(page, "step-count"), 20, "at the same step");
    await rendered(page);
  });
});
