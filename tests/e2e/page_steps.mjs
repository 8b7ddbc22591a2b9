// What a person does with the page of `gmner serve`, in headless Chromium by Playwright.
//   node page_steps.mjs SCENARIO URL FOLDER   try_post is of page_try.mjs; FOLDER is for pictures and downloads
import { chromium } from "./page_tools.mjs";

const [scenario, url, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.GM_BROWSER, args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none", "--disable-lcd-text"] });
try {
  const name = scenario.split("_")[0];
  await (await import(`./page_${name}.mjs`))[scenario](browser, url, folder);
  console.log("done");
} finally {
  await browser.close();
}
