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

function cell(row, kind, text) {
  const c = document.createElement(kind);
  if (kind === "th") c.scope = "row";
  c.textContent = text;
  row.append(c);
  return c;
}

// Fills a table's body: a row a stage of the recipe. `asked`: what the server's language models did meanwhile.
export function tellStages(body, record, recipe, timings, asked) {
  body.replaceChildren();
  for (const { stage, backend } of recipe ? recipe.stages : []) {
    const row = body.insertRow();
    const time = (timings || []).filter((t) => t.stage === stage);
    cell(row, "th", `${stage}: ${backend}`);
    cell(row, "td", time.length ? `${time.reduce((sum, t) => sum + t.ms, 0).toFixed(1)} ms` : "–");
    cell(row, "td", time.length ? String(time[0].posts) : "–");
    const list = document.createElement("ul");
    for (const text of names((added[stage] || (() => []))(record))) {
      const item = document.createElement("li");
      item.dir = "auto";
      item.textContent = text;
      list.append(item);
    }
    cell(row, "td", "").append(list);
  }
  if (asked && asked.requests) {
    const row = body.insertRow();
    cell(row, "th", "language models");
    cell(row, "td", "–");
    cell(row, "td", "–");
    cell(row, "td", `${asked.requests} request(s), ${asked.cached} from the cache; ${asked.sent} tokens sent, ` +
      `${asked.received} received (of all who asked the server meanwhile)`);
  }
}

// The counters of /metrics that tell of language models.
export function readAsked(text) {
  const sum = (name) => text.split("\n").filter((l) => l.startsWith(`${name}{`))
    .reduce((total, l) => total + Number(l.slice(l.lastIndexOf(" ") + 1)), 0);
  return { requests: sum("gmner_llm_requests_total"), cached: sum("gmner_llm_cache_hits_total"),
    sent: sum("gmner_llm_prompt_tokens_total"), received: sum("gmner_llm_completion_tokens_total") };
}

export const difference = (a, b) => Object.fromEntries(Object.keys(a).map((k) => [k, b[k] - a[k]]));
