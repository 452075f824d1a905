// Parquet files in the page: a valid one trains; a damaged one gives an error message, and the run continues.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byTestId, matches, number, screenshot, shows, until, waitForState, withPage } from "./harness.mjs";
import { parquet } from "./parquet.mjs";

const STORY = "Once upon a time, Tim had a kite. The kite flew over the hill. Tim was happy. ";
const offer = (page, name, buffer) =>
  byTestId(page, "file-input").setInputFiles({ name, mimeType: "application/octet-stream", buffer });

test("trains on Parquet files and outlives damaged ones", { timeout: 300_000 }, async () => {
  const columns = { story: Array(300).fill(STORY.repeat(4)), text: Array(300).fill(STORY) };
  // Chromium reports the panic of the worker that reads the file.
  await withPage({ gpu: false, expected: /unreachable|panicked|parquet/i }, async (page) => {
    await waitForState(page, "ready");
    await byTestId(page, "train").click();
    await waitForState(page, "training");

    const good = parquet(columns);
    const bad = { "cut.parquet": good.subarray(0, good.length - 9), "panics.parquet": parquet(columns, 8) };
    for (const [name, buffer] of Object.entries(bad)) {
      await offer(page, name, buffer);
      await until("it is refused", async () =>
        (await byTestId(page, "file-problem").allTextContents()).some((text) => text.startsWith(name)));
      await matches(() => byTestId(page, "file-problem").textContent(), /[Ww]rite it again/);
      await shows(() => byTestId(page, "corpus-choice").inputValue(), "built-in");
    }
    await screenshot(page, "parquet-problem");
    const step = await number(page, "step-count");
    await until("training goes on", async () => (await number(page, "step-count")) > step);
    await byTestId(page, "train").click();
    await waitForState(page, "paused");

    await offer(page, "good.parquet", good);
    await byTestId(page, "field-choice").waitFor();
    await shows(() => byTestId(page, "file-problem").count(), 0);
    await shows(() => byTestId(page, "field-choice").locator("option").allTextContents(), ["text", "story"]);
    await byTestId(page, "reset").click();
    await until("the run has it", async () => /good\.parquet, [1-4]?\d\.\d kB/.test(await byTestId(page, "corpus").textContent()));
    await waitForState(page, "ready");
    await byTestId(page, "field-choice").selectOption("story");
    await until("it is read again", async () =>
      (await byTestId(page, "field-choice").locator("option").allTextContents()).join() === "story,text");
    await shows(() => byTestId(page, "field-choice").inputValue(), "story");
    await byTestId(page, "reset").click();
    await until("the run has the other column", async () =>
      /good\.parquet, ([5-9]\d|1[0-4]\d)\.\d kB/.test(await byTestId(page, "corpus").textContent()));
    await waitForState(page, "ready");
    await byTestId(page, "step").click();
    await until("a step is done", async () => (await number(page, "loss")) > 1);
    await screenshot(page, "parquet");
  });
});
