// How the page looks: its screenshots against tests/golden/page. Those are a quarter as large, so that a letter's edge
// is no difference, and WebP, as which the new ones are compared, too; all have one font (test_serve_page.py), no animation, and a scale of 1.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { open } from "./page_tools.mjs";

const folder = path.join(process.env.GMNER_HOME, "tests/golden/page");
// Of 255: the mean difference, and the share of pixels that differ by over 32.
const MEAN_MAX = 0.4, SHARE_MAX = 0.003;

// In a page without a policy: the shot reduced as WebP, and how far it is from the golden picture.
const compare = (blank, png, golden) => blank.evaluate(async ([shot, old]) => {
  const read = async (url, scale) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.naturalWidth * scale);
    canvas.height = Math.round(image.naturalHeight * scale);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return { canvas, data: context.getImageData(0, 0, canvas.width, canvas.height).data };
  };
  const small = await read(shot, 0.25);
  const url = small.canvas.toDataURL("image/webp", 0.9), webp = url.split(",")[1];
  if (!old) return { webp };
  const was = await read(old, 1), now = await read(url, 1);
  if (was.data.length !== now.data.length) return { webp, mean: 255, share: 1 };
  let sum = 0, over = 0;
  for (let i = 0; i < now.data.length; i += 4) {
    const d = [0, 1, 2].map((k) => Math.abs(now.data[i + k] - was.data[i + k]));
    sum += d[0] + d[1] + d[2];
    over += Math.max(...d) > 32;
  }
  return { webp, mean: sum / (now.data.length * 0.75), share: over / (now.data.length / 4) };
}, [png, golden]);

const uri = (kind, bytes) => `data:image/${kind};base64,${bytes.toString("base64")}`;
const close = (d) => d.mean <= MEAN_MAX && d.share <= SHARE_MAX;

const scenes = {
  try: async (page) => {
    await page.click("#to-try");
    await page.fill("#text", "Ann Lee sings in Oslo tonight");
  },
  browse: async (page) => {
    await page.waitForSelector("#browse-card canvas.mask");
    await page.click("#edit");
    await page.waitForSelector("#edit-fields:not([hidden])");
    await page.evaluate(() => document.activeElement.blur());
  },
};

export async function look_pages(browser, url, out) {
  const blank = await (await browser.newContext()).newPage();
  const told = [];
  for (const [scene, prepare] of Object.entries(scenes))
    for (const [device, viewport] of [["desktop", { width: 1200, height: 900 }], ["phone", { width: 390, height: 844 }]])
      for (const colorScheme of ["light", "dark"]) {
        const name = `${scene}-${device}-${colorScheme}.webp`, golden = path.join(folder, name);
        const page = await open(browser, url, { viewport, colorScheme, deviceScaleFactor: 1, reducedMotion: "reduce" });
        await prepare(page);
        const shoot = async () => uri("png", await page.screenshot({ animations: "disabled", caret: "hide" }));
        const old = fs.existsSync(golden) && !process.env.GM_GOLDENS ? uri("webp", fs.readFileSync(golden)) : null;
        const d = await compare(blank, await shoot(), old);
        fs.writeFileSync(path.join(process.env.GM_GOLDENS ? folder : out, name), Buffer.from(d.webp, "base64"));
        if (!process.env.GM_GOLDENS) {
          assert(old, `${name} is not in tests/golden/page`);
          told.push(`${name}: mean ${d.mean.toFixed(2)}, ${(100 * d.share).toFixed(2)}% differ`);
          assert(close(d), told.at(-1));
          // one control less is seen
          await page.evaluate(() => document.querySelectorAll("#recipe, #pane .tools").forEach((x) => { x.style.visibility = "hidden"; }));
          const less = await compare(blank, await shoot(), old);
          assert(!close(less), `${name}: what is missing is not noticed: ${less.mean}, ${less.share}`);
        }
        assert.deepEqual(page.faults, []);
        if (scene === "browse") { // the post is given back
          await page.evaluate(() => document.getElementById("edit").click());
          await page.waitForFunction(() => /free again/.test(document.getElementById("browse-status").textContent));
        }
        await page.context().close();
      }
  console.log(told.join("\n"));
}
