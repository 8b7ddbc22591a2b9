// Trying a post: typing, dropping, hovering, toggling, copying, keeping.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { accessible, counted, open, shots } from "./page_tools.mjs";

const photo = path.join(process.env.GMNER_HOME, ".deps/photos/grace_hopper.jpg");
const TEXT = "Grace Hopper at the Navy Yard in Boston";

// As if the picture had been dragged from a folder.
async function drop(page) {
  const data = await page.evaluateHandle((base64) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    transfer.items.add(new File([bytes], "grace.jpg", { type: "image/jpeg" }));
    return transfer;
  }, fs.readFileSync(photo).toString("base64"));
  await page.dispatchEvent("#post", "drop", { dataTransfer: data });
  await page.waitForSelector("#preview:not([hidden])");
}

export async function find(page) {
  await page.fill("#text", TEXT);
  await drop(page);
  await page.click("text=Find entities");
  await page.waitForSelector("#card .post");
}

const lit = (page) => page.$$eval("#card .on", (all) => [...new Set(all.map((x) => x.tagName.toLowerCase()))].sort());

export async function try_post(browser, url, folder) {
  const page = await open(browser, url, { permissions: ["clipboard-read", "clipboard-write"] });
  await accessible(page, "the empty page");
  await find(page);
  assert.equal(await page.textContent("#status"), "3 entities found.");
  assert.deepEqual(await page.$$eval("#card mark", (m) => m.map((x) => x.firstChild.textContent)), ["Grace Hopper", "Navy Yard", "Boston"]);
  // hovering the name lights its box, mask, label and row; and the other way round; and by keyboard
  await page.hover("#card mark >> nth=0");
  assert.deepEqual(await lit(page), ["canvas", "g", "mark", "span", "tr"]);
  await page.mouse.move(0, 0);
  assert.deepEqual(await lit(page), []);
  await page.hover("#card .region rect");
  assert.deepEqual(await page.$$eval("#card mark.on", (m) => m.map((x) => x.firstChild.textContent)), ["Grace Hopper"]);
  await page.mouse.move(0, 0);
  await page.focus("#card mark >> nth=0");
  assert.deepEqual(await lit(page), ["canvas", "g", "mark", "span", "tr"]);
  // the mask is where she is: most of its pixels are inside the box
  const shares = await page.$eval("#card canvas.mask", (c) => {
    const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    const box = document.querySelector("#card .region rect").getBBox();
    const view = document.querySelector("#card svg").viewBox.baseVal;
    let inside = 0, all = 0;
    for (let i = 0; i < c.width * c.height; i++) {
      if (!data[4 * i + 3]) continue;
      const x = (i % c.width) * view.width / c.width, y = Math.floor(i / c.width) * view.height / c.height;
      all++;
      inside += x >= box.x - 2 && x <= box.x + box.width + 2 && y >= box.y - 2 && y <= box.y + box.height + 2;
    }
    return [inside / all, all / (c.width * c.height)];
  });
  assert(shares[0] > 0.95 && shares[1] > 0.05, `mask: ${shares}`);
  await page.click("text=masks");
  assert.equal(await page.isVisible("#card canvas.mask"), false);
  await page.click("text=masks");
  assert.equal(await page.isVisible("#card canvas.mask"), true);
  // what the stages did
  await page.click("#stages summary");
  const stages = await page.$$eval("#stages-body tr", (rows) => rows.map((r) => r.innerText));
  assert.deepEqual(stages.map((s) => s.split(":")[0]), ["tag", "look", "read", "expand", "entail", "ground", "segment"]);
  assert(stages.every((s) => /\d ms/.test(s)), stages.join("\n"));
  assert(/entropy/.test(stages[0]) && /probability 0\.\d\d/.test(stages[4]) && /mask/.test(stages[6]), stages.join("\n"));
  await accessible(page, "with a result");
  await page.click("#copy");
  await page.waitForFunction(() => document.getElementById("status").textContent.includes("copied"));
  const record = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(record.text, TEXT);
  assert.equal(record.entities[0].text, "Grace Hopper");
  // kept, and opened again by its address
  await page.click("#keep");
  const kept = await page.getAttribute("#saved a", "href");
  const again = await open(browser, new URL(kept, url).href);
  await again.waitForSelector("#card canvas.mask");
  assert.deepEqual(JSON.parse(await again.textContent("#record")), record);
  assert.equal(await again.inputValue("#text"), TEXT);
  // a problem is told; the page goes on
  await page.fill("#text", " ");
  await page.click("#no-image");
  assert.equal(await page.isVisible("#preview"), false);
  assert.deepEqual([...page.faults, ...again.faults], []);
  await shots(browser, url, folder, "try", find);
}

// A pasted picture, and a post sent by keyboard alone.
export async function try_keys(browser, url) {
  const page = await open(browser, url);
  await counted(page);
  await page.focus("#text");
  await page.keyboard.type("Paris in May");
  await page.evaluate((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], "x.jpg", { type: "image/jpeg" }));
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
  }, fs.readFileSync(photo).toString("base64"));
  await page.waitForSelector("#preview-img:not([hidden])");
  await page.selectOption("#recipe", "tag");
  await page.focus("#text");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#card mark");
  assert.equal(await page.isVisible("#keep"), false, "nothing can be kept without --data");
  const order = [];
  await page.focus("#text");
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
  }
  assert.deepEqual(order, ["image", "no-image", "recipe", "Find entities"]);
  // only the pictures that are seen are kept: that beside the form and that on the card
  for (const text of ["Rome in May", "Oslo in June"]) {
    await page.fill("#text", text);
    await page.press("#text", "Control+Enter");
    await page.waitForFunction((t) => document.querySelector("#card .text")?.textContent.includes(t.slice(5)), text);
    await page.waitForFunction(() => / found/.test(document.getElementById("status").textContent));
  }
  assert.equal(await page.evaluate(() => window.pictures.size), 2);
  await page.click("#no-image");
  await page.waitForSelector("#preview", { state: "hidden" });
  assert.equal(await page.evaluate(() => window.pictures.size), 1);
  assert.deepEqual(page.faults, []);
}

export async function try_asked(browser, url) {
  const page = await open(browser, url);
  for (let i = 0; i < 2; i++) { // the second time from the cache
    await page.fill("#text", TEXT);
    await page.click("text=Find entities");
    await page.waitForFunction(() => /found/.test(document.getElementById("status").textContent));
    await page.$eval("#stages", (s) => { s.open = true; });
    const inform = (await page.$$eval("#stages-body tr", (rows) => rows.map((r) => r.innerText)))[1];
    assert.match(inform, /^inform: llm[^]*asked: 1 request\(s\), 10 tokens sent, 5 received\nsample 1: “/);
  }
  await page.click("#card summary >> text=Language models");
  const row = await page.$eval("#card details[open] tbody tr", (r) => r.innerText);
  assert.match(row, /^inform[^]*10 in, 5 out/);
  await accessible(page, "with what was asked");
  await page.click("#keep");
  const again = await open(browser, new URL(await page.getAttribute("#saved a", "href"), url).href);
  await again.$eval("#stages", (s) => { s.open = true; });
  assert.match(await again.innerText("#stages-body"), /asked: 1 request/);
  assert.deepEqual([...page.faults, ...again.faults], []);
}

// A server with a token: the page asks for it once, also after one that was refused, and says so where it gets none.
export async function try_token(browser, url) {
  const use = async (page, token) => {
    await page.fill("#token-text", token);
    await page.click("#token button.main");
  };
  const page = await open(browser, url, {
    signIn: async (p) => {
      await p.waitForSelector("#token[open]");
      assert.equal(await p.isVisible("#token-refused"), false);
      await accessible(p, "the token's dialog");
      await use(p, "wrong");
      await p.waitForSelector("#token-refused:not([hidden])");
      await use(p, " token-of-the-test ");
    },
  });
  await page.fill("#text", TEXT);
  await page.click("text=Find entities");
  await page.waitForSelector("#card mark");
  // several requests that are refused at once ask once
  await page.evaluate(() => sessionStorage.setItem("gmner-token", "old"));
  const both = page.evaluate(async () => {
    const { getJson } = await import("/page/ask.js");
    return (await Promise.all([getJson("/v1/page"), getJson("/v1/recipes")])).length;
  });
  await page.waitForSelector("#token[open]");
  await use(page, "token-of-the-test");
  assert.equal(await both, 2);
  assert.deepEqual(page.faults, []);
  const without = await (await browser.newContext()).newPage();
  await without.goto(url);
  await without.click("#token >> text=Cancel");
  await without.waitForSelector("#problem:not([hidden])");
  assert.match(await without.textContent("#problem"), /token[^]*Load the page again/);
}
