// Browsing files of posts and correcting them.
import { ask, getJson, query } from "./ask.js";
import { Edit, boxes, selected, touch } from "./edit.js";
import { makeList } from "./list.js";
import { cardOf, letGo, pictureOf, show } from "./show.js";

const at = (id) => document.getElementById(id);
const FORMATS = ["jsonl", "conll", "fmnerg", "voc", "ccks", "ccks-text", "coco", "labelstudio", "riveg", "riveg-pred",
  "riveg-ve", "riveg-vg", "ofa-ve", "ofa-vg"];
let files, list;
let edit = null;    // of the post that is shown
let picture = null; // of it
let beside = null;  // the record of the second file
let chosen = 0;     // the entity that the fields are about

const say = (text) => { at("browse-status").textContent = text; };
const name = () => at("annotator").value.trim() || "somebody";

function fail(problem) {
  at("browse-problem").hidden = false;
  at("browse-problem-text").textContent = problem.message;
  tellSteps();
}

// What can be done about corrections: to undo them, or about one that is not kept.
function tellSteps() {
  at("undo").disabled = !edit?.done.length;
  at("redo").disabled = !edit?.undone.length;
  at("conflict").hidden = !edit?.unsaved && !(edit?.newer && isEditing());
  at("theirs").textContent = edit?.newer ? "Take the newer version" : "Drop mine";
  at("mine").textContent = edit?.newer ? "Keep mine over it" : "Save mine again";
}

function filters() {
  const values = Object.fromEntries(new FormData(at("browse-filters")));
  return { file: 0, ...values };
}

const getRows = (from, count) => getJson(`/v1/browse/rows?${query({ ...filters(), from, count })}`);

function fillRow(element, row) {
  const head = document.createElement("b"), text = document.createElement("span"), more = document.createElement("small");
  head.textContent = row.id;
  text.textContent = row.text;
  text.dir = "auto";
  more.textContent = [`${row.entities} entit${row.entities === 1 ? "y" : "ies"}`, row.version ? "corrected" : "",
    row.wrong.length ? `wrong: ${row.wrong.join(", ")}` : "", row.differs.length ? `differs: ${row.differs.join(", ")}` : "",
    row.uncertainty ? `uncertainty ${row.uncertainty}` : "",
    row.locked ? `${row.locked} edits it` : ""].filter(Boolean).join(" · ");
  element.append(head, " ", text, more);
}

async function pictureAt(file, post) {
  try {
    return await pictureOf(await (await ask(`/v1/browse/picture?${query({ file, post })}`)).blob());
  } catch {
    return null;
  }
}

// ---- the post that is shown ----

const isEditing = () => Boolean(edit && edit.timer);

const render = async () => put(await cardOf(edit.record, picture));

function put(content) {
  at("browse-card").replaceChildren(content);
  const card = at("browse-card").firstElementChild;
  tellSteps();
  at("edit").setAttribute("aria-pressed", String(isEditing()));
  at("edit-fields").hidden = !isEditing();
  fillTake();
  if (!isEditing()) return;
  boxes(card, edit.entities, (e, k, box) => edit.apply((all) => setBox(touch(all[e]).regions[k], box)));
  fillFields();
}

// A mask stays as it was found, for the old box, until somebody says what becomes of it.
function setBox(region, box) {
  region.box = box;
  if (region.mask) region.note = "mask:old_box";
}

async function showBeside() {
  if (files.length < 2) return;
  at("beside").hidden = false;
  try {
    beside = (await getJson(`/v1/browse/post?${query({ file: 1, id: edit.record.id })}`)).record;
    await show(at("beside-card"), beside, picture, 2);
  } catch (problem) {
    beside = null;
    at("beside-card").textContent = problem.status === 404 ? `${files[1].name} does not have this post.` : problem.message;
  }
  fillTake();
}

// A button for each entity of the second file, where it is about the same text.
function fillTake() {
  const fits = isEditing() && beside && beside.text === edit.record.text;
  at("take").replaceChildren(...(fits ? beside.entities || [] : []).map((e) =>
    button(`Take ${e.text} (${e.type})`, () => edit.apply((all) => take(all, e)))));
}

// In place of those that it overlaps.
function take(all, entity) {
  const e = touch(structuredClone(entity)), others = all.filter((x) => x.end <= e.start || x.start >= e.end);
  all.splice(0, all.length, ...others, e);
  putInOrder(all, e);
}

function putInOrder(all, e) {
  all.sort((a, b) => a.start - b.start || a.end - b.end);
  chosen = all.indexOf(e);
}

// One after the other, however fast the keys come: so that the post that is shown is the last one asked for (those in
// between are skipped), and one that is taken to be edited is given back. Whether it is shown now.
let wanted = 0, turn = Promise.resolve();

function inTurn(act) {
  turn = turn.then(act).catch(fail);
  return turn;
}

function openPost(position, row) {
  const mine = ++wanted;
  return inTurn(() => mine === wanted && openNow(position, row));
}

const toggleEditing = () => inTurn(() => isEditing() ? stopEditing() : startEditing());

// Everything is asked for before anything is replaced. A correction that is not kept stays, and with it its post.
async function openNow(position, row) {
  if (!edit?.unsaved) at("browse-problem").hidden = true;
  const answer = await getJson(`/v1/browse/post?${query({ file: 0, post: row.post })}`);
  let other = answer.image ? await pictureAt(0, row.post) : null;
  try {
    const card = await cardOf(answer.record, other);
    if (edit && !(await edit.end())) return stay();
    edit = new Edit(0, answer, name(), { changed: onChanged, failed: fail });
    chosen = 0;
    beside = null;
    [picture, other] = [other, picture];
    at("pane").hidden = false;
    put(card);
    await showBeside();
  } finally {
    letGo(other);
  }
  say(`Post ${position + 1} of ${list.total()}${answer.version ? `, version ${answer.version}` : ""}.`);
  return true;
}

function stay() {
  say("Your correction of this post is not kept yet.");
  return false;
}

async function onChanged() {
  if (!edit.unsaved) at("browse-problem").hidden = true;
  await render();
  say(edit.version ? `Kept as version ${edit.version}.` : "Nothing is corrected.");
  await list.refresh(true);
}

async function startEditing() {
  if (!(await edit.settled())) return stay();
  edit.name = name();
  edit.take(await getJson(`/v1/browse/post?${query({ file: 0, post: edit.post })}`));
  await edit.begin();
  await render();
  say("You edit this post; others can't meanwhile.");
}

async function stopEditing() {
  if (!(await edit.end())) return stay();
  await render();
  say("The post is free again.");
}

// ---- the fields of an entity ----

const entity = () => edit.entities[chosen];

function fillFields() {
  const select = at("entity");
  select.replaceChildren(...edit.entities.map((e, i) => new Option(`${e.text} (${e.type})`, i)));
  chosen = Math.min(chosen, Math.max(0, edit.entities.length - 1));
  select.value = String(chosen);
  const e = entity();
  for (const field of at("of-entity").querySelectorAll("button, input, select")) field.disabled = !e;
  const fields = () => [...at("regions").querySelectorAll("button, input")];
  const focused = fields().indexOf(document.activeElement); // which the new fields take over
  at("regions").replaceChildren();
  if (!e) return;
  at("type").value = e.type;
  at("visible").value = typeof e.visible !== "number" ? "" : e.visible >= 0.5 ? "1" : "0";
  (e.regions || []).forEach((region, k) => at("regions").append(regionFields(region, k)));
  if (focused >= 0) (fields()[focused] || at("add-box")).focus();
}

function button(text, act, pressed) {
  const b = document.createElement("button");
  b.type = "button";
  b.textContent = text;
  if (pressed !== undefined) b.setAttribute("aria-pressed", String(pressed));
  b.addEventListener("click", act);
  return b;
}

function regionFields(region, k) {
  const set = document.createElement("fieldset"), legend = document.createElement("legend");
  legend.textContent = `Box ${k + 1}`;
  set.append(legend);
  ["left", "top", "right", "bottom"].forEach((side, i) => {
    const label = document.createElement("label"), input = document.createElement("input");
    input.type = "number";
    input.step = "any";
    input.value = region.box[i];
    input.addEventListener("change", () => change((e) => setBox(e.regions[k], region.box.with(i, Number(input.value)))));
    label.append(`${side} `, input);
    set.append(label);
  });
  if (region.mask) {
    if (region.note === "mask:old_box") set.append("The mask was made for the box as it was before. ");
    set.append(button("Accept the mask", () => change((e) => { e.regions[k].note = "mask:accepted"; }),
      region.note === "mask:accepted"));
    set.append(button("Reject the mask", () => change((e) => {
      delete e.regions[k].mask;
      e.regions[k].note = "no_mask:rejected";
    })));
  }
  set.append(button("Remove the box", () => change((e) => { e.regions.splice(k, 1); })));
  return set;
}

const change = (how) => edit.apply((all) => how(touch(all[chosen])));

function setSpan(e, [start, end]) {
  e.start = start;
  e.end = end;
  e.text = [...edit.record.text].slice(start, end).join("");
}

const place = () => {
  const span = selected(at("browse-card"));
  if (!span) say("Select the words in the post's text first.");
  return span;
};

function addEntity() {
  const span = place(), type = at("new-type").value.trim();
  if (!span || !type) return;
  edit.apply((all) => {
    const e = touch({ type });
    setSpan(e, span);
    all.push(e);
    putInOrder(all, e);
  });
}

// The end of the name by a character more or less.
function moveEnd(which, by) {
  const e = entity(), span = [e.start, e.end];
  span[which] += by;
  if (span[0] >= 0 && span[0] < span[1] && span[1] <= [...edit.record.text].length) change((x) => setSpan(x, span));
}

function addBox() {
  if (!picture) return;
  const { w, h } = picture;
  change((e) => {
    e.visible = 1;
    (e.regions ??= []).push({ box: [w / 4, h / 4, 3 * w / 4, 3 * h / 4].map(Math.round), score: 1 });
  });
}

function setVisible() {
  const value = at("visible").value;
  change((e) => {
    if (value === "") delete e.visible;
    else e.visible = Number(value);
    if (value !== "1") delete e.regions;
  });
}

function watchFields() {
  at("entity").addEventListener("change", () => { chosen = Number(at("entity").value); fillFields(); });
  at("browse-card").addEventListener("click", (event) => {
    const on = event.target.closest("[data-e]");
    if (!isEditing() || !on || !getSelection().isCollapsed) return;
    chosen = Number(on.dataset.e);
    fillFields();
  });
  at("browse-card").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && isEditing() && event.target.dataset.e) {
      chosen = Number(event.target.dataset.e);
      fillFields();
      at("type").focus();
    }
  });
  at("type").addEventListener("change", () => at("type").value.trim() && change((e) => {
    e.type = at("type").value.trim();
    delete e.fine_type;
  }));
  at("visible").addEventListener("change", setVisible);
  at("set-span").addEventListener("click", () => { const span = place(); if (span) change((e) => setSpan(e, span)); });
  for (const b of document.querySelectorAll("[data-end]"))
    b.addEventListener("click", () => moveEnd(Number(b.dataset.end), Number(b.dataset.by)));
  at("remove-entity").addEventListener("click", () => edit.apply((all) => all.splice(chosen, 1)));
  at("add-box").addEventListener("click", addBox);
  at("add-entity").addEventListener("click", addEntity);
  for (const what of ["theirs", "mine"])
    at(what).addEventListener("click", () => { at("browse-problem").hidden = true; edit[what](); });
  at("undo").addEventListener("click", () => edit.undo());
  at("redo").addEventListener("click", () => edit.redo());
  at("edit").addEventListener("click", toggleEditing);
}

// ---- keys, exports, beginning ----

function onKey(event) {
  if (at("browse").hidden || !edit) return;
  const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
  if (event.target.matches("input, textarea, select") && !(command && (key === "z" || key === "y") &&
    event.target.matches("select"))) return;
  const acts = command ? { z: () => event.shiftKey ? edit.redo() : edit.undo(), y: () => edit.redo() } :
    { n: () => list.step(1), p: () => list.step(-1), e: toggleEditing };
  if (!acts[key] || (command && !isEditing())) return;
  event.preventDefault();
  acts[key]();
}

async function exportAll() {
  const format = at("format").value;
  say("The export is being written…");
  try {
    const blob = await (await ask(`/v1/browse/export?${query({ file: 0, format })}`)).blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${files[0].name.replace(/\.[^.]*$/, "")}.${format}${format === "voc" ? ".tar" : ""}`;
    link.click();
    URL.revokeObjectURL(link.href);
    say("The export is ready.");
  } catch (problem) {
    fail(problem);
  }
}

async function refresh() {
  try {
    const total = await list.refresh();
    at("total").textContent = total === files[0].posts ? `${total} posts` : `${total} of ${files[0].posts} posts`;
    if (total) await list.choose(0);
  } catch (problem) {
    fail(problem);
  }
}

export async function startBrowse(abilities) {
  files = abilities.files;
  if (!files.length) return;
  for (const [id, values] of [["by-type", files[0].types], ["by-source", files[0].sources], ["format", FORMATS]])
    for (const v of values) at(id).add(new Option(v, v));
  for (const t of new Set([...files.flatMap((f) => f.types), "PER", "LOC", "ORG", "OTHER"]))
    at("types").append(new Option(t, t));
  at("by-gold").hidden = !files[0].gold;
  at("by-beside").hidden = !files[1];
  at("browse-head").textContent = `Browse and correct ${files[0].name}`;
  if (files[1]) at("beside-head").textContent = files[1].name;
  at("annotator").value = localStorage.getItem("gmner-name") || "";
  at("annotator").addEventListener("change", () => localStorage.setItem("gmner-name", at("annotator").value));
  list = makeList(at("list"), getRows, fillRow, openPost, fail);
  at("browse-filters").addEventListener("change", refresh);
  at("browse-filters").addEventListener("submit", (event) => event.preventDefault());
  at("next").addEventListener("click", () => list.step(1));
  at("previous").addEventListener("click", () => list.step(-1));
  at("export").addEventListener("click", exportAll);
  document.addEventListener("keydown", onKey);
  addEventListener("beforeunload", (event) => edit?.unsaved && event.preventDefault());
  addEventListener("pagehide", () => isEditing() && edit.lease(true).catch(() => {}));
  watchFields();
  at("parts").hidden = false;
  for (const part of ["try", "browse"])
    at(`to-${part}`).addEventListener("click", () => showPart(part));
  await showPart(location.pathname === "/" ? "browse" : "try");
  await refresh();
}

function showPart(part) {
  for (const p of ["try", "browse"]) {
    at(p).hidden = p !== part;
    at(`to-${p}`).setAttribute("aria-pressed", String(p === part));
  }
}
