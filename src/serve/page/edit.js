// Corrections of one post: each is kept at once, as the post's next version, and can be undone.
import { Problem, postJson } from "./ask.js";

const HEARTBEAT_MS = 10000;
const who = [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
const copy = (x) => JSON.parse(JSON.stringify(x));

// A corrected entity is certain, and says who it is from.
export function touch(entity) {
  entity.source = "corrected";
  entity.score = 1;
  delete entity.uncertainty;
  return entity;
}

// One post that is edited. `tell` has changed(edit) and failed(problem). `unsaved`: `entities` has what is not kept (yet);
// `newer`: what another has made of the post, where that is why.
export class Edit {
  constructor(file, answer, name, tell) {
    Object.assign(this, { file, name, tell, chain: Promise.resolve() });
    this.take(answer);
  }

  // What was done before is undone only as long as nobody else has corrected the post; what was not kept is forgotten.
  take(answer) {
    if (answer.version !== this.version) this.kept = { done: [], undone: [] };
    Object.assign(this, { post: answer.post, version: answer.version, record: answer.record, hasImage: answer.image });
    Object.assign(this, this.kept, { entities: copy(answer.record.entities || []), unsaved: false, newer: null });
  }

  lease(ends) {
    return postJson("/v1/browse/lease", { file: this.file, post: this.post, who, name: this.name, ends });
  }

  async begin() {
    await this.lease(false);
    this.timer = setInterval(() => this.lease(false).catch((p) => this.failed(p)), HEARTBEAT_MS);
  }

  // Resolves to whether the post may be left: not with a correction that is not kept.
  async end() {
    if (!(await this.settled())) return false;
    if (this.timer) {
      clearInterval(this.timer);
      this.timer = null;
      await this.lease(true).catch(() => {});
    }
    return this.settled();
  }

  // Resolves, once all that was sent is answered, to whether all is kept.
  async settled() {
    for (let seen = null; seen !== this.chain;) await (seen = this.chain);
    return !this.unsaved;
  }

  // `change` works on the list of entities.
  apply(change) {
    const next = copy(this.entities);
    change(next);
    return this.save(next, { done: [...this.done, this.entities], undone: [] });
  }

  undo() {
    if (!this.done.length) return this.chain;
    return this.save(this.done.at(-1), { done: this.done.slice(0, -1), undone: [...this.undone, this.entities] });
  }

  redo() {
    if (!this.undone.length) return this.chain;
    return this.save(this.undone.at(-1), { done: [...this.done, this.entities], undone: this.undone.slice(0, -1) });
  }

  save(next, steps) {
    Object.assign(this, steps, { entities: next, unsaved: true });
    return this.queue(async () => {
      const answer = await (await postJson("/v1/browse/save",
        { file: this.file, post: this.post, who, version: this.version, entities: next })).json();
      Object.assign(this, { version: answer.version, record: answer.record, kept: steps, newer: null });
      if (this.entities === next) Object.assign(this, { entities: copy(answer.record.entities || []), unsaved: false });
      await this.tell.changed(this);
    });
  }

  queue(act) {
    this.chain = this.chain.then(act).catch((p) => this.failed(p));
    return this.chain;
  }

  failed(problem) {
    if (problem instanceof Problem && problem.status === 409) this.newer = problem.document.current ?? null;
    this.tell.failed(problem);
  }

  // After a correction was not kept: another's version, or the one before, in its place,
  theirs() {
    return this.queue(async () => {
      this.take(this.newer ?? { post: this.post, version: this.version, record: this.record, image: this.hasImage });
      await this.tell.changed(this);
    });
  }

  // or one's own once more, over another's.
  mine() {
    if (this.newer) this.version = this.newer.version;
    return this.save(this.entities, { done: this.done, undone: this.undone });
  }
}

// ---- boxes by pointer ----

const SVG = "http://www.w3.org/2000/svg";

// Lets the boxes of a card be dragged, and resized by their corners. `done(e, k, box)`: a region has a new box.
export function boxes(card, entities, done) {
  const svg = card.querySelector(".frame svg");
  if (!svg) return;
  const view = svg.viewBox.baseVal, counts = {};
  for (const group of svg.querySelectorAll(".region")) {
    const e = Number(group.dataset.e), k = counts[e] = (counts[e] ?? -1) + 1;
    const rect = group.querySelector("rect");
    if (!rect || !entities[e] || !entities[e].regions[k]) continue;
    const radius = Math.max(view.width, view.height) / 60;
    const box = [...entities[e].regions[k].box];
    const handles = [[0, 1], [2, 1], [0, 3], [2, 3]].map(([i, j]) => {
      const handle = document.createElementNS(SVG, "circle");
      handle.setAttribute("class", "handle");
      handle.setAttribute("r", radius);
      group.append(handle);
      watch(handle, (dx, dy, from) => { box[i] = from[i] + dx; box[j] = from[j] + dy; });
      return [handle, i, j];
    });
    const put = () => {
      rect.setAttribute("x", Math.min(box[0], box[2]));
      rect.setAttribute("y", Math.min(box[1], box[3]));
      rect.setAttribute("width", Math.abs(box[2] - box[0]));
      rect.setAttribute("height", Math.abs(box[3] - box[1]));
      for (const [handle, i, j] of handles) {
        handle.setAttribute("cx", box[i]);
        handle.setAttribute("cy", box[j]);
      }
    };
    const inside = (x, most) => Math.round(Math.min(most, Math.max(0, x)) * 100) / 100;
    function watch(element, move) {
      element.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        const from = [...box], x = event.clientX, y = event.clientY;
        const scale = view.width / svg.getBoundingClientRect().width;
        element.setPointerCapture(event.pointerId);
        const onMove = (m) => { move((m.clientX - x) * scale, (m.clientY - y) * scale, from); put(); };
        const onUp = () => {
          element.removeEventListener("pointermove", onMove);
          const sorted = [Math.min(box[0], box[2]), Math.min(box[1], box[3]), Math.max(box[0], box[2]), Math.max(box[1], box[3])]
            .map((v, i) => inside(v, i % 2 ? view.height : view.width));
          if (sorted.some((v, i) => v !== from[i]) && sorted[0] < sorted[2] && sorted[1] < sorted[3]) done(e, k, sorted);
        };
        element.addEventListener("pointermove", onMove);
        element.addEventListener("pointerup", onUp, { once: true });
      });
    }
    watch(rect, (dx, dy, from) => { for (let i = 0; i < 4; i++) box[i] = from[i] + (i % 2 ? dy : dx); });
    put();
  }
}

// ---- spans by selection ----

// [start, end] in code points of the text that is selected in a card; null = none. The types that stand in it are no
// part of the text.
export function selected(card) {
  const text = card.querySelector(".text"), selection = getSelection();
  if (!text || !selection.rangeCount || selection.isCollapsed || !text.contains(selection.anchorNode)) return null;
  const range = selection.getRangeAt(0), walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let at = 0, start = null, end = null;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest(".tag")) continue;
    const from = node === range.startContainer ? range.startOffset : 0;
    const to = node === range.endContainer ? range.endOffset : node.data.length;
    if (range.intersectsNode(node) && from < to) {
      start ??= at + [...node.data.slice(0, from)].length;
      end = at + [...node.data.slice(0, to)].length;
    }
    at += [...node.data].length;
  }
  return start === null ? null : [start, end];
}
