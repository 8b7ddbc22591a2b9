// Trying a post: its text and picture are sent, and its record is shown.
import { ask, getJson, postJson, query } from "./ask.js";
import { letGo, pictureOf, show } from "./show.js";
import { tellStages } from "./stages.js";

const at = (id) => document.getElementById(id);
let recipes = [];
let file = null; // the picture of the next post
let shown = null; // {record, timings, recipe, file}: what is on the page
let preview = null, pictured = null; // the pictures beside the form and on the card

function say(text) { at("status").textContent = text; }

function fail(problem) {
  at("problem").textContent = problem.message;
  at("problem").hidden = false;
  say("");
}

async function choose(next) {
  file = next || null;
  if (!file) at("image").value = "";
  const picture = next ? await pictureOf(next) : null;
  if (file !== (next || null)) return letGo(picture); // another one has been chosen meanwhile
  const before = preview;
  preview = picture;
  at("preview").hidden = !file;
  at("preview-img").hidden = !picture;
  if (picture) at("preview-img").src = picture.url;
  else at("preview-img").removeAttribute("src");
  at("preview-name").textContent = file ? file.name || "pasted picture" : "";
  letGo(before);
}

async function render() {
  let picture = shown.file && await pictureOf(shown.file);
  at("result").hidden = false;
  try {
    await show(at("card"), shown.record, picture);
    [pictured, picture] = [picture, pictured];
  } finally {
    letGo(picture);
  }
  at("record").textContent = JSON.stringify(shown.record, null, 2);
  tellStages(at("stages-body"), shown.record, recipes.find((r) => r.name === shown.recipe), shown.timings);
  at("saved").textContent = "";
}

async function predict(event) {
  event.preventDefault();
  at("problem").hidden = true;
  say("Looking for entities…");
  const form = new FormData(), sent = file, recipe = at("recipe").value;
  form.append("text", at("text").value);
  if (sent) form.append("image", sent);
  try {
    const answer = await ask(`/v1/predict?${query({ recipe, timings: true })}`, { method: "POST", body: form });
    const { timings, ...record } = await answer.json();
    shown = { record, timings, recipe, file: sent };
    await render();
    const n = (record.entities || []).length;
    say(n === 1 ? "1 entity found." : `${n} entities found.`);
  } catch (problem) {
    fail(problem);
  }
}

async function copy() {
  try {
    await navigator.clipboard.writeText(at("record").textContent);
    say("The JSON is copied.");
  } catch {
    at("json").open = true;
    getSelection().selectAllChildren(at("record"));
    say("The browser does not let the page copy; the JSON is selected.");
  }
}

const asUri = (blob) => new Promise((done) => {
  const reader = new FileReader();
  reader.addEventListener("load", () => done(reader.result));
  reader.readAsDataURL(blob);
});

async function save() {
  try {
    const { record, timings, recipe } = shown;
    const image = shown.file ? { image: await asUri(shown.file) } : {};
    const { path } = await (await postJson("/v1/records", { record, recipe, timings, ...image })).json();
    const link = document.createElement("a");
    link.href = path;
    link.textContent = new URL(path, location.href).href;
    at("saved").replaceChildren("Kept as ", link);
  } catch (problem) {
    fail(problem);
  }
}

// A picture that was kept as data:…;base64,…
function fileOf(uri) {
  const [head, body] = uri.split(",");
  const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  return new File([bytes], "picture", { type: head.slice(5).split(";")[0] });
}

async function openKept(id) {
  try {
    const kept = await getJson(`/v1/record?${query({ id })}`);
    shown = { ...kept, file: kept.image ? fileOf(kept.image) : null };
    at("text").value = kept.record.text || "";
    if (recipes.some((r) => r.name === kept.recipe)) at("recipe").value = kept.recipe;
    await choose(shown.file);
    await render();
    say("A kept record.");
  } catch (problem) {
    fail(problem);
  }
}

const pictureIn = (data) => [...data.files].find((f) => f.type.startsWith("image/"));

function watch() {
  const form = at("post");
  form.addEventListener("submit", predict);
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  at("image").addEventListener("change", () => choose(at("image").files[0]));
  at("no-image").addEventListener("click", () => { choose(null); at("image").focus(); });
  for (const kind of ["dragover", "dragleave", "drop"])
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && pictureIn(event.dataTransfer)) choose(pictureIn(event.dataTransfer));
      else if (kind === "drop" && event.dataTransfer.getData("text")) at("text").value = event.dataTransfer.getData("text");
    });
  document.addEventListener("paste", (event) => {
    const picture = !at("try").hidden && pictureIn(event.clipboardData);
    if (!picture) return;
    event.preventDefault();
    choose(picture);
  });
  at("copy").addEventListener("click", copy);
  at("keep").addEventListener("click", save);
  at("masks").addEventListener("change", () => document.body.classList.toggle("no-masks", !at("masks").checked));
  at("objects").addEventListener("change", () => document.body.classList.toggle("objects", at("objects").checked));
}

export async function startTry(abilities) {
  watch();
  at("keep").hidden = !abilities.records;
  recipes = (await getJson("/v1/recipes")).recipes;
  for (const r of recipes) at("recipe").add(new Option(r.name, r.name));
  const tell = () => { at("recipe-about").textContent = recipes.find((r) => r.name === at("recipe").value).description; };
  at("recipe").addEventListener("change", tell);
  const kept = location.pathname.match(/^\/r\/([0-9a-f]+)$/);
  if (kept) await openKept(kept[1]);
  tell();
}
