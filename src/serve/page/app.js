// The page's beginning: what the server lets it do, and which part of it is shown.
import { getJson } from "./ask.js";
import { startBrowse } from "./browse.js";
import { startTry } from "./try.js";

const abilities = await getJson("/v1/page");
await startTry(abilities);
await startBrowse(abilities);
document.body.dataset.ready = "yes";
