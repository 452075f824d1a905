// A run that an earlier version of the page stored in the browser is still listed, and resumes.

import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { byTestId, matches, number, shows, trainTo, waitForState, withPage } from "./harness.mjs";

test("a run that version 0.1 stored resumes", { timeout: 300_000 }, async () => {
  const bytes = await readFile(new URL("../fixtures/0.1/kept-run", import.meta.url));
  await withPage({ gpu: false }, async (page) => {
    await waitForState(page, "ready");
    await page.evaluate(async (base64) => {
      const root = await navigator.storage.getDirectory();
      const runs = await root.getDirectoryHandle("runs", { create: true });
      const file = await (await runs.getFileHandle("1796055349196", { create: true })).createWritable();
      await file.write(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
      await file.close();
    }, bytes.toString("base64"));
    await page.reload();
    await waitForState(page, "ready");
    await matches(() => byTestId(page, "kept").textContent(), /run 1.*step 30/);
    await byTestId(page, "resume").click();
    await shows(() => number(page, "step-count"), 30);
    await matches(() => byTestId(page, "loss").textContent(), /3\.47/);
    await trainTo(page, 40);
  });
});
