#!/usr/bin/env python3
"""Converts a TensorFlow.js graph model to ONNX, with nothing but Python's standard library.

    tfjs_to_onnx.py MODEL.json OUT.onnx --input NAME --output TFJS_NAME=NAME ...

Made for small convolutional networks with one image input (the twenty-odd operator kinds in
OPS); any other operator is an error that names it, never a guess. The weights (*.bin) lie
beside MODEL.json. The same input gives the same bytes on every machine.

Layout: TensorFlow.js convolves in NHWC and a model that came from PyTorch is full of Transpose
pairs around that; ONNX convolves in NCHW. Every tensor is therefore *stored* in NCHW here, and
its view by TensorFlow.js is only remembered, as `perm`: axis i of the view is stored axis
perm[i]. A Transpose composes perms and emits nothing; only a graph output, a Reshape or an
operator whose operands are stored differently makes a real Transpose. Zero padding is folded
into the convolution, and low padding into the max pooling, that follows it.
"""
import argparse
import base64
import json
import math
import os
import struct
import sys

import onnx_writer

NHWC = (0, 2, 3, 1)  # the perm of a TensorFlow.js image stored in NCHW
IDENTITY = (0, 1, 2, 3)


class ConvertError(Exception):
    pass


class Tensor:
    """A value of the ONNX graph: its name, its stored shape and the perm of its view."""

    def __init__(self, name, shape, perm, pads=None, pad_value=0.0):
        self.name, self.shape, self.perm = name, list(shape), tuple(perm)
        self.pads, self.pad_value = pads, pad_value  # per stored axis (before, after), or None

    def view_shape(self):
        return [self.shape[p] for p in self.perm]


class Const:
    """A constant as the model file has it: shape and a flat row-major list."""

    def __init__(self, shape, values):
        self.shape, self.values = list(shape), list(values)

    def transposed(self, perm):
        """Output axis i is input axis perm[i]."""
        steps, size = [0] * len(self.shape), 1
        for axis in range(len(self.shape) - 1, -1, -1):
            steps[axis], size = size, size * self.shape[axis]
        offsets = [0]
        for axis in perm:
            offsets = [o + i * steps[axis] for o in offsets for i in range(self.shape[axis])]
        return Const([self.shape[p] for p in perm], [self.values[o] for o in offsets])


def read_weights(model, folder):
    """All constants of a weightsManifest by name; float16 ones become floats."""
    kinds = {"float32": ("f", 4), "float16": ("e", 2), "int32": ("i", 4)}
    weights = {}
    for group in model["weightsManifest"]:
        blob = b""
        for path in group["paths"]:
            with open(os.path.join(folder, path), "rb") as f:
                blob += f.read()
        at = 0
        for w in group["weights"]:
            dtype = w.get("quantization", {}).get("dtype", w["dtype"])
            if dtype not in kinds:
                raise ConvertError("weight %s: unknown data type %s" % (w["name"], dtype))
            letter, width = kinds[dtype]
            n = math.prod(w["shape"])
            if at + n * width > len(blob):
                raise ConvertError("weight %s lies beyond the end of the weight file" % w["name"])
            weights[w["name"]] = Const(w["shape"], struct.unpack_from("<%d%s" % (n, letter), blob, at))
            at += n * width
        if at != len(blob):
            raise ConvertError("%d bytes of weights expected, %d found" % (at, len(blob)))
    return weights


class Converter:
    """Walks the TensorFlow.js nodes in order and emits ONNX ones."""

    def __init__(self, model, weights, graph_name, input_name, outputs):
        self.nodes = model["modelTopology"]["node"]
        self.values = dict(weights)  # TensorFlow.js name -> Tensor or Const
        self.graph = onnx_writer.Graph(graph_name)
        self.input_name, self.outputs = input_name, outputs

    def run(self):
        for node in self.sorted_nodes():
            if node["op"] not in OPS:
                raise ConvertError("node %s: operator %s is not supported" % (node["name"], node["op"]))
            inputs = [self.value(i, node) for i in node.get("input", []) if not i.startswith("^")]
            self.values[node["name"]] = OPS[node["op"]](self, node, inputs)
        for tfjs_name, name in self.outputs.items():
            t = self.values.get(tfjs_name)
            if not isinstance(t, Tensor):
                raise ConvertError("the model has no output %s" % tfjs_name)
            self.graph.node("Transpose", [t.name], name=name, perm=t.perm)
            self.graph.output(name, t.view_shape())
        return self.graph.bytes()

    def sorted_nodes(self):
        """The nodes the outputs need, each after its inputs."""
        by_name = {n["name"]: n for n in self.nodes if n["op"] != "Const"}
        order, state, stack = [], {}, [(name, False) for name in reversed(list(self.outputs))]
        while stack:
            name, inputs_done = stack.pop()
            if inputs_done:
                order.append(by_name[name])
            elif name in by_name and name not in state:
                state[name] = True
                stack.append((name, True))
                inputs = by_name[name].get("input", [])
                stack += [(i.lstrip("^").split(":")[0], False) for i in reversed(inputs)]
        return order

    def value(self, ref, node):
        name, _, index = ref.partition(":")
        if name not in self.values:
            raise ConvertError("node %s: its input %s is missing" % (node["name"], ref))
        v = self.values[name]
        return v[int(index or 0)] if isinstance(v, list) else v

    def stored_as(self, t, perm):
        """The same view, but stored so that its perm is the given one."""
        if t.pads:
            raise ConvertError("padding of %s is used by neither convolution nor pooling" % t.name)
        if t.perm == perm:
            return t
        move = [t.perm[perm.index(k)] for k in range(len(perm))]
        name = self.graph.node("Transpose", [t.name], perm=move)
        return Tensor(name, [t.shape[m] for m in move], perm)

    def operand(self, c, like):
        """A constant as an operand of an elementwise operator: stored like the tensor is."""
        rank = len(like.shape)
        view = Const([1] * (rank - len(c.shape)) + c.shape, c.values)
        stored = view.transposed([like.perm.index(k) for k in range(rank)])
        return self.graph.constant(stored.shape, stored.values)


def attr(node, name):
    """The value of an attribute, without its TensorFlow wrapping."""
    a = node["attr"][name]
    if "list" in a:
        return [int(i) for i in a["list"].get("i", [])]
    if "s" in a:
        return base64.b64decode(a["s"]).decode()
    return next(iter(a.values()))


def need(condition, node, what):
    if not condition:
        raise ConvertError("node %s (%s): %s" % (node["name"], node["op"], what))


def window(node, x, kernel, strides, low=0.0):
    """(x stored in NCHW, pads, output height and width) of a convolution or pooling."""
    need(attr(node, "data_format") == "NHWC", node, "the layout is not NHWC")
    padding, pads, size = attr(node, "padding"), [0, 0, 0, 0], []
    if x.pads:
        need(x.perm == NHWC and padding == "VALID", node, "its padding can't be folded")
        need(x.pads[:2] == [(0, 0), (0, 0)] and x.pad_value <= low, node, "unusual padding")
        pads = [x.pads[2][0], x.pads[3][0], x.pads[2][1], x.pads[3][1]]
        x = Tensor(x.name, x.shape, x.perm)
    for axis in (0, 1):
        n, k, s = x.shape[2 + axis] if x.perm == NHWC else x.view_shape()[1 + axis], kernel[axis], strides[axis]
        if padding == "SAME":
            total = max((math.ceil(n / s) - 1) * s + k - n, 0)
            pads[axis], pads[axis + 2] = total // 2, total - total // 2
        size.append((n + pads[axis] + pads[axis + 2] - k) // s + 1)
    return x, pads, size


def placeholder(cv, node, _):
    view = [int(d["size"]) for d in attr(node, "shape")["dim"]]
    perm = IDENTITY if view[1] == 3 else NHWC
    need(len(view) == 4 and min(view) > 0, node, "the input is no image of fixed size")
    shape = [view[perm.index(k)] for k in range(4)]
    return Tensor(cv.graph.input(cv.input_name, shape), shape, perm)


def conv(cv, node, inputs):
    x, w = inputs
    depthwise = node["op"] == "DepthwiseConv2dNative"
    need(attr(node, "dilations") == [1, 1, 1, 1], node, "dilated")
    strides = attr(node, "strides")[1:3]
    x, pads, size = window(node, x, w.shape[:2], strides)
    x = cv.stored_as(x, NHWC)
    if depthwise:  # [h, w, channels, multiplier] -> [channels * multiplier, 1, h, w]
        group, kernel = w.shape[2], w.transposed((2, 3, 0, 1))
        kernel.shape = [w.shape[2] * w.shape[3], 1] + w.shape[:2]
    else:  # [h, w, in, out] -> [out, in, h, w]
        group, kernel = 1, w.transposed((3, 2, 0, 1))
    need(x.shape[1] == group * kernel.shape[1], node, "the weights don't fit the input")
    name = cv.graph.node("Conv", [x.name, cv.graph.constant(kernel.shape, kernel.values)],
                         group=group, kernel_shape=w.shape[:2], pads=pads, strides=strides)
    return Tensor(name, [x.shape[0], kernel.shape[0]] + size, NHWC)


def conv_transpose(cv, node, inputs):
    sizes, w, x = inputs
    need(attr(node, "padding") == "SAME" and attr(node, "data_format") == "NHWC", node, "not SAME and NHWC")
    strides, out = attr(node, "strides")[1:3], sizes.values[1:3]
    x = cv.stored_as(x, NHWC)
    pads = [0, 0, 0, 0]
    for axis in (0, 1):
        total = (x.shape[2 + axis] - 1) * strides[axis] + w.shape[axis] - out[axis]
        need(total >= 0, node, "its output is larger than its strides make it")
        pads[axis], pads[axis + 2] = total // 2, total - total // 2
    kernel = w.transposed((3, 2, 0, 1))  # [h, w, out, in] -> [in, out, h, w]
    name = cv.graph.node("ConvTranspose", [x.name, cv.graph.constant(kernel.shape, kernel.values)],
                         kernel_shape=w.shape[:2], pads=pads, strides=strides)
    return Tensor(name, [x.shape[0], w.shape[2]] + out, NHWC)


def pool(cv, node, inputs):
    kernel, strides = attr(node, "ksize")[1:3], attr(node, "strides")[1:3]
    average = node["op"] == "AvgPool"
    # ONNX pads max pooling with minus infinity, so folded padding must be as low as floats go
    x, pads, size = window(node, inputs[0], kernel, strides, low=-3e38)
    need(not (average and any(pads)), node, "padded average pooling")
    x = cv.stored_as(x, NHWC)
    name = cv.graph.node("AveragePool" if average else "MaxPool", [x.name],
                         kernel_shape=kernel, pads=pads, strides=strides)
    return Tensor(name, x.shape[:2] + size, NHWC)


def pad(cv, node, inputs):
    x, p = inputs[0], inputs[1].values
    need(x.pads is None, node, "padded twice")
    value = inputs[2].values[0] if len(inputs) > 2 else 0.0
    by_view = [(p[2 * i], p[2 * i + 1]) for i in range(len(x.shape))]
    pads = [by_view[x.perm.index(k)] for k in range(len(x.shape))]
    return Tensor(x.name, x.shape, x.perm, pads, value)


def elementwise(onnx_op):
    def emit(cv, node, inputs):
        if all(isinstance(i, Const) for i in inputs):  # shape arithmetic
            need(onnx_op == "Add", node, "constant operands")
            need(inputs[0].shape == inputs[1].shape, node, "constant operands of unlike shapes")
            return Const(inputs[0].shape, map(sum, zip(inputs[0].values, inputs[1].values)))
        first = next(i for i in inputs if isinstance(i, Tensor))
        first = cv.stored_as(first, first.perm)
        names, shape = [], first.shape
        for i in inputs:
            if isinstance(i, Const):
                names.append(cv.operand(i, first))
            else:
                i = cv.stored_as(i, first.perm)
                names.append(i.name)
                need(all(1 in ab or ab[0] == ab[1] for ab in zip(i.shape, shape)), node, "unlike shapes")
                shape = [max(ab) for ab in zip(i.shape, shape)]
        return Tensor(cv.graph.node(onnx_op, names), shape, first.perm)
    return emit


def unary(onnx_op, **fixed):
    def emit(cv, node, inputs):
        x = cv.stored_as(inputs[0], inputs[0].perm)
        attributes = dict(fixed)
        if node["op"] == "LeakyRelu":
            attributes["alpha"] = float(attr(node, "alpha"))
        names = [x.name]
        if node["op"] == "Relu6":
            names += [cv.graph.constant([], [0.0]), cv.graph.constant([], [6.0])]
        return Tensor(cv.graph.node(onnx_op, names, **attributes), x.shape, x.perm)
    return emit


def concat(cv, node, inputs):
    axis, parts = inputs[-1].values[0], inputs[:-1]
    perm = parts[0].perm
    parts = [cv.stored_as(p, perm) for p in parts]
    stored_axis = perm[axis]
    shape = list(parts[0].shape)
    shape[stored_axis] = sum(p.shape[stored_axis] for p in parts)
    return Tensor(cv.graph.node("Concat", [p.name for p in parts], axis=stored_axis), shape, perm)


def split(cv, node, inputs):
    x, sizes, axis = cv.stored_as(inputs[0], inputs[0].perm), inputs[1].values, inputs[2].values[0]
    stored_axis = x.perm[axis]
    need(sum(sizes) == x.shape[stored_axis], node, "the sizes don't add up")
    sizes_name = cv.graph.constant([len(sizes)], sizes, onnx_writer.INT64)
    names = cv.graph.node("Split", [x.name, sizes_name], outputs=len(sizes), axis=stored_axis)
    shapes = [x.shape[:stored_axis] + [s] + x.shape[stored_axis + 1:] for s in sizes]
    return [Tensor(n, s, x.perm) for n, s in zip(names, shapes)]


def resize(cv, node, inputs):
    need(attr(node, "half_pixel_centers") and not attr(node, "align_corners"), node, "not half-pixel")
    x = cv.stored_as(inputs[0], NHWC)
    shape = x.shape[:2] + inputs[1].values
    sizes = cv.graph.constant([4], shape, onnx_writer.INT64)
    name = cv.graph.node("Resize", [x.name, "", "", sizes], mode="linear",
                         coordinate_transformation_mode="half_pixel")
    return Tensor(name, shape, NHWC)


def transpose(cv, node, inputs):
    x, p = inputs[0], inputs[1].values
    if isinstance(x, Const):
        return x.transposed(p)
    return Tensor(x.name, x.shape, [x.perm[i] for i in p], x.pads, x.pad_value)


def reshape(cv, node, inputs):
    x, shape = inputs[0], list(inputs[1].values)
    if -1 in shape:
        shape[shape.index(-1)] = math.prod(x.shape) // -math.prod(shape)
    need(math.prod(shape) == math.prod(x.shape), node, "the sizes differ")
    x = cv.stored_as(x, tuple(range(len(x.shape))))
    name = cv.graph.node("Reshape", [x.name, cv.graph.constant([len(shape)], shape, onnx_writer.INT64)])
    return Tensor(name, shape, range(len(shape)))


def sparse_to_dense(cv, node, inputs):
    """Shape arithmetic left over by the model's exporter: constants only, one dimension."""
    need(all(isinstance(i, Const) for i in inputs), node, "operands that are no constants")
    indices, shape, values, default = inputs
    need(len(shape.values) == 1, node, "more than one dimension")
    out = [default.values[0]] * shape.values[0]
    for i, at in enumerate(indices.values):
        out[at] = values.values[i if len(values.values) > 1 else 0]
    return Const(shape.values, out)


OPS = {
    "Placeholder": placeholder, "Identity": lambda cv, node, inputs: inputs[0],
    "Conv2D": conv, "DepthwiseConv2dNative": conv, "Conv2DBackpropInput": conv_transpose,
    "MaxPool": pool, "AvgPool": pool, "Pad": pad, "PadV2": pad,
    "Add": elementwise("Add"), "AddV2": elementwise("Add"), "AddN": elementwise("Sum"),
    "Mul": elementwise("Mul"), "LeakyRelu": unary("LeakyRelu"), "Relu": unary("Relu"),
    "Relu6": unary("Clip"), "Sigmoid": unary("Sigmoid"), "ConcatV2": concat, "SplitV": split,
    "ResizeBilinear": resize, "Transpose": transpose, "Reshape": reshape,
    "SparseToDense": sparse_to_dense,
}


def convert(json_path, out_path, input_name, outputs):
    """Converts one model file; `outputs` maps TensorFlow.js output names to ONNX ones."""
    with open(json_path, encoding="utf-8") as f:
        model = json.load(f)
    folder, name = os.path.split(json_path)
    weights = read_weights(model, folder)
    data = Converter(model, weights, os.path.splitext(name)[0], input_name, outputs).run()
    with open(out_path + ".part", "wb") as f:
        f.write(data)
    os.replace(out_path + ".part", out_path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model"), parser.add_argument("out")
    parser.add_argument("--input", default="image", help="name of the input in the ONNX model")
    parser.add_argument("--output", action="append", required=True, metavar="TFJS_NAME=NAME")
    a = parser.parse_args()
    try:
        convert(a.model, a.out, a.input, dict(o.split("=", 1) for o in a.output))
    except (ConvertError, OSError, ValueError, KeyError) as e:
        sys.exit("tfjs_to_onnx: %s: %s" % (a.model, e))


if __name__ == "__main__":
    main()
