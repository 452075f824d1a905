// The one-click experiments, each from its card to its check, on the CPU.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, byTestId, matches, screenshot, until, waitForState, withPage } from "./harness.mjs";

// Clicks a card, and waits for the result; `during` is repeated meanwhile. Resolves to the result's sentence.
async function run(page, name, during = async () => {}, timeout = 420_000) {
  await byTestId(page, "view-experiments").click();
  await byTestId(page, `experiment-${name}`).click();
  await byTestId(page, "experiment").waitFor();
  const result = byTestId(page, "experiment-result");
  await until(`${name} reaches its check`, async () => {
    await during();
    return (await result.count()) > 0;
  }, timeout);
  const said = await result.textContent();
  console.log(`${name}: ${said}`);
  assert.equal(await result.getAttribute("data-passed"), "true", said);
  return said;
}

test("the gallery lists every experiment, and its filters work", { timeout: 120_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page, { address }) => {
    await waitForState(page, "ready");
    await byTestId(page, "view-experiments").click();
    const cards = page.locator(".card");
    assert.equal(await cards.count(), 12);
    await matches(() => byTestId(page, "experiment-no-mask").textContent(), /about \d+ (s|min)/, "timed for this device");
    await screenshot(page, "experiments-1440x900-light");
    await accessible(page, "the gallery");
    await page.getByRole("button", { name: "Attention", exact: true }).click();
    await until("one section is left", async () => (await cards.count()) === 4);
    await page.getByRole("button", { name: "All", exact: true }).click();
    await page.emulateMedia({ colorScheme: "dark" });
    // Links and buttons change their colors within 120 ms.
    await page.evaluate(() => Promise.allSettled(
      document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished)).then(() => {}));
    await accessible(page, "the gallery, dark");
    await screenshot(page, "experiments-1440x900-dark");
    await page.setViewportSize({ width: 400, height: 860 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
    // The link of a card starts its experiment in a new page.
    const link = await byTestId(page, "experiment-no-mask").getAttribute("href");
    await page.goto(`${address}${link}`);
    await page.reload();
    await waitForState(page, "training");
    await matches(() => byTestId(page, "experiment").textContent(), /without the causal mask/);
  });
});

test("an induction head forms", { timeout: 500_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    assert.match(await run(page, "induction"), /Induction score 0\.[6-9]\d?, above 0\.6, at step \d+/);
    await waitForState(page, "paused");
    await accessible(page, "the result of an experiment");
    await screenshot(page, "experiments-induction");
    // What it took is measured, and stays.
    await byTestId(page, "view-experiments").click();
    await matches(() => byTestId(page, "experiment-induction").locator(".time").textContent(), /^\d+ (s|min)/);
  });
});

test("without the mask the answer leaks", { timeout: 500_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    assert.match(await run(page, "no-mask"), /below 0\.5/);
  });
});

test("without positions and with one head", { timeout: 900_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    assert.match(await run(page, "no-positions"), /with positions .* without/);
    assert.match(await run(page, "one-head"), /one head per layer .* four/);
    assert.match(await run(page, "tied"), /untied .* tied/);
  });
});

test("reversing needs two layers", { timeout: 900_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    assert.match(await run(page, "two-layers", undefined, 800_000), /with one layer, (8|9)\d % with two|100 % with two/);
  });
});

test("a learning rate that is too high, and recovery", { timeout: 500_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    const slower = byTestId(page, "go-on-slower");
    const said = await run(page, "learning-rate", async () => {
      if ((await slower.count()) > 0) await slower.click({ timeout: 2_000 }).catch(() => {});
    });
    assert.match(said, /Recovered: loss \d\.\d+ at step \d+/);
  });
});

test("the user's own text", { timeout: 500_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    // The word before “and” decides the one after it, which no bigram can know.
    const pairs = ["red and blue", "cat and dog", "sun and moon", "salt and pepper", "up and down", "day and night", "hot and cold", "king and queen",
      "left and right", "big and small", "bread and butter", "hand and foot"];
    let seed = 1;
    const drawn = () => pairs[(seed = (seed * 48271) % 2147483647) % pairs.length];
    const buffer = Buffer.from(Array.from({ length: 30_000 }, drawn).join(". "));
    let picked = false;
    const said = await run(page, "your-text", async () => {
      const picker = byTestId(page, "experiment-file");
      if (picked || (await picker.count()) === 0) return;
      picked = true;
      await picker.setInputFiles({ name: "mine.txt", mimeType: "text/plain", buffer });
    });
    assert.match(said, /below the bigram's/);
  });
});

test("a model from a file", { timeout: 500_000 }, async () => {
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    const [file] = await Promise.all([page.waitForEvent("download"), byTestId(page, "export-model").click()]);
    const zip = await file.path();
    const { readFile } = await import("node:fs/promises");
    const buffer = await readFile(zip);
    let picked = false;
    const said = await run(page, "open-model", async () => {
      if (!picked && (await byTestId(page, "experiment-file").count()) > 0) {
        picked = true;
        await byTestId(page, "experiment-file").setInputFiles({ name: "model.zip", mimeType: "application/zip", buffer });
      }
    });
    assert.match(said, /2 layers of 4 heads, 8 in all/);
  });
});
