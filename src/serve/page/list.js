// A list of any length: only the rows in sight are there, and only the pages of rows near them are asked for.
const HEIGHT = 56, PAGE = 100;

// `get(from, count)` resolves to {rows, total}; `fill(element, row)` writes one; `chosen(position, row)` is told.
export function makeList(box, get, fill, chosen) {
  const sizer = box.firstElementChild;
  let pages = new Map(), total = 0, at = -1, age = 0;
  let current = null; // the row that is chosen
  let fresh = Promise.resolve();

  async function page(number) {
    if (!pages.has(number)) {
      const answer = get(number * PAGE, PAGE);
      pages.set(number, answer);
      answer.catch(() => pages.delete(number));
    }
    return pages.get(number);
  }

  async function rowAt(position) {
    const answer = await page(Math.floor(position / PAGE));
    return answer.rows[position % PAGE];
  }

  async function draw() {
    const now = ++age;
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 5);
    const last = Math.min(total, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + 5);
    const elements = [];
    for (let i = first; i < last; i++) {
      const row = await rowAt(i);
      if (now !== age) return; // the list has been moved on meanwhile
      const element = document.createElement("div");
      element.id = `row-${i}`;
      element.setAttribute("role", "option");
      element.setAttribute("aria-selected", String(i === at));
      element.setAttribute("aria-posinset", String(i + 1));
      element.setAttribute("aria-setsize", String(total));
      element.style.top = `${i * HEIGHT}px`;
      element.dataset.at = i;
      fill(element, row);
      elements.push(element);
    }
    sizer.replaceChildren(...elements);
    if (document.getElementById(`row-${at}`)) box.setAttribute("aria-activedescendant", `row-${at}`);
    else box.removeAttribute("aria-activedescendant");
  }

  async function choose(position) {
    if (position < 0 || position >= total) return;
    at = position;
    const top = at * HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + HEIGHT - box.clientHeight;
    await draw();
    current = await rowAt(at);
    await chosen(at, current);
  }

  // Where the chosen one is no more among those that are wanted, the next one is at its place now.
  async function step(by) {
    await fresh;
    const here = at >= 0 && at < total ? await rowAt(at) : null;
    await choose(by > 0 && current && here && here.post !== current.post ? at + by - 1 : at + by);
  }

  // Everything anew; the place stays where it can.
  function refresh(keep = false) {
    const answer = load(keep);
    fresh = answer.catch(() => {});
    return answer;
  }

  async function load(keep) {
    pages = new Map();
    total = (await page(0)).total;
    sizer.style.height = `${total * HEIGHT}px`;
    if (!keep) {
      at = -1;
      current = null;
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
    choose(Math.min(total - 1, Math.max(0, at + steps[event.key])));
  });
  return { refresh, choose, step, total: () => total };
}
