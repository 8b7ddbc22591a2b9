// What the scenarios of the page share: opening it, looking at it as axe does, taking its picture.
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import path from "node:path";

const require = createRequire(import.meta.url);
const packages = path.join(process.env.GMNER_HOME, ".deps/page");
export const { chromium } = require(path.join(packages, "playwright-core"));

// A page that fails the test where its script throws, or its policy refuses something. `signIn` sees to a token.
export async function open(browser, url, { signIn, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  page.faults = [];
  page.on("pageerror", (e) => page.faults.push(String(e)));
  page.on("console", (m) => m.type() === "error" && !/status of 4\d\d/.test(m.text()) && page.faults.push(m.text()));
  page.on("request", (r) => r.url().startsWith("http") && !r.url().startsWith(new URL("/", url).href) &&
    page.faults.push(`asked ${r.url()}`));
  await page.goto(url);
  if (signIn) await signIn(page);
  await page.waitForSelector("body[data-ready]");
  return page;
}

// Keeps the addresses of the pictures in the page's memory, from now on, as window.pictures.
export const counted = (page) => page.evaluate(() => {
  const { createObjectURL: make, revokeObjectURL: drop } = URL;
  window.pictures = new Set();
  URL.createObjectURL = (blob) => { const url = make.call(URL, blob); window.pictures.add(url); return url; };
  URL.revokeObjectURL = (url) => { window.pictures.delete(url); drop.call(URL, url); };
});

// No violation of axe's rules; the script is run past the page's policy, as a browser's extension is.
export async function accessible(page, where) {
  const found = await page.evaluate(`(() => { const module = undefined, exports = undefined, define = undefined;\n${
    require("node:fs").readFileSync(path.join(packages, "axe.min.js"), "utf8")}\n})(); axe.run()`);
  const told = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html + " " + n.failureSummary).join("\n")}`);
  assert.deepEqual(told, [], `axe, ${where}`);
  assert(found.passes.length > 15, "axe looked at nothing");
}

// The page shot at desktop and phone width, in light and dark.
export async function shots(browser, url, folder, name, prepare) {
  for (const [device, viewport] of [["desktop", { width: 1200, height: 900 }], ["phone", { width: 390, height: 844 }]])
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(browser, url, { viewport, colorScheme });
      await prepare(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert(wide <= 0, `${name}: on a ${device} the page is ${wide} pixels too wide`);
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
      assert(colorScheme === "dark" ? Math.max(...ground) < 60 : Math.min(...ground) > 200, `${colorScheme}: ${ground}`);
      await accessible(page, `${name}, ${device}, ${colorScheme}`);
      await page.screenshot({ path: path.join(folder, `${name}-${device}-${colorScheme}.png`) });
      assert.deepEqual(page.faults, []);
      await page.context().close();
    }
}
