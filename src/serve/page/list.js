// A list of any length: only the rows in sight are there, and only the pages of rows near them are asked for.
const HEIGHT = 56, PAGE = 100;

// `get(from, count)` resolves to {rows, total}; `fill(element, row)` writes one; `chosen(position, row)` is told, and
// resolves to whether that row is the one that is shown now; `failed(problem)`: rows can't be read.
export function makeList(box, get, fill, chosen, failed) {
  const sizer = box.firstElementChild;
  const nowhere = { at: -1, row: null };
  let pages = new Map(), total = 0, age = 0;
  let place = nowhere; // the row that is chosen, and its position
  let shown = nowhere; // the last one that was shown
  let fresh = Promise.resolve(), moved = Promise.resolve();

  async function page(number) {
    if (!pages.has(number)) {
      const answer = get(number * PAGE, PAGE), those = pages;
      those.set(number, answer);
      answer.catch(() => those.delete(number));
    }
    return pages.get(number);
  }

  async function rowAt(position) {
    const answer = await page(Math.floor(position / PAGE));
    return answer.rows[position % PAGE];
  }

  async function draw() {
    const now = ++age;
    try {
      await drawRows(now);
    } catch (problem) {
      if (now === age) failed(problem);
    }
  }

  async function drawRows(now) {
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 5);
    const last = Math.min(total, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + 5);
    const elements = [];
    for (let i = first; i < last; i++) {
      const row = await rowAt(i);
      if (now !== age) return; // the list has been moved on meanwhile
      if (!row) break; // it has become shorter, and is read anew
      const element = document.createElement("div");
      element.id = `row-${i}`;
      element.setAttribute("role", "option");
      element.setAttribute("aria-selected", String(i === place.at));
      element.setAttribute("aria-posinset", String(i + 1));
      element.setAttribute("aria-setsize", String(total));
      element.style.top = `${i * HEIGHT}px`;
      element.dataset.at = i;
      fill(element, row);
      elements.push(element);
    }
    sizer.replaceChildren(...elements);
    if (document.getElementById(`row-${place.at}`)) box.setAttribute("aria-activedescendant", `row-${place.at}`);
    else box.removeAttribute("aria-activedescendant");
  }

  // One move after the other, so that each begins where the one before it has come to, though its row has first to be
  // asked for. `to()` resolves to a position.
  function move(to) {
    const next = moved.then(async () => {
      const at = await to(), row = at >= 0 && at < total ? await rowAt(at) : null;
      return row && (place = { at, row });
    });
    moved = next.catch(() => {});
    return next.then((there) => there && open(there)).catch(failed);
  }

  // What can't be shown is not chosen either.
  async function open(there) {
    reveal();
    if (await chosen(there.at, there.row)) shown = there;
    else if (place === there) {
      place = shown;
      reveal();
    }
  }

  function reveal() {
    const top = Math.max(0, place.at) * HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + HEIGHT - box.clientHeight;
    draw();
  }

  const choose = (position) => move(() => position);

  // Where the chosen one is no more among those that are wanted, the next one is at its place now.
  const step = (by) => move(async () => {
    await fresh;
    const here = place.at >= 0 && place.at < total ? await rowAt(place.at) : null;
    return by > 0 && here && here.post !== place.row.post ? place.at + by - 1 : place.at + by;
  });

  // Everything anew; the place stays where it can.
  function refresh(keep = false) {
    const answer = load(keep);
    fresh = answer.catch(() => total);
    return answer;
  }

  async function load(keep) {
    const those = pages = new Map(), answer = await page(0);
    if (those !== pages) return fresh; // it has been asked for once more meanwhile
    total = answer.total;
    sizer.style.height = `${total * HEIGHT}px`;
    if (!keep) {
      place = shown = nowhere;
      box.scrollTop = 0;
    }
    await draw();
    return total;
  }

  box.addEventListener("scroll", draw);
  box.addEventListener("click", (event) => {
    const row = event.target.closest("[data-at]");
    if (row) choose(Number(row.dataset.at));
  });
  box.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -total, End: total };
    if (!(event.key in steps)) return;
    event.preventDefault();
    move(() => Math.min(total - 1, Math.max(0, place.at + steps[event.key])));
  });
  return { refresh, choose, step, total: () => total };
}
