// Pictures of the Train view in all states, sizes and themes, in target/screenshots; in each, nothing scrolls sideways, and from 1181
// pixels of width on, loss, text and the large map are in view without scrolling.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { accessible, byTestId, field, rendered, trainTo, until, waitForState, withPage } from "./harness.mjs";

const FOLDER = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const WIDE = [[1280, 720], [1366, 768], [1440, 900], [1920, 1080]];
const NARROW = [[1024, 768], [400, 860]];
const THEMES = ["light", "dark"];
const LONG = "One day Lily and Tom went to the park with a red ball and a blue kite. ".repeat(16);

// Takes pictures of the present state.
async function shoot(page, state, sizes = [[1440, 900]], themes = ["light"]) {
  for (const [width, height] of sizes) {
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await rendered(page);
      await rendered(page);
      await page.screenshot({ path: `${FOLDER}train-${width}x${height}-${state}-${colorScheme}.png` });
      const where = `${state} at ${width} × ${height}`;
      const { across, cut } = await page.evaluate(() => {
        const outside = (element) => {
          const box = element.getBoundingClientRect();
          return box.width === 0 || box.bottom > innerHeight + 1 || box.right > innerWidth + 1 || box.top < 0;
        };
        const parts = [".tile.loss", ".tile.text-tile", ".tile.big", ".tile.inspector", ".tile.time"];
        return { across: document.documentElement.scrollWidth - innerWidth, cut: parts.filter((part) => outside(document.querySelector(part))) };
      });
      assert.ok(across <= 0, `${where} is ${across} pixels too wide`);
      if (width > 1180) assert.deepEqual(cut, [], `${where}: out of view`);
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

test("the Train view is whole in every state, size and theme", { timeout: 600_000 }, async () => {
  await mkdir(FOLDER, { recursive: true });
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
    await shoot(page, "loading");
    await waitForState(page, "ready");
    await until("the map is painted", () => page.evaluate(() => document.querySelector('[data-testid="large-map"] canvas')?.width > 4));
    await shoot(page, "first", [[1440, 900], [400, 860]], THEMES);
    await accessible(page, "first");
    await trainTo(page, 60);
    await byTestId(page, "token-chip").nth(12).click();
    await shoot(page, "paused", [...WIDE, ...NARROW], THEMES);
    await accessible(page, "paused");
    for (const [name, section] of [["Arithmetic", "arithmetic"], ["Dimensions", "dimensions"], ["What if", "whatif"], ["Logit lens", "lens"], ["Head roles", "roles"]]) {
      await page.getByRole("tab", { name, exact: true }).click();
      await new Promise((resolve) => setTimeout(resolve, 400));
      await shoot(page, section);
    }
    await page.getByRole("tab", { name: "Logit lens", exact: true }).click();
    await byTestId(page, "open-wide").click();
    await shoot(page, "wide");
    await page.keyboard.press("Escape");
    await byTestId(page, "large-map").waitFor();
    await page.getByRole("tab", { name: "Row", exact: true }).click();
    await byTestId(page, "as-lines").click();
    await shoot(page, "lines");
    await byTestId(page, "show-table").click();
    await shoot(page, "table");
    await byTestId(page, "as-map").click();
    await byTestId(page, "moment-back").click();
    await byTestId(page, "hold").click();
    await byTestId(page, "live").click();
    await shoot(page, "compare", [[1440, 900], [1280, 720]], THEMES);
    await byTestId(page, "let-go").click();
    await page.setViewportSize({ width: 400, height: 860 });
    for (const panel of ["inspect", "loss", "text", "setup"]) {
      await byTestId(page, `panel-${panel}`).click();
      await rendered(page);
      await page.screenshot({ path: `${FOLDER}train-400x860-${panel}-light.png` });
    }
    await byTestId(page, "panel-attention").click();
    await page.setViewportSize({ width: 1440, height: 900 });
    for (const opens of ["settings", "runs", "share", "palette", "model", "text", "display", "save", "sampling", "help"]) {
      await page.locator(`[data-opens="${opens}"]:visible`).first().evaluate((button) => button.click());
      await rendered(page);
      await page.screenshot({ path: `${FOLDER}shell-1440x900-${opens}-light.png` });
      await accessible(page, opens);
      await page.keyboard.press("Escape");
    }
    await field(page, "stop_steps", "");
    await byTestId(page, "train").click();
    await waitForState(page, "training");
    await shoot(page, "training");
  });
});

test("many heads and a long sentence, and a run that diverges, stay in their tiles", { timeout: 600_000 }, async () => {
  await mkdir(FOLDER, { recursive: true });
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page, { address }) => {
    await waitForState(page, "ready");
    await page.goto(`${address}#n_layers=12&n_heads=12&n_kv_heads=12&d_model=48&context_length=256&batch_size=1`);
    await page.reload();
    await waitForState(page, "ready");
    await byTestId(page, "probe-input").fill(LONG);
    await until("the tokens have come", async () => (await byTestId(page, "token-chip").count()) === 256);
    await byTestId(page, "token-chip").nth(190).click();
    await shoot(page, "12x12x256", [...WIDE, ...NARROW], THEMES);
    await page.goto(`${address}#max_lr=1000&warmup_steps=0&max_grad_norm=1e9`);
    await page.reload();
    await waitForState(page, "ready");
    await byTestId(page, "train").click();
    await waitForState(page, "diverged");
    await shoot(page, "diverged", [...WIDE, ...NARROW], THEMES);
  });
});

test("a software adapter is named", { timeout: 300_000 }, async () => {
  await mkdir(FOLDER, { recursive: true });
  await withPage({ viewport: { width: 1440, height: 900 } }, async (page) => {
    await waitForState(page, ["ready", "failed"]);
    await byTestId(page, "step").click();
    await waitForState(page, "paused");
    await shoot(page, "software", [[1440, 900]], THEMES);
  });
});
