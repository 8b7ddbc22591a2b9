// The pictures of docs/tour.md, taken of the running page: tools/tour.sh calls it.
import fs from "node:fs";
import path from "node:path";
import { open } from "./page_tools.mjs";

const photo = (name) => path.join(process.env.GMNER_HOME, ".deps/photos", name);

// A screenshot as WebP, which the browser itself encodes.
async function take(page, folder, name, options = {}) {
  const png = (await page.screenshot(options)).toString("base64");
  const blank = await page.context().newPage();
  const webp = await blank.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.82).split(",")[1];
  }, png);
  await blank.close();
  fs.writeFileSync(path.join(folder, `${name}.webp`), Buffer.from(webp, "base64"));
}

async function tried(browser, url, text, file, options) {
  const page = await open(browser, url, options);
  await page.click("#to-try");
  await page.fill("#text", text);
  await page.setInputFiles("#image", photo(file));
  await page.click("text=Find entities");
  await page.waitForSelector("#card .post img");
  await page.waitForTimeout(300);
  return page;
}

export async function tour_pictures(browser, url, folder) {
  const size = { viewport: { width: 1000, height: 760 } };
  let page = await tried(browser, url, "Rear Admiral Grace Hopper of the US Navy, who gave us the first compiler", "grace_hopper.jpg", size);
  await page.locator("#card").scrollIntoViewIfNeeded();
  await page.evaluate(() => document.getElementById("result").scrollIntoView());
  await take(page, folder, "tour-try");
  await page.click("#stages summary");
  await page.evaluate(() => document.getElementById("stages").scrollIntoView());
  await take(page, folder, "tour-stages");
  page = await tried(browser, url, "Good morning from the Summer Palace in Beijing", "china.jpg",
    { viewport: { width: 390, height: 760 }, colorScheme: "dark" });
  await page.evaluate(() => document.getElementById("result").scrollIntoView());
  await take(page, folder, "tour-phone");
  page = await open(browser, url, size);
  await page.waitForSelector("#browse-card .post img");
  await page.waitForTimeout(300);
  await take(page, folder, "tour-browse");
  await page.click("#edit");
  await page.waitForSelector("#browse-card .handle");
  await page.evaluate(() => document.getElementById("edit-fields").scrollIntoView({ block: "end" }));
  await take(page, folder, "tour-correct");
  await page.click("#edit");
}
