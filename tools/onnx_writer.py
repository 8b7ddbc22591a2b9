"""Writes an ONNX model as protobuf bytes, with nothing but the standard library.

Only the messages and fields a converted network needs. Field numbers are those of onnx.proto3
(ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto). The same calls
give the same bytes, so that a manifest can pin the checksum of a converted model.
"""
import struct

FLOAT, INT64 = 1, 7  # TensorProto.DataType
IR_VERSION, OPSET = 8, 13


def _varint(n):
    n &= (1 << 64) - 1  # negative int64 values take ten bytes, as protobuf has it
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _int(field, value):
    return _varint(field << 3) + _varint(value)


def _float(field, value):
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _ints(field, values):
    return _data(field, b"".join(_varint(v) for v in values))


def _attribute(name, value):
    head = _data(1, name)
    if isinstance(value, float):
        return head + _float(2, value) + _int(20, 1)
    if isinstance(value, int):
        return head + _int(3, value) + _int(20, 2)
    if isinstance(value, str):
        return head + _data(4, value) + _int(20, 3)
    return head + _ints(8, value) + _int(20, 7)


def _value_info(name, shape):
    dims = b"".join(_data(1, _int(1, d)) for d in shape)
    return _data(1, name) + _data(2, _data(1, _int(1, FLOAT) + _data(2, dims)))


class Graph:
    """Collects nodes and constants in order; bytes() gives the finished model."""

    def __init__(self, name):
        self.name, self._nodes, self._constants = name, [], []
        self._inputs, self._outputs, self._serial = [], [], 0

    def node(self, op, inputs, outputs=1, name=None, **attributes):
        """Appends an operator and returns its output names (one string if there is one)."""
        self._serial += 1
        name = name or "%s_%d" % (op, self._serial)
        outs = [name] if outputs == 1 else ["%s:%d" % (name, i) for i in range(outputs)]
        body = b"".join(_data(1, i) for i in inputs) + b"".join(_data(2, o) for o in outs)
        body += _data(3, name) + _data(4, op)
        body += b"".join(_data(5, _attribute(k, v)) for k, v in sorted(attributes.items()))
        self._nodes.append(_data(1, body))
        return outs[0] if outputs == 1 else outs

    def constant(self, shape, values, kind=FLOAT):
        """Adds an initializer (values in row-major order) and returns its name."""
        self._serial += 1
        name = "const_%d" % self._serial
        raw = struct.pack("<%d%s" % (len(values), "f" if kind == FLOAT else "q"), *values)
        body = _ints(1, shape) + _int(2, kind) + _data(8, name) + _data(9, raw)
        self._constants.append(_data(5, body))
        return name

    def input(self, name, shape):
        self._inputs.append(_data(11, _value_info(name, shape)))
        return name

    def output(self, name, shape):
        self._outputs.append(_data(12, _value_info(name, shape)))

    def bytes(self):
        parts = self._nodes + [_data(2, self.name)] + self._constants + self._inputs + self._outputs
        return (_int(1, IR_VERSION) + _data(2, "gmner tools/tfjs_to_onnx.py")
                + _data(7, b"".join(parts)) + _data(8, _data(1, "") + _int(2, OPSET)))
