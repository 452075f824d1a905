// Chromium and Firefox, driven by Puppeteer.

import puppeteer from "puppeteer-core";
import { NO_GPU, QUIET, required } from "../harness.mjs";

const WEBGPU = ["dom.webgpu.enabled", "dom.webgpu.workers.enabled", "gfx.webgpu.ignore-blocklist"];

const LAUNCH = {
  chromium: () => ({ browser: "chrome", executablePath: required("GLASSHEAD_CHROMIUM"), args: [...QUIET, ...NO_GPU] }),
  firefox: ({ downloads }, webgpu) => ({
    browser: "firefox",
    executablePath: required("GLASSHEAD_FIREFOX"),
    extraPrefsFirefox: {
      "browser.download.dir": downloads,
      "browser.download.folderList": 2,
      ...(webgpu ? Object.fromEntries(WEBGPU.map((name) => [name, true])) : {}),
    },
  }),
};

/** Starts a browser in `home` and returns its tab. */
export async function launch(name, home, { webgpu = false, viewport }) {
  const browser = await puppeteer.launch({
    ...LAUNCH[name](home, webgpu),
    userDataDir: home.profile,
    env: home.env,
    defaultViewport: viewport,
    protocolTimeout: 60_000,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  home.add(browser.process());
  home.quit = () => browser.close();
  const page = await browser.newPage();
  if (name === "chromium") {
    const session = await browser.target().createCDPSession();
    await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: home.downloads });
  }
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return {
    complaints: async () => complaints,
    goto: (address) => page.goto(address),
    reload: () => page.reload(),
    evaluate: (code, ...values) => page.evaluate(code, ...values),
    clickAt: (x, y) => page.mouse.click(x, y),
    type: (text) => page.keyboard.type(text),
    press: (key) => page.keyboard.press(key),
    choose: async (selector, path) => (await page.$(selector)).uploadFile(path),
    screenshot: () => page.screenshot(),
  };
}
