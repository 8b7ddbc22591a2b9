"use strict";
// Lights up an entity in text, table and picture of its card together.
function light(event) {
  const post = event.target.closest(".post");
  const entity = event.target.closest("[data-e]");
  if (!post) return;
  const on = event.type !== "mouseout" && event.type !== "focusout" && entity;
  post.querySelectorAll("[data-e]").forEach((x) =>
    x.classList.toggle("on", Boolean(on) && x.dataset.e === entity.dataset.e));
  const frame = post.querySelector(".frame");
  if (frame) frame.classList.toggle("lit", Boolean(on) && frame.querySelector(".on") !== null);
}
for (const kind of ["mouseover", "mouseout", "focusin", "focusout"])
  document.querySelector("main").addEventListener(kind, light);
