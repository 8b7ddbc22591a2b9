// A record as a card: the server makes its HTML by the code of `gmner view`; the picture and the masks are put in here.
import { postJson, query } from "./ask.js";
import { draw } from "./runs.js";

// The page's policy refuses style attributes, so they get another name and are set by script, which may. In text and
// values the quote is escaped: what is found is an attribute.
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.replaceAll(' style="', ' data-style="');
  for (const x of template.content.querySelectorAll("[data-style]")) {
    x.style.cssText = x.dataset.style;
    delete x.dataset.style;
  }
  return template.content;
}

function addMasks(frame, record) {
  const overlay = frame.querySelector("svg");
  (record.entities || []).forEach((entity, e) => (entity.regions || []).forEach((region) => {
    const drawn = frame.querySelector(`.region[data-e="${e}"]`);
    if (!region.mask || !drawn) return;
    const canvas = document.createElement("canvas");
    canvas.className = "mask";
    canvas.dataset.e = e;
    canvas.setAttribute("aria-hidden", "true");
    draw(canvas, region.mask, drawn.style.getPropertyValue("--c").split(",").map(Number));
    frame.insertBefore(canvas, overlay);
  }));
}

// The card, to be put into the page. `picture`: {url, w, h}, w and h of the original, or null.
export async function cardOf(record, picture, number = 1) {
  const size = picture ? { w: picture.w, h: picture.h } : {};
  const { image, timings, ...rest } = record;
  const html = await (await postJson(`/v1/card?${query({ ...size, number })}`, rest)).text();
  const content = parse(html);
  const frame = content.querySelector(".frame");
  if (frame) {
    frame.querySelector("img").src = picture.url;
    addMasks(frame, record);
  }
  for (const mark of content.querySelectorAll("mark")) mark.tabIndex = 0;
  for (const box of content.querySelectorAll(".text, .scroll")) box.tabIndex = 0;
  return content;
}

export async function show(place, record, picture, number) {
  place.replaceChildren(await cardOf(record, picture, number));
}

// {url, w, h} of a picture's bytes as the browser shows it, upright; null where it can't. The browser keeps the bytes
// until they are let go.
export async function pictureOf(blob) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return { url, w: image.naturalWidth, h: image.naturalHeight };
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}

// For a picture whose cards have been replaced; it may be null.
export function letGo(picture) {
  if (picture) URL.revokeObjectURL(picture.url);
}
