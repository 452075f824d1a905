// The Train view without a mouse, magnified, without motion, and in forced colors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, byTestId, matches, number, rendered, screenshot, settled, shows, until, waitForState, withPage } from "./harness.mjs";

// What has the focus: its test id, its name, or its tile.
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  return element.dataset.testid ?? element.getAttribute("aria-label") ?? element.textContent.trim();
});

// Presses Tab until `wanted` has the focus; every stop on the way shows that it has it.
async function tabTo(page, wanted, most = 120) {
  for (let i = 0; i < most; i += 1) {
    await page.keyboard.press("Tab");
    const { seen, name } = await page.evaluate(() => {
      const element = document.activeElement;
      const shown = (one) => {
        const style = getComputedStyle(one);
        return style.outlineStyle !== "none" || style.boxShadow !== "none";
      };
      // Fields within a pill or a labeled frame: the frame shows the focus. A slider over the lanes likewise.
      const around = element.closest(".pill, .sentence-field, .examples, .lanes, label");
      const seen = element === document.body || shown(element) || (around !== null && shown(around));
      return { seen, name: element.outerHTML.slice(0, 120) };
    });
    assert.ok(seen, `no visible focus on ${name}`);
    if ((await focused(page)) === wanted) return;
  }
  assert.fail(`Tab does not reach ${wanted}`);
}

test("a model is trained, inspected and asked to write without a mouse", { timeout: 240_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
    await waitForState(page, "ready");
    await tabTo(page, "train");
    await page.keyboard.press("Enter");
    await until("it trains", async () => (await number(page, "step-count")) > 5);
    await page.keyboard.press("Enter");
    await waitForState(page, "paused");
    // F6 walks the tiles in reading order, and Shift goes back.
    const tiles = [];
    for (let i = 0; i < 7; i += 1) {
      await page.keyboard.press("F6");
      tiles.push(await page.evaluate(() => document.activeElement.className.replace(/^tile /, "").split(" ")[0]));
    }
    for (const tile of ["setup-bar", "sentence", "heads-tile", "big", "inspector", "time", "loss"]) assert.ok(tiles.includes(tile), `${tile} of ${tiles}`);
    await page.keyboard.press("Shift+F6");
    // A head, a row, and the inspector's tabs.
    await tabTo(page, "head-map");
    for (let i = 0; i < 4; i += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await shows(() => page.evaluate(() => document.activeElement.getAttribute("aria-pressed")), "true");
    await tabTo(page, "large-map");
    for (const key of ["ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
    await shows(() => byTestId(page, "pin").count(), 1);
    await page.keyboard.press("Escape");
    await shows(() => byTestId(page, "pin").count(), 0);
    // A field by the palette, and back to where the focus was.
    await page.keyboard.press("Control+k");
    await page.keyboard.type("learning rate");
    await rendered(page);
    await page.keyboard.press("Escape");
    await shows(() => page.locator('[data-overlay="palette"]').isHidden(), true);
    // The prompt, and the model's text.
    await tabTo(page, "prompt");
    await page.keyboard.type("Tom");
    await page.keyboard.press("Enter");
    await until("it writes", async () => (await page.locator(".written").count()) > 3);
    await matches(() => byTestId(page, "generated").textContent(), /^Tom/);
  });
});

test("at 200 % of 1280 pixels everything is in the layout of a phone", { timeout: 240_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 640, height: 360 } }, async (page) => {
    await waitForState(page, "ready");
    for (const panel of ["attention", "inspect", "loss", "text", "setup"]) {
      await byTestId(page, `panel-${panel}`).click();
      await rendered(page);
      const { across, tall, clipped } = await page.evaluate(() => ({
        across: document.documentElement.scrollWidth - innerWidth,
        tall: document.querySelector(".view").clientHeight,
        clipped: [...document.querySelectorAll(".top button, .panel-tabs button")].filter((button) => button.offsetWidth > 0 && button.scrollWidth > button.clientWidth + 1).map((button) => button.textContent),
      }));
      assert.ok(across <= 0, `${panel} is ${across} pixels too wide`);
      assert.ok(tall > 100, `${panel} has ${tall} pixels of height`);
      assert.deepEqual(clipped, [], panel);
      await accessible(page, panel);
    }
    await screenshot(page, "zoomed-200");
    await byTestId(page, "train").click();
    await until("it trains", async () => (await number(page, "step-count")) > 2);
  });
});

test("nothing moves where motion is unwanted", { timeout: 120_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    const moving = () => page.evaluate(() => document.getAnimations().map((one) => one.animationName ?? one.transitionProperty));
    assert.deepEqual(await moving(), [], "while it loads");
    await waitForState(page, "ready");
    await byTestId(page, "train").click();
    await until("it writes", async () => (await byTestId(page, "sample").count()) > 0);
    assert.deepEqual(await moving(), [], "while it trains");
  });
});

test("forced colors keep borders, states and maps", { timeout: 120_000 }, async () => {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 } }, async (page) => {
    await page.emulateMedia({ forcedColors: "active" });
    await waitForState(page, "ready");
    await until("the map is painted", () => page.evaluate(() => document.querySelector('[data-testid="large-map"] canvas')?.width > 4));
    await byTestId(page, "token-chip").nth(5).click();
    await settled(page);
    const outlined = (selector) => page.evaluate((selector) => {
      const style = getComputedStyle(document.querySelector(selector));
      return style.outlineStyle !== "none" || (style.borderStyle !== "none" && style.borderWidth !== "0px");
    }, selector);
    for (const selector of [".tile.big", ".tile.loss", ".inspector-tabs [aria-selected='true']", ".segmented [aria-pressed='true']", ".chip.pinned", ".rail [aria-current]", ".pill"]) {
      assert.ok(await outlined(selector), `${selector} has no border`);
    }
    // The bars, the maps and their hatching keep their own colors.
    for (const selector of [".bars .bar i", ".map", ".ramp", ".swatch"]) {
      const kept = await page.evaluate((selector) => getComputedStyle(document.querySelector(selector)).forcedColorAdjust, selector);
      assert.equal(kept, "none", selector);
    }
    // Canvases take the system's colors, so that the chart is legible on its background.
    const { ink, pane } = await page.evaluate(() => {
      const style = getComputedStyle(document.querySelector("canvas.chart"));
      return { ink: style.getPropertyValue("--ink"), pane: getComputedStyle(document.querySelector(".tile.loss")).backgroundColor };
    });
    assert.notEqual(ink, pane);
    await screenshot(page, "forced-colors");
  });
});
