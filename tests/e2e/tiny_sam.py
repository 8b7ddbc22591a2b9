"""A SAM of a few operations in OpenVINO's IR (text), without PyTorch, whose answers are known: of a bright
picture each box is filled, of a dark one all but the box. In the layout of transformers, side 64.

    encoder: image_embeddings = means of 16 x 16 pixels (normalised)
    decoder: logits[0] = min(x - x0, x1 - x, y - y0, y1 - y), logits[1] = -logits[0]; scores = (mean of the
             embeddings, 0)
"""
import os
import struct

SIDE, MAP = 64, 16


class Net:
    """Layers and edges of an IR; a value is (layer, port, precision, dims)."""

    def __init__(self):
        self.layers, self.edges, self.data, self.results = [], [], b"", 0

    def _port(self, number, value, name=None):
        names = f' names="{name}"' if name else ""
        dims = "".join(f"<dim>{d}</dim>" for d in value[3])
        return f'<port id="{number}" precision="{value[2]}"{names}>{dims}</port>'

    def op(self, kind, inputs, outputs, attrs="", names=(None,), version="opset1"):
        """outputs: [dims]; returns the values."""
        layer = len(self.layers)
        precision = "FP32"
        if kind == "Const" and 'element_type="i64"' in attrs:
            precision = "I64"
        values = [(layer, len(inputs) + i, precision, d) for i, d in enumerate(outputs)]
        given = "".join(self._port(i, v) for i, v in enumerate(inputs))
        got = "".join(self._port(v[1], v, names[i % len(names)]) for i, v in enumerate(values))
        self.layers.append(f'<layer id="{layer}" name="l{layer}" type="{kind}" version="{version}">'
                           + (f"<data {attrs}/>" if attrs else "")
                           + (f"<input>{given}</input>" if given else "")
                           + (f"<output>{got}</output>" if got else "") + "</layer>")
        for i, v in enumerate(inputs):
            self.edges.append(f'<edge from-layer="{v[0]}" from-port="{v[1]}" to-layer="{layer}" to-port="{i}"/>')
        return values

    def param(self, name, dims):
        shape = ",".join(map(str, dims))
        return self.op("Parameter", [], [dims], f'shape="{shape}" element_type="f32"', (name,))[0]

    def const(self, numbers, dims, whole=False):
        data = struct.pack(f"<{len(numbers)}{'q' if whole else 'f'}", *numbers)
        attrs = (f'element_type="{"i64" if whole else "f32"}" shape="{",".join(map(str, dims))}" '
                 f'offset="{len(self.data)}" size="{len(data)}"')
        self.data += data
        return self.op("Const", [], [dims], attrs)[0]

    def binary(self, kind, a, b, dims, name=None):
        return self.op(kind, [a, b], [dims], 'auto_broadcast="numpy"', (name,))[0]

    def result(self, value):
        self.op("Result", [value], [])

    def write(self, path):
        with open(path, "w", encoding="utf-8") as f:
            f.write('<?xml version="1.0"?><net name="m" version="11"><layers>' + "".join(self.layers)
                    + "</layers><edges>" + "".join(self.edges) + "</edges></net>")
        with open(path[:-4] + ".bin", "wb") as f:
            f.write(self.data)


def write_encoder(path, outputs=("image_embeddings", "image_positional_embeddings")):
    net = Net()
    x = net.param("pixel_values", [1, 3, SIDE, SIDE])
    for name in outputs:
        net.result(net.op("AvgPool", [x], [[1, 3, 4, 4]], 'strides="16,16" kernel="16,16" pads_begin="0,0" pads_end="0,0" '
                          'exclude-pad="false" rounding_type="floor" auto_pad="valid"', (name,))[0])
    net.write(path)


def write_decoder(path, prompt="input_boxes"):
    net = Net()
    embeddings, positions = (net.param(n, [1, 3, 4, 4]) for n in ("image_embeddings", "image_positional_embeddings"))
    corners = net.op("Split", [net.param(prompt, [1, 1, 4]), net.const([2], [], whole=True)], [[1, 1, 1]] * 4,
                     'num_splits="4"')
    centres = [(i + 0.5) * SIDE / MAP for i in range(MAP)]
    grid = {"x": net.const(centres, [1, 1, MAP]), "y": net.const(centres, [1, MAP, 1])}
    whole, sides = [1, MAP, MAP], []
    for i, axis in enumerate("xyxy"):
        dims = [1, 1, MAP] if axis == "x" else [1, MAP, 1]
        ends = (grid[axis], corners[i]) if i < 2 else (corners[i], grid[axis])
        sides.append(net.binary("Subtract", *ends, dims))
    inside = net.binary("Minimum", net.binary("Minimum", sides[0], sides[2], [1, 1, MAP]),
                        net.binary("Minimum", sides[1], sides[3], [1, MAP, 1]), whole)
    outside = net.binary("Multiply", inside, net.const([-1], [1]), whole)
    both = net.op("Concat", [inside, outside], [[2, MAP, MAP]], 'axis="0"')[0]
    net.result(net.op("Reshape", [both, net.const([1, 1, 2, MAP, MAP], [5], whole=True)], [[1, 1, 2, MAP, MAP]],
                      'special_zero="false"', ("pred_masks",))[0])
    means = [net.op("ReduceMean", [v, net.const([0, 1, 2, 3], [4], whole=True)], [[1, 1, 1, 1]], 'keep_dims="true"')[0]
             for v in (embeddings, positions)]
    light = net.op("Reshape", [means[0], net.const([1, 1, 1], [3], whole=True)], [[1, 1, 1]], 'special_zero="false"')[0]
    none = net.op("Reshape", [net.binary("Multiply", means[1], net.const([0], [1]), [1, 1, 1, 1]),
                              net.const([1, 1, 1], [3], whole=True)], [[1, 1, 1]], 'special_zero="false"')[0]
    net.result(net.op("Concat", [light, none], [[1, 1, 2]], 'axis="2"', ("iou_scores",))[0])
    net.write(path)


def write(folder):
    os.makedirs(folder, exist_ok=True)
    write_encoder(os.path.join(folder, "vision_encoder.xml"))
    write_decoder(os.path.join(folder, "prompt_encoder_mask_decoder.xml"))
    return folder
