// The page's beginning: what the server lets it do, and which part of it is shown.
import { getJson } from "./ask.js";
import { startBrowse } from "./browse.js";
import { startTry } from "./try.js";

try {
  const abilities = await getJson("/v1/page");
  await startTry(abilities);
  await startBrowse(abilities);
  document.body.dataset.ready = "yes";
} catch (problem) {
  const place = document.getElementById("problem");
  place.textContent = `${problem.message} (Load the page again to try once more.)`;
  place.hidden = false;
}
