// Masks as COCO's runs: column by column, zeros and ones in turn.

// The lengths of the runs. A character holds five bits of a number, low ones first, and whether more follow; from the
// fourth number on it is the difference to the last but one.
export function runs(counts) {
  if (typeof counts !== "string") return counts;
  const out = [];
  for (let i = 0; i < counts.length;) {
    let x = 0, bits = 0, c;
    do {
      c = counts.charCodeAt(i++) - 48;
      x |= (c & 31) << bits;
      bits += 5;
    } while (c & 32);
    if (c & 16 && bits < 32) x |= -1 << bits;
    out.push(out.length > 2 ? x + out[out.length - 2] : x);
  }
  return out;
}

// Draws a mask in a colour [r, g, b] onto a canvas, whose longer side becomes `side` pixels at most.
export function draw(canvas, mask, color, side = 960) {
  const [h, w] = mask.size;
  const scale = Math.min(1, side / Math.max(h, w));
  canvas.width = Math.max(1, Math.round(w * scale));
  canvas.height = Math.max(1, Math.round(h * scale));
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const ink = new Uint32Array(new Uint8ClampedArray([...color, 115]).buffer)[0];
  let at = 0, inside = false;
  for (const n of runs(mask.counts)) {
    const end = Math.min(at + n, h * w);
    while (inside && at < end) { // the part of the run that is in one column
      const x = Math.floor(at / h), y = at % h, y1 = Math.min(h, y + end - at);
      const column = Math.min(canvas.width - 1, Math.floor(x * scale));
      for (let row = Math.floor(y * scale); row < Math.ceil(y1 * scale) && row < canvas.height; row++)
        pixels[row * canvas.width + column] = ink;
      at += y1 - y;
    }
    at = end;
    inside = !inside;
  }
  context.putImageData(image, 0, 0);
}
