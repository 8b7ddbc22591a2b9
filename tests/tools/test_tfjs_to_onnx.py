"""tools/tfjs_to_onnx.py on small models made here, read back by a minimal protobuf reader."""
import base64
import json
import os
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import tfjs_to_onnx  # noqa: E402


def fields(data):
    """[(field number, int or bytes)] of one protobuf message."""
    out, at = [], 0

    def varint():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            out.append((key >> 3, varint()))
        else:
            size = varint() if key & 7 == 2 else 4
            out.append((key >> 3, data[at:at + size]))
            at += size
    return out


def pick(message, number):
    return [v for n, v in fields(message) if n == number]


def numbers(data):
    """The varints of a packed field."""
    return [v for _, v in fields(b"".join(b"\x08" + bytes([b]) for b in data))] if data else []


class Onnx:
    def __init__(self, data):
        graph = pick(data, 7)[0]
        self.ops = [pick(n, 4)[0].decode() for n in pick(graph, 1)]
        self.attributes = [{pick(a, 1)[0].decode(): numbers(b"".join(pick(a, 8)))
                            for a in pick(n, 5)} for n in pick(graph, 1)]
        self.constants = [(numbers(pick(t, 1)[0]) if pick(t, 1) else [], pick(t, 9)[0])
                          for t in pick(graph, 5)]
        self.names = [[pick(v, 1)[0].decode() for v in pick(graph, k)] for k in (11, 12)]


def text(s):
    return {"s": base64.b64encode(s.encode()).decode()}


def node(name, op, *inputs, **attributes):
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def image(*dims):
    return node("in", "Placeholder", shape={"shape": {"dim": [{"size": str(d)} for d in dims]}})


def conv(name, x, w, padding="SAME", stride=1):
    return node(name, "Conv2D", x, w, padding=text(padding), data_format=text("NHWC"),
                strides={"list": {"i": ["1", str(stride), str(stride), "1"]}},
                dilations={"list": {"i": ["1", "1", "1", "1"]}})


class Convert(unittest.TestCase):
    def convert(self, nodes, weights, output="out", spoil=0):
        """weights: {name: (shape, values, dtype)}; returns the Onnx. spoil: bytes cut off the end."""
        with tempfile.TemporaryDirectory() as d:
            blob, entries = b"", []
            for name, (shape, values, dtype) in weights.items():
                entry = {"name": name, "shape": shape, "dtype": dtype}
                if dtype == "float16":
                    entry.update(dtype="float32", quantization={"dtype": "float16"})
                blob += struct.pack("<%d%s" % (len(values), {"float16": "e", "float32": "f",
                                                             "int32": "i"}[dtype]), *values)
                entries.append(entry)
            with open(os.path.join(d, "m.bin"), "wb") as f:
                f.write(blob[:len(blob) - spoil])
            model = {"modelTopology": {"node": nodes},
                     "weightsManifest": [{"paths": ["m.bin"], "weights": entries}]}
            with open(os.path.join(d, "m.json"), "w", encoding="utf-8") as f:
                json.dump(model, f)
            out = os.path.join(d, "m.onnx")
            tfjs_to_onnx.convert(os.path.join(d, "m.json"), out, "image", {output: "result"})
            with open(out, "rb") as f:
                return Onnx(f.read())

    def test_weights_and_bias_move_to_nchw(self):
        w = [i / 4 for i in range(1 * 2 * 3 * 2)]  # [h=1, w=2, in=3, out=2], exact in float16
        m = self.convert([image(1, 4, 4, 3), conv("c", "in", "w"), node("b", "Add", "c", "bias"),
                          node("out", "Relu", "b")],
                         {"w": ([1, 2, 3, 2], w, "float16"), "bias": ([2], [5.0, 6.0], "float32")})
        self.assertEqual(m.ops, ["Conv", "Add", "Relu", "Transpose"])
        self.assertEqual(m.names, [["image"], ["result"]])
        (shape, raw), (bias_shape, _) = m.constants
        self.assertEqual((shape, bias_shape), ([2, 3, 1, 2], [1, 2, 1, 1]))
        got = struct.unpack("<12f", raw)
        for o in range(2):
            for i in range(3):
                for x in range(2):
                    self.assertEqual(got[(o * 3 + i) * 2 + x], w[(x * 3 + i) * 2 + o])
        # SAME with an even kernel pads after, not before
        self.assertEqual(m.attributes[0]["pads"], [0, 0, 0, 1])

    def test_transposes_and_padding_vanish(self):
        perm = ([4], [0, 2, 3, 1], "int32")
        m = self.convert([image(1, 3, 8, 8), node("p", "Pad", "in", "pads"),
                          node("t", "Transpose", "p", "perm"), conv("c", "t", "w", "VALID", 2),
                          node("out", "Transpose", "c", "back")],
                         {"pads": ([4, 2], [0, 0, 0, 0, 1, 2, 3, 4], "int32"), "perm": perm,
                          "back": ([4], [0, 3, 1, 2], "int32"),
                          "w": ([1, 1, 3, 2], [0.0] * 6, "float32")})
        self.assertEqual(m.ops, ["Conv", "Transpose"])  # the last one is the output's, in place
        self.assertEqual(m.attributes[0]["pads"], [1, 3, 2, 4])
        self.assertEqual(m.attributes[1]["perm"], [0, 1, 2, 3])

    def test_errors_name_the_node(self):
        w = {"w": ([1, 1, 3, 2], [0.0] * 6, "float32")}
        cases = [
            ([image(1, 4, 4, 3), node("out", "Softplus", "in")], 0, "node out: operator Softplus"),
            ([image(1, 4, 4, 3), conv("out", "in", "v")], 0, "node out: its input v is missing"),
            ([image(1, 4, 4, 5), conv("out", "in", "w")], 0, "node out .*the weights don't fit"),
            ([image(1, -1, 4, 3), conv("out", "in", "w")], 0, "no image of fixed size"),
            ([image(1, 4, 4, 3), conv("out", "in", "w")], 1, "weight w lies beyond the end"),
            ([image(1, 4, 4, 3), conv("x", "in", "w")], 0, "the model has no output out"),
        ]
        for nodes, spoil, message in cases:
            with self.subTest(message), self.assertRaisesRegex(tfjs_to_onnx.ConvertError, message):
                self.convert(nodes, w, spoil=spoil)


if __name__ == "__main__":
    unittest.main()
