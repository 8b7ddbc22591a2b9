// Browsing and correcting: filters, keys, spans, types, boxes by pointer, masks, undo, conflicts, exports.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { accessible, counted, open, shots } from "./page_tools.mjs";

const post = async (page, n = 0) => (await page.request.get(new URL(`/v1/browse/post?file=0&post=${n}`, page.url()).href)).json();
const kept = (page, version) => page.waitForFunction((v) => document.getElementById("browse-status").textContent === `Kept as version ${v}.`, version);
const ids = (page) => page.$$eval("#list [role=option] b", (all) => all.map((x) => x.textContent));
const shown = (page) => page.waitForSelector("#browse-card .post");

// Selects characters of the text by code points, past the types that are shown in it.
const select = (page, from, to) => page.evaluate(([a, b]) => {
  const walker = document.createTreeWalker(document.querySelector("#browse-card .text"), NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  let at = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest(".tag")) continue;
    const n = node.data.length;
    if (a >= at && a < at + n) range.setStart(node, a - at);
    if (b > at && b <= at + n) range.setEnd(node, b - at);
    at += n;
  }
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}, [from, to]);

export async function begin(page) {
  await shown(page);
  await page.waitForSelector("#browse-card canvas.mask");
}

async function drag(page, selector, dx, dy) {
  const handle = page.locator(selector).first();
  await handle.scrollIntoViewIfNeeded();
  const box = await handle.boundingBox();
  const x = box.x + box.width / 2, y = box.y + box.height / 2;
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + dx / 2, y + dy / 2);
  await page.mouse.move(x + dx, y + dy);
  await page.mouse.up();
}

async function filters(page) {
  assert.equal(await page.textContent("#total"), "3000 posts");
  assert((await ids(page)).length < 40, "the whole list is in the page");
  await page.selectOption("#by-type", "LOC");
  await page.waitForFunction(() => document.getElementById("total").textContent === "1001 of 3000 posts");
  assert.deepEqual((await ids(page)).slice(0, 3), ["grace", "p2", "p5"]);
  await page.selectOption("#by-type", "");
  await page.selectOption("[name=wrong]", "type");
  await page.waitForFunction(() => document.getElementById("total").textContent === "1 of 3000 posts");
  await page.selectOption("[name=wrong]", "");
  await page.selectOption("[name=order]", "uncertainty");
  await page.waitForFunction(() => document.querySelector("#list b").textContent === "p7");
  await page.selectOption("[name=order]", "file");
  await page.waitForFunction(() => document.querySelector("#list b").textContent === "grace");
}

async function keys(page) {
  await page.click("#list [role=option] >> nth=0");
  const is = (id) => page.waitForFunction((x) => document.querySelector("#browse-card h2")?.textContent === x, id);
  await is("grace");
  await page.keyboard.press("n");
  await is("p1");
  await page.keyboard.press("p");
  await is("grace");
  await page.focus("#list");
  await page.keyboard.press("End");
  await is("p2999");
  assert((await ids(page)).includes("p2999"));
  await page.keyboard.press("Home");
  await is("grace");
  assert.equal(await page.textContent("#beside-card h2"), "grace");
  await page.waitForSelector("#browse-card canvas.mask");
}

async function corrections(page) {
  await page.click("#edit");
  await page.waitForSelector("#edit-fields:not([hidden])");
  const before = await post(page);
  await page.fill("#type", "ORG");
  await page.press("#type", "Tab");
  await kept(page, 1);
  let now = (await post(page)).record.entities[0];
  assert.equal(now.type, "ORG");
  assert.equal(now.source, "corrected");
  // the box moves by what it was dragged, in pixels of the picture
  const scale = await page.$eval("#browse-card svg", (s) => s.viewBox.baseVal.width / s.getBoundingClientRect().width);
  await drag(page, "#browse-card .region[data-e='0'] rect", 12, 9);
  await kept(page, 2);
  const old = before.record.entities[0].regions[0].box;
  now = (await post(page)).record.entities[0];
  assert(Math.abs(now.regions[0].box[0] - old[0] - 12 * scale) < 1 && Math.abs(now.regions[0].box[1] - old[1] - 9 * scale) < 1,
    `${old} to ${now.regions[0].box}`);
  assert.equal(now.regions[0].note, "mask:old_box"); // what the mask is of is told, in the fields and on the card
  assert.match(await page.innerText("#regions"), /The mask was made for the box as it was before/);
  assert.match(await page.innerText("#browse-card tr[data-e='0']"), /mask:old_box/);
  await drag(page, "#browse-card .region[data-e='0'] .handle", 10, 10);
  await kept(page, 3);
  const small = (await post(page)).record.entities[0].regions[0].box;
  assert(small[0] > now.regions[0].box[0] + 5 && small[2] === now.regions[0].box[2], `${small}`);
  await page.click("text=Accept the mask");
  await kept(page, 4);
  assert.equal((await post(page)).record.entities[0].regions[0].note, "mask:accepted");
  assert.doesNotMatch(await page.innerText("#regions"), /as it was before/);
  await page.click("text=Reject the mask");
  await kept(page, 5);
  now = (await post(page)).record.entities[0];
  assert(!now.regions[0].mask && now.regions[0].note === "no_mask:rejected");
  assert.equal(await page.$("#browse-card canvas.mask"), null);
  await page.keyboard.press("Control+z");
  await kept(page, 6);
  assert((await post(page)).record.entities[0].regions[0].mask, "undo does not bring the mask back");
  await page.click("#redo");
  await kept(page, 7);
  assert(!(await post(page)).record.entities[0].regions[0].mask);
  await page.click("#undo");
  await kept(page, 8);
  await page.selectOption("#visible", "0");
  await kept(page, 9);
  assert.deepEqual((await post(page)).record.entities[0].regions ?? [], []);
  await page.click("#undo");
  await kept(page, 10);
  // a new entity of selected words; then its end moved, then it is removed, and that undone
  const text = before.record.text, from = [...text].indexOf("y", 25);
  await select(page, 20, 24);
  await page.fill("#new-type", "OTHER");
  await select(page, 20, 24);
  await page.click("#add-entity");
  await kept(page, 11);
  const added = (await post(page)).record.entities.find((e) => e.start === 20);
  assert.equal(added.text, [...text].slice(20, 24).join(""), `${from}`);
  assert.equal(added.type, "OTHER");
  await page.click("[aria-label='End a character later']");
  await kept(page, 12);
  assert.equal((await post(page)).record.entities.find((e) => e.start === 20).end, 25);
  await page.click("#remove-entity");
  await kept(page, 13);
  await page.click("#undo");
  await kept(page, 14);
}

export async function browse_correct(browser, url, folder) {
  const page = await open(browser, url);
  await begin(page);
  await filters(page);
  await keys(page);
  await accessible(page, "browsing");
  await corrections(page);
  await accessible(page, "correcting");
  // another person can't edit it meanwhile, and is told who does
  const other = await open(browser, url);
  await begin2(other);
  await other.click("#edit");
  await other.waitForSelector("#browse-problem:not([hidden])");
  assert.match(await other.textContent("#browse-problem-text"), /somebody edits this post/);
  assert.equal(await other.isVisible("#edit-fields"), false);
  await page.click("#edit");
  await page.waitForFunction(() => document.getElementById("browse-status").textContent === "The post is free again.");
  await other.click("#edit");
  await other.waitForSelector("#edit-fields:not([hidden])");
  // somebody (a program) is faster: the conflict is shown, and one's own can be kept over it
  await other.click("#edit");
  // an export is what is seen
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export")]);
  await download.saveAs(path.join(folder, "exported.jsonl"));
  const first = JSON.parse(fs.readFileSync(path.join(folder, "exported.jsonl"), "utf8").split("\n")[0]);
  assert.equal(first.image, "grace.jpg");
  assert.deepEqual(first.entities, (await post(page)).record.entities);
  assert.deepEqual([...page.faults, ...other.faults], []);
}

const begin2 = (page) => shown(page);

// A correction that comes from elsewhere while one edits.
export async function browse_conflict(browser, url) {
  const page = await open(browser, url);
  await begin2(page);
  await page.click("#next");
  await page.waitForFunction(() => document.querySelector("#browse-card h2")?.textContent === "p1");
  await page.click("#edit");
  await page.waitForSelector("#edit-fields:not([hidden])");
  // the lease is lost, as by a laptop that slept, and the other one is done
  await page.evaluate(async () => {
    const answer = await (await fetch("/v1/browse/post?file=0&post=1")).json();
    window.other = answer.record.entities.map((e) => ({ ...e, type: "LOC" }));
  });
  let first = true;
  await page.route("**/v1/browse/save", async (route) => {
    const body = route.request().postDataJSON(), others = first;
    first = false;
    if (others) await page.request.post(new URL("/v1/browse/save", page.url()).href, { data: { ...body, entities: await page.evaluate(() => window.other) } });
    await route.continue();
  });
  await page.fill("#type", "GROUP");
  await page.press("#type", "Tab");
  await page.waitForSelector("#conflict:not([hidden])");
  assert.match(await page.textContent("#browse-problem-text"), /corrected this post meanwhile/);
  await page.click("#mine");
  await kept(page, 2);
  assert.equal((await post(page, 1)).record.entities[0].type, "GROUP");
  assert.deepEqual(page.faults, []);
}

// All at once.
const press = (page, ...keys) => page.evaluate((all) => {
  for (const key of all) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}, keys);

const told = (page, text) => page.waitForFunction((x) => document.getElementById("browse-status").textContent.startsWith(x), text);
const chosen = (page, id) => page.waitForFunction((x) => document.querySelector("#list [aria-selected=true] b")?.textContent === x, id);
const problem = (page, text) => page.waitForFunction((x) => !document.getElementById("browse-problem").hidden &&
  document.getElementById("browse-problem-text").textContent.includes(x), text);

// Requests of `part` wait for `go()`, and are then answered by `answer(route)`.
async function hold(page, part, answer) {
  let go;
  const gone = new Promise((done) => { go = done; });
  await page.unroute(part);
  await page.route(part, async (route) => { await gone; await answer(route); });
  return go;
}

// Refused answers stand in the console by themselves.
const unexpected = (page) => page.faults.filter((f) => !/^Failed to load resource: .*ERR_FAILED/.test(f));

// Keys that come faster than answers, and what can be undone after another one's correction.
export async function browse_hurried(browser, url) {
  const page = await open(browser, url);
  await begin2(page);
  await page.evaluate(() => { // which leases are renewed
    const { setInterval: set, clearInterval: clear } = window;
    window.renewed = new Set();
    window.setInterval = (...words) => { const t = set(...words); window.renewed.add(t); return t; };
    window.clearInterval = (t) => { window.renewed.delete(t); clear(t); };
  });
  const keys = (...all) => press(page, ...all), status = (text) => told(page, text);
  const renewed = () => page.evaluate(() => window.renewed.size);
  await page.focus("#list");
  await page.evaluate(() => document.activeElement.blur());
  await keys("n", "n", "n");
  await isPost(page, "p3");
  await keys("e", "e", "e");
  await page.waitForSelector("#edit-fields:not([hidden])");
  assert.equal(await renewed(), 1);
  await keys("e", "e", "n");
  await isPost(page, "p4");
  await status("Post 5 of");
  assert.deepEqual([await renewed(), await page.isVisible("#edit-fields")], [0, false]);
  // edited, given back, corrected by another, and edited again
  await keys("e");
  await page.waitForSelector("#edit-fields:not([hidden])");
  await page.fill("#type", "MINE");
  await page.press("#type", "Tab");
  await kept(page, 1);
  assert(await page.isEnabled("#undo"));
  await keys("e");
  await status("The post is free again.");
  await keys("e");
  await status("You edit");
  assert(await page.isEnabled("#undo"), "one's own correction can't be undone");
  await keys("e");
  await status("The post is free again.");
  const { record, version } = await post(page, 4);
  const theirs = { file: 0, post: 4, who: "other", version, entities: record.entities.map((e) => ({ ...e, type: "THEIRS" })) };
  assert.equal((await page.request.post(new URL("/v1/browse/save", page.url()).href, { data: theirs })).status(), 200);
  await keys("e");
  await status("You edit");
  assert.equal(await page.inputValue("#type"), "THEIRS");
  assert(await page.isDisabled("#undo"), "another one's correction would be undone");
  assert.deepEqual(page.faults, []);
}

// A correction that was not kept stays, with its post, until something is done about it.
export async function browse_unkept(browser, url) {
  const page = await open(browser, url), save = "**/v1/browse/save";
  await begin2(page);
  await page.click("#list [data-at='6']");
  await isPost(page, "p6");
  await page.click("#edit");
  await page.waitForSelector("#edit-fields:not([hidden])");
  const leave = async (answer, why, act) => { // by `n` before the answer, `n` after it, and the end of editing
    const go = await hold(page, save, answer);
    await act();
    await press(page, "n");
    go();
    await problem(page, why);
    for (const key of ["n", "e"]) {
      await told(page, "Your correction of this post is not kept yet.");
      await chosen(page, "p6");
      assert.deepEqual([await page.textContent("#browse-card h2"), await page.inputValue("#type")], ["p6", "MINE"]);
      assert(await page.isVisible("#edit-fields") && await page.isVisible("#mine"));
      await page.evaluate(() => { document.getElementById("browse-status").textContent = ""; });
      await press(page, key);
    }
    await told(page, "Your correction of this post is not kept yet.");
    await problem(page, why);
    assert.equal((await post(page, 6)).record.entities[0].type, why.includes("meanwhile") ? "THEIRS" : "PER");
  };
  const type = async () => { await page.fill("#type", "MINE"); await page.press("#type", "Tab"); };
  await leave((route) => route.fulfill({ status: 422, contentType: "application/problem+json", body: '{"detail": "refused"}' }), "refused", type);
  await leave((route) => route.abort(), "can't be reached", () => page.click("text=Save mine again"));
  await accessible(page, "a correction that is not kept");
  const [asks] = await Promise.all([page.waitForEvent("dialog"), page.close({ runBeforeUnload: true })]);
  assert.equal(asks.type(), "beforeunload");
  await asks.dismiss(); // the page stays
  await page.click("text=Drop mine");
  await told(page, "Nothing is corrected.");
  assert.deepEqual([await page.inputValue("#type"), await page.isVisible("#browse-problem"), await page.isEnabled("#undo")], ["PER", false, false]);
  let first = true; // somebody is faster
  await leave(async (route) => {
    const body = route.request().postDataJSON();
    const theirs = { ...body, entities: body.entities.map((e) => ({ ...e, type: "THEIRS" })) };
    if (first) await page.request.post(new URL("/v1/browse/save", page.url()).href, { data: theirs });
    first = false;
    await route.continue();
  }, "meanwhile", type);
  await page.click("text=Keep mine over it");
  await kept(page, 2);
  assert.equal(await page.isVisible("#browse-problem"), false);
  await press(page, "n");
  await isPost(page, "p7");
  assert.equal((await post(page, 6)).record.entities[0].type, "MINE");
  assert.deepEqual(unexpected(page), []);
}

// Steps to rows that are not there yet, a server that is away, and pictures that are let go.
export async function browse_far(browser, url) {
  const page = await open(browser, url);
  await begin2(page);
  await counted(page);
  for (const [key, id] of [["n", "p1"], ["p", "grace"], ["n", "p1"], ["p", "grace"]]) {
    await press(page, key);
    await isPost(page, id);
    await told(page, id === "p1" ? "Post 2 of" : "Post 1 of");
  }
  assert.equal(await page.evaluate(() => window.pictures.size), 1, "pictures that are kept");
  await page.$eval("#list", (list) => { list.scrollTop = 93 * 56 - list.clientHeight; });
  await page.click("#list [data-at='92']");
  await isPost(page, "p92");
  const opened = [];
  page.on("request", (r) => /browse\/post/.test(r.url()) && opened.push(Number(new URL(r.url()).searchParams.get("post"))));
  const rows = /browse\/rows.*from=100&/, go = await hold(page, rows, (route) => route.continue());
  for (let i = 0; i < 8; i++) {
    await press(page, "n");
    await page.waitForTimeout(10);
  }
  go();
  await isPost(page, "p100");
  await chosen(page, "p100");
  assert.deepEqual(opened, [...new Set(opened)].sort((a, b) => a - b), "one post after the other");
  await page.route("**/v1/browse/**", (route) => route.abort());
  for (const key of ["n", "p", "End"]) {
    if (key === "End") await page.press("#list", key);
    else await press(page, key);
    await problem(page, "The server can't be reached.");
    await chosen(page, "p100");
    await page.evaluate(() => { document.getElementById("browse-problem").hidden = true; });
  }
  await page.$eval("#list", (list) => { list.scrollTop = 1000 * 56; });
  await problem(page, "The server can't be reached.");
  await page.unroute("**/v1/browse/**");
  await press(page, "n");
  await isPost(page, "p101");
  await chosen(page, "p101");
  assert.equal(await page.isVisible("#browse-problem"), false);
  assert.deepEqual(unexpected(page), []);
}

// After the server was killed and started again all corrections are there.
export async function browse_again(browser, url, folder) {
  const page = await open(browser, url);
  await begin(page);
  const now = await post(page);
  assert.equal(now.version, 14);
  assert.equal(now.record.entities[0].type, "ORG");
  await page.waitForFunction(() => /version 14/.test(document.getElementById("browse-status").textContent));
  await page.selectOption("[name=corrected]", "yes");
  await page.waitForFunction(() => document.getElementById("total").textContent === "1 of 3000 posts");
  assert.deepEqual(page.faults, []);
  // side by side where there is room, else under each other
  await shots(browser, url, folder, "browse", async (p) => {
    await begin(p);
    const list = await p.locator("#list").boundingBox(), pane = await p.locator("#pane").boundingBox();
    assert(p.viewportSize().width < 500 ? pane.y >= list.y + list.height : pane.x >= list.x + list.width, "the columns");
  });
}

const isPost = (page, id) => page.waitForFunction((x) => document.querySelector("#browse-card h2")?.textContent === x, id);

// Two files side by side: what differs, and taking an entity of the second one over.
export async function browse_beside(browser, url) {
  const page = await open(browser, url);
  await begin(page);
  assert.equal(await page.textContent("#beside-head"), "other.jsonl");
  assert.equal(await page.locator("#take button").count(), 0, "nothing can be taken before one edits");
  await page.selectOption("[name=differs]", "any");
  await page.waitForFunction(() => document.getElementById("total").textContent === "2 of 20 posts");
  assert.deepEqual(await ids(page), ["p3", "p5"]);
  assert.match(await page.innerText("#list"), /differs: type[^]*differs: span/);
  await page.selectOption("[name=differs]", "span");
  await page.waitForFunction(() => document.getElementById("total").textContent === "1 of 20 posts");
  await page.selectOption("[name=differs]", "any");
  await isPost(page, "p3");
  await page.waitForFunction(() => document.querySelector("#beside-card h2").textContent === "p3");
  assert.match(await page.innerText("#beside-card mark"), /ORG/);
  await page.click("#edit");
  await page.click("#take >> text=Take Ann\u{1F600} (ORG)");
  await kept(page, 1);
  let now = (await post(page, 3)).record.entities;
  assert.deepEqual(now.map((e) => [e.type, e.source, e.start, e.end]), [["ORG", "corrected", 0, 4]], "in place of the other");
  await page.click("#undo");
  await kept(page, 2);
  assert.equal((await post(page, 3)).record.entities[0].type, "PER");
  await page.click("#redo"); // it differs no more, and is no more in the list: the next one is the first there
  await kept(page, 3);
  await page.keyboard.press("n");
  await isPost(page, "p5");
  assert.deepEqual(await ids(page), ["p5"]);
  await page.click("#edit");
  await page.click("#take >> text=Take post (OTHER)");
  await kept(page, 1);
  now = (await post(page, 5)).record.entities;
  assert.deepEqual(now.map((e) => [e.text, e.type]), [["Ann\u{1F600}", "LOC"], ["post", "OTHER"]]);
  await accessible(page, "two files");
  assert.deepEqual(page.faults, []);
}

// A run folder is a file like any other.
export async function browse_run(browser, url) {
  const page = await open(browser, url);
  await shown(page);
  assert.equal(await page.textContent("#browse-head"), "Browse and correct out.run");
  assert.deepEqual(await ids(page), ["a", "b"]);
  await isPost(page, "a");
  await page.click("#edit");
  await page.fill("#type", "OTHER");
  await page.press("#type", "Tab");
  await kept(page, 1);
  assert.deepEqual(page.faults, []);
}
