"""COCO's compressed run-length encoding of masks, in plain Python."""


def runs(counts):
    out, at, data = [], 0, counts.encode()
    while at < len(data):
        x = k = 0
        while True:
            c = data[at] - 48
            x |= (c & 31) << 5 * k
            at, k = at + 1, k + 1
            if not c & 32:
                x |= -1 << 5 * k if c & 16 else 0
                break
        out.append(x + (out[-2] if len(out) > 2 else 0))
    return out


def decode(mask):
    """Rows of 0 and 1 of {"size": [h, w], "counts"}."""
    (h, w), flat = mask["size"], []
    for i, n in enumerate(runs(mask["counts"])):
        flat += [i % 2] * n
    assert len(flat) == h * w, (len(flat), h, w)
    return [flat[y::h] for y in range(h)]


def compress(lengths):
    """The reverse of runs()."""
    out = ""
    for i, n in enumerate(lengths):
        x, more = n - (lengths[i - 2] if i > 2 else 0), True
        while more:
            c, x = x & 31, x >> 5
            more = x != (-1 if c & 16 else 0)
            out += chr(48 + c + 32 * more)
    return out
