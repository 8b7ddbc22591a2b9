// What each stage added to a record, and the time that it took.
const percent = (x) => typeof x === "number" ? x.toFixed(2) : "–";
const each = (list, say) => (list || []).map(say).filter(Boolean);
const names = (list) => list.length ? list : ["nothing"];

function notes(record, kind) {
  return each(record.entities, (e) => {
    const own = (e.note || "").split("; ").filter((n) => kind.test(n));
    return own.length ? `${e.text}: ${own.join("; ")}` : null;
  });
}

function entailed(e) {
  if (typeof e.visible !== "number") return null;
  const by = Object.entries(e.evidence || {}).map(([who, p]) => `${who} ${percent(p)}`);
  return `${e.text}: in the image with probability ${percent(e.visible)}${by.length ? ` (by ${by.join(", ")})` : ""}`;
}

function tagged(e) {
  const u = e.uncertainty || {};
  const more = typeof u.entropy === "number" ? `, entropy ${u.entropy.toFixed(3)} nats, margin ${percent(u.margin)}` : "";
  return `${e.text} (${e.type}): score ${percent(e.score)}${more}`;
}

const added = {
  tag: (r) => each(r.entities, tagged).concat(
    each(r.entity_candidates, (c) => `perhaps missed: ${c.text} (${c.type}) ${percent(c.score)}`)),
  look: (r) => each(r.objects, (o) => `${o.label} ${percent(o.score)}`),
  read: (r) => each(r.texts, (t) => `“${t.text}” ${percent(t.score)}`),
  inform: (r) => [r.caption && `caption: ${r.caption}`, r.knowledge && `knowledge: ${r.knowledge}`].filter(Boolean),
  refine: (r) => notes(r, /^(refine|merged|added)/),
  expand: (r) => each(r.entities, (e) => e.expression && `${e.text}: ${e.expression}`),
  entail: (r) => each(r.entities, entailed),
  ground: (r) => each(r.entities, (e) => e.regions && e.regions.length ? `${e.text}: ${e.regions.length} box(es), ` +
    e.regions.map((g) => `${g.label || "region"} ${percent(g.score)}`).join(", ") : null).concat(notes(r, /^no_box/)),
  check: (r) => notes(r, /^check/),
  segment: (r) => each(r.entities, (e) => {
    const masks = each(e.regions, (g) => g.mask ? "mask" : g.note);
    return masks.length ? `${e.text}: ${masks.join(", ")}` : null;
  }),
};

// What a language model was asked about the post, and which samples stood in the prompt.
const asked = (record, stage) => each(record.asked, (a) => a.stage === stage ? [`asked: ${a.requests} request(s), ` +
  `${a.prompt_tokens} tokens sent, ${a.completion_tokens} received`].concat(
  each(a.samples, (s) => `sample ${s.id}: “${s.text}”`)) : null).flat();

function cell(row, kind, text) {
  const c = document.createElement(kind);
  if (kind === "th") c.scope = "row";
  c.textContent = text;
  row.append(c);
  return c;
}

// Fills a table's body: a row a stage of the recipe.
export function tellStages(body, record, recipe, timings) {
  body.replaceChildren();
  for (const { stage, backend } of recipe ? recipe.stages : []) {
    const row = body.insertRow();
    const time = (timings || []).filter((t) => t.stage === stage);
    cell(row, "th", `${stage}: ${backend}`);
    cell(row, "td", time.length ? `${time.reduce((sum, t) => sum + t.ms, 0).toFixed(1)} ms` : "–");
    cell(row, "td", time.length ? String(time[0].posts) : "–");
    const list = document.createElement("ul");
    for (const text of names((added[stage] || (() => []))(record).concat(asked(record, stage)))) {
      const item = document.createElement("li");
      item.dir = "auto";
      item.textContent = text;
      list.append(item);
    }
    cell(row, "td", "").append(list);
  }
}
