// Filters the posts of a report. Behind card.js in one script.
const posts = [...document.querySelectorAll(".post")];
const $ = (id) => document.getElementById(id);

function fits(post, types, which, words) {
  const own = post.dataset.types.split("\n");
  const mark = which.startsWith("mark ") ? which.slice(5) : null;
  const has = (name) => name in post.dataset;
  const wanted = {
    "": true,
    regions: has("regions"),
    unfound: has("image") && !has("regions"),
    text: !has("image"),
    error: has("error"),
  };
  const chosen = mark === null ? wanted[which] : post.dataset.marks.split(" ").includes(mark);
  return chosen && (types.length === 0 || types.some((t) => own.includes(t))) &&
    (words === "" || post.textContent.toLowerCase().includes(words));
}

function filter() {
  const types = [...document.querySelectorAll("[aria-pressed=true]")].map((b) => b.dataset.type);
  const words = $("words").value.trim().toLowerCase();
  let shown = 0;
  for (const post of posts) {
    post.hidden = !fits(post, types, $("which").value, words);
    shown += !post.hidden;
  }
  $("shown").textContent = shown === posts.length ? "" : `${shown} of ${posts.length} posts shown`;
}

const filters = $("filters"); // the page of one post has none
if (filters) {
  filters.hidden = false;
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("click", (event) => {
    const button = event.target.closest("[aria-pressed]");
    if (!button) return;
    button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
    filter();
  });
  $("words").addEventListener("input", filter);
  $("which").addEventListener("change", filter);
  $("objects").addEventListener("change", () =>
    document.body.classList.toggle("objects", $("objects").checked));
}
