// The page's script: sends one post as a form and shows its record.
const at = (id) => document.getElementById(id);

async function loadRecipes() {
  const { recipes } = await (await fetch("/v1/recipes")).json();
  for (const r of recipes) at("recipe").add(new Option(r.name, r.name));
}

async function predict(event) {
  event.preventDefault();
  const form = new FormData();
  form.append("text", at("text").value);
  if (at("image").files[0]) form.append("image", at("image").files[0]);
  const url = `/v1/predict?recipe=${encodeURIComponent(at("recipe").value)}`;
  const answer = await fetch(url, { method: "POST", body: form });
  at("record").textContent = JSON.stringify(await answer.json(), null, 2);
}

at("post").addEventListener("submit", predict);
loadRecipes();
