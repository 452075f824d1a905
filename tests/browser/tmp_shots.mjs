import { byTestId, withPage } from "./harness.mjs";
const done = (page) => page.locator('[data-testid="data-state"][data-state="done"]').waitFor({ timeout: 120_000 });
const steps = process.env.STEPS ?? "40";
for (const colorScheme of ["light", "dark"]) {
  await withPage({ gpu: false, viewport: { width: 1440, height: 900 }, colorScheme }, async (page) => {
    await byTestId(page, "view-data").click();
    await byTestId(page, "data-generate").first().click();
    await done(page);
    await page.screenshot({ path: `/tmp/data-shots/a-${colorScheme}.png` });
    console.log("speed", await page.locator(".numbers").first().textContent());
    if (colorScheme === "light") {
      await byTestId(page, "effect-steps").fill(steps);
      await byTestId(page, "effect-steps").press("Enter");
      await byTestId(page, "effect-seeds").fill("2");
      await byTestId(page, "effect-seeds").press("Enter");
      await byTestId(page, "data-train-each").click();
      await byTestId(page, "filter-language").click();
      await page.waitForTimeout(1500);
      await byTestId(page, "data-row").first().click();
      await byTestId(page, "data-document").waitFor();
      await page.screenshot({ path: `/tmp/data-shots/b-${colorScheme}.png` });
      await page.keyboard.press("Escape");
      await byTestId(page, "filter-quality").click();
      await byTestId(page, "data-classifier").click();
      await done(page);
      await byTestId(page, "data-settings").click();
      await page.screenshot({ path: `/tmp/data-shots/c-${colorScheme}.png` });
      await page.keyboard.press("Escape");
      await byTestId(page, "effect-busy").waitFor({ state: "detached", timeout: 200_000 });
      await page.screenshot({ path: `/tmp/data-shots/d-${colorScheme}.png` });
      await page.setViewportSize({ width: 1280, height: 720 });
      await page.waitForTimeout(500);
      await page.screenshot({ path: `/tmp/data-shots/e-${colorScheme}.png` });
      await page.setViewportSize({ width: 400, height: 860 });
      await page.waitForTimeout(500);
      await page.screenshot({ path: `/tmp/data-shots/f-${colorScheme}.png` });
    }
  });
}
