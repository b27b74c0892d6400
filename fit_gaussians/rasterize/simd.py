"""Eight float32 in one register, as a value type inside Numba kernels.

`Float8` and `Mask8` are LLVM's generic vectors <8 x float> and <8 x i1>. LLVM turns them into what the processor has:
one AVX register, or two NEON or SSE registers. Inside a kernel they read like numbers: ``+ - * /`` and comparisons
work between vectors and with scalars, which are broadcast; ``&`` and ``|`` join masks. They exist in compiled code
only, never in Python.

    @inlined
    def relu_of_sum(a, b, i):
        total = load(a, i) + load(b, i)
        return select(total > 0.0, total, 0.0)
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model, type_callable

from fit_gaussians.rasterize.jit import FLOAT_FLAGS, inlined

LANES = 8

_F32, _I32 = ir.FloatType(), ir.IntType(32)
_FLOATS = ir.VectorType(_F32, LANES)
_INTS = ir.VectorType(_I32, LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)


class _Float8(types.Type):
    def __init__(self):
        super().__init__("Float8")

    def can_convert_from(self, typingctx, other):
        return Conversion.promote if isinstance(other, types.Number) else None


class _Mask8(types.Type):
    def __init__(self):
        super().__init__("Mask8")


float8, mask8 = _Float8(), _Mask8()


@register_model(_Float8)
class _Float8Model(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _FLOATS)


@register_model(_Mask8)
class _Mask8Model(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _BITS)


# ---- scalars become vectors -------------------------------------------------------------------------------------


@lower_cast(types.Number, _Float8)
def _broadcast(context, builder, fromty, toty, value):
    scalar = context.cast(builder, value, fromty, types.float32)
    return _splat(builder, scalar)


def _splat(builder, scalar):
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INTS, [0] * LANES))


def _constant(value):
    return ir.Constant(_FLOATS, [float(value)] * LANES)


def _is_operand(ty):
    return isinstance(ty, (_Float8, types.Number))


@intrinsic
def broadcast(typingctx, scalar):
    """A vector with the scalar in all lanes."""

    def codegen(context, builder, signature, args):
        return context.cast(builder, args[0], signature.args[0], float8)

    return float8(scalar), codegen


@intrinsic
def lane_numbers(typingctx):
    """The vector 0, 1, … 7."""

    def codegen(context, builder, signature, args):
        return ir.Constant(_FLOATS, [float(lane) for lane in range(LANES)])

    return float8(), codegen


# ---- operators --------------------------------------------------------------------------------------------------


def _define_binary(op, result, emit):
    """Let `op` take two vectors, or a vector and a scalar."""

    @type_callable(op)
    def type_op(context):
        def typer(a, b):
            if (isinstance(a, _Float8) or isinstance(b, _Float8)) and _is_operand(a) and _is_operand(b):
                return result
            return None

        return typer

    def lower(context, builder, signature, args):
        a, b = (context.cast(builder, value, ty, float8) for value, ty in zip(args, signature.args, strict=True))
        return emit(builder, a, b)

    lower_builtin(op, _Float8, _Float8)(lower)
    lower_builtin(op, _Float8, types.Number)(lower)
    lower_builtin(op, types.Number, _Float8)(lower)


def _arithmetic(name):
    return lambda builder, a, b: getattr(builder, name)(a, b, flags=FLOAT_FLAGS)


def _comparison(sign):
    return lambda builder, a, b: builder.fcmp_ordered(sign, a, b, flags=FLOAT_FLAGS)


for _op, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define_binary(_op, float8, _arithmetic(_name))
for _op, _sign in ((operator.gt, ">"), (operator.ge, ">="), (operator.lt, "<"), (operator.le, "<=")):
    _define_binary(_op, mask8, _comparison(_sign))  # false in lanes that hold NaN


@type_callable(operator.neg)
def _type_neg(context):
    return lambda a: float8 if isinstance(a, _Float8) else None


@lower_builtin(operator.neg, _Float8)
def _lower_neg(context, builder, signature, args):
    return builder.fneg(args[0], flags=FLOAT_FLAGS)


def _define_mask_operator(op, name):
    @type_callable(op)
    def type_op(context):
        return lambda a, b: mask8 if isinstance(a, _Mask8) and isinstance(b, _Mask8) else None

    @lower_builtin(op, _Mask8, _Mask8)
    def lower(context, builder, signature, args):
        return getattr(builder, name)(*args)


_define_mask_operator(operator.and_, "and_")
_define_mask_operator(operator.or_, "or_")


@intrinsic
def and_not(typingctx, a, b):
    """The mask a & ~b."""

    def codegen(context, builder, signature, args):
        return builder.and_(args[0], builder.not_(args[1]))

    return mask8(a, b), codegen


@intrinsic
def select(typingctx, mask, if_true, if_false):
    """Lane by lane: if_true where the mask is set, else if_false."""

    def codegen(context, builder, signature, args):
        a, b = (context.cast(builder, args[k], signature.args[k], float8) for k in (1, 2))
        return builder.select(args[0], a, b)

    return float8(mask, if_true, if_false), codegen


@inlined
def minimum(a, b):
    return select(a < b, a, b)


@inlined
def maximum(a, b):
    return select(a > b, a, b)


# ---- memory -----------------------------------------------------------------------------------------------------


def _check_array(array, ndim):
    if not (isinstance(array, types.Array) and array.ndim == ndim and array.layout == "C"):
        raise TypeError(f"a vector is loaded from and stored to a C-contiguous array of {ndim} dimensions, not {array}")
    if array.dtype != types.float32:
        raise TypeError(f"a vector is loaded from and stored to float32, not {array.dtype}")


def _pointer(context, builder, signature, args):
    """To the element of the array args[0] at the index args[1], or at the row args[1] and column args[2]."""
    struct = context.make_array(signature.args[0])(context, builder, args[0])
    ndim = signature.args[0].ndim
    index = context.cast(builder, args[1], signature.args[1], types.intp)
    if ndim == 2:
        column = context.cast(builder, args[2], signature.args[2], types.intp)
        columns = cgutils.unpack_tuple(builder, struct.shape, 2)[1]
        index = builder.add(builder.mul(index, columns), column)
    return builder.bitcast(builder.gep(struct.data, [index]), _FLOATS.as_pointer())


def _pointers_to_rows(context, builder, signature, args):
    """To the same column of eight rows, from the row args[1] and column args[2] on."""
    row = context.cast(builder, args[1], signature.args[1], types.intp)
    pointers = []
    for lane in range(LANES):
        row_of_lane = builder.add(row, ir.Constant(row.type, lane))
        types_of_lane = (signature.args[0], types.intp, signature.args[2])
        pointers.append(_pointer(context, builder, types.void(*types_of_lane), (args[0], row_of_lane, args[2])))
    return pointers


@intrinsic
def load(typingctx, array, index):
    """array[index : index + 8] of a 1-D array; any alignment; the caller keeps inside the array."""
    _check_array(array, 1)

    def codegen(context, builder, signature, args):
        return builder.load(_pointer(context, builder, signature, args), align=4)

    return float8(array, index), codegen


@intrinsic
def store(typingctx, array, index, value):
    """array[index : index + 8] = value of a 1-D array; any alignment; the caller keeps inside the array."""
    _check_array(array, 1)

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature, args)
        builder.store(context.cast(builder, args[2], signature.args[2], float8), pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def load_row(typingctx, planes, row, index):
    """planes[row, index : index + 8] of a 2-D array."""
    _check_array(planes, 2)

    def codegen(context, builder, signature, args):
        return builder.load(_pointer(context, builder, signature, args), align=4)

    return float8(planes, row, index), codegen


@intrinsic
def store_row(typingctx, planes, row, index, value):
    """planes[row, index : index + 8] = value of a 2-D array."""
    _check_array(planes, 2)

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature, args)
        builder.store(context.cast(builder, args[3], signature.args[3], float8), pointer, align=4)
        return context.get_dummy_value()

    return types.void(planes, row, index, value), codegen


def _first_lanes(context, builder, count, count_type):
    """The mask of the lanes before `count`."""
    count = context.cast(builder, count, count_type, types.int32)
    ones = ir.Constant(_INTS, [0] * LANES)
    counts = builder.shuffle_vector(builder.insert_element(ones, count, ir.Constant(_I32, 0)), ones, ones)
    return builder.icmp_signed("<", ir.Constant(_INTS, list(range(LANES))), counts)


@intrinsic
def load_part(typingctx, array, index, count):
    """array[index : index + count] of a 1-D array in the first `count` lanes, which may be more than 8; 0 in others."""
    _check_array(array, 1)

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature, args)
        kind = ir.FunctionType(_FLOATS, [pointer.type, _I32, _BITS, _FLOATS])
        callee = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}f32.p0")
        mask = _first_lanes(context, builder, args[2], signature.args[2])
        return builder.call(callee, [pointer, ir.Constant(_I32, 4), mask, _constant(0)])

    return float8(array, index, count), codegen


@intrinsic
def store_part(typingctx, array, index, value, count):
    """array[index : index + count] = the first `count` lanes of value, all if there are more than 8; a 1-D array."""
    _check_array(array, 1)

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature, args)
        kind = ir.FunctionType(ir.VoidType(), [_FLOATS, pointer.type, _I32, _BITS])
        callee = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}f32.p0")
        mask = _first_lanes(context, builder, args[3], signature.args[3])
        value = context.cast(builder, args[2], signature.args[2], float8)
        builder.call(callee, [value, pointer, ir.Constant(_I32, 4), mask])
        return context.get_dummy_value()

    return types.void(array, index, value, count), codegen


def _transpose(builder, rows):
    """The columns of an 8x8 matrix, given its rows: three rounds of shuffles that AVX and NEON do in one each."""

    def shuffle(a, b, lanes):
        return builder.shuffle_vector(a, b, ir.Constant(_INTS, lanes))

    twos = []  # of rows (0, 1), (2, 3), …: columns 0 1 4 5, then 2 3 6 7
    for a, b in zip(rows[0::2], rows[1::2], strict=True):
        twos.append((shuffle(a, b, (0, 8, 1, 9, 4, 12, 5, 13)), shuffle(a, b, (2, 10, 3, 11, 6, 14, 7, 15))))
    fours = []  # of rows 0 to 3, then 4 to 7: columns 0 4, 1 5, 2 6, 3 7
    for first, second in ((twos[0], twos[1]), (twos[2], twos[3])):
        columns = []
        for a, b in zip(first, second, strict=True):
            columns += [shuffle(a, b, (0, 1, 8, 9, 4, 5, 12, 13)), shuffle(a, b, (2, 3, 10, 11, 6, 7, 14, 15))]
        fours.append(columns)
    low = [shuffle(a, b, (0, 1, 2, 3, 8, 9, 10, 11)) for a, b in zip(*fours, strict=True)]
    high = [shuffle(a, b, (4, 5, 6, 7, 12, 13, 14, 15)) for a, b in zip(*fours, strict=True)]
    return low + high


@intrinsic
def load_columns(typingctx, rows, first_row, first_column):
    """The eight columns of rows[first_row : first_row + 8, first_column : first_column + 8], a tuple of vectors."""
    _check_array(rows, 2)

    def codegen(context, builder, signature, args):
        pointers = _pointers_to_rows(context, builder, signature, args)
        columns = _transpose(builder, [builder.load(pointer, align=4) for pointer in pointers])
        return context.make_tuple(builder, signature.return_type, columns)

    return types.UniTuple(float8, LANES)(rows, first_row, first_column), codegen


@intrinsic
def store_columns(typingctx, rows, first_row, first_column, columns):
    """rows[first_row : first_row + 8, first_column : first_column + 8] = the eight columns, a tuple of vectors."""
    _check_array(rows, 2)

    def codegen(context, builder, signature, args):
        columns = cgutils.unpack_tuple(builder, args[3], LANES)
        pointers = _pointers_to_rows(context, builder, signature, args)
        for row, pointer in zip(_transpose(builder, columns), pointers, strict=True):
            builder.store(row, pointer, align=4)
        return context.get_dummy_value()

    return types.void(rows, first_row, first_column, columns), codegen


@intrinsic
def prefetch(typingctx, rows, row):
    """Ask for rows[row] to be brought into the first-level cache."""
    _check_array(rows, 2)

    def codegen(context, builder, signature, args):
        start = (args[0], args[1], ir.Constant(ir.IntType(64), 0))
        pointer = _pointer(context, builder, types.void(*signature.args, types.int64), start)
        byte_pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        callee = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte_pointer.type, _I32, _I32, _I32]), "llvm.prefetch.p0"
        )
        for_reading, keep_near, data = (ir.Constant(_I32, number) for number in (0, 3, 1))
        builder.call(callee, [byte_pointer, for_reading, keep_near, data])
        return context.get_dummy_value()

    return types.void(rows, row), codegen


# ---- functions --------------------------------------------------------------------------------------------------


def _define_unary(name):
    """A function of LLVM's that maps each lane (llvm.NAME.v8f32)."""

    @intrinsic
    def function(typingctx, a):
        def codegen(context, builder, signature, args):
            callee = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_FLOATS, [_FLOATS]), f"llvm.{name}.v{LANES}f32"
            )
            return builder.call(callee, args, fastmath=FLOAT_FLAGS)

        return float8(a), codegen

    return function


sqrt, absolute, floor, ceil = (_define_unary(name) for name in ("sqrt", "fabs", "floor", "ceil"))
_round = _define_unary("rint")


@intrinsic
def _scale_by_power_of_two(typingctx, a, exponent):
    """a · 2^exponent for whole exponents, by adding to the exponent's bits; no care for overflow."""

    def codegen(context, builder, signature, args):
        shifted = builder.shl(builder.fptosi(args[1], _INTS), ir.Constant(_INTS, [23] * LANES))
        return builder.bitcast(builder.add(builder.bitcast(args[0], _INTS), shifted), _FLOATS)

    return float8(a, exponent), codegen


@inlined
def exp2(t):
    """2^t for -126 <= t <= 127, relative error below 3e-6: a polynomial on [-½, ½] (minimax, degree 4)."""
    whole = _round(t)
    f = t - whole
    p = f * 0.0095701022 + 0.055917859
    p = p * f + 0.24024744
    p = p * f + 0.69312179
    p = p * f + 0.99999928
    return _scale_by_power_of_two(p, whole)


@intrinsic
def _split_exponent(typingctx, a):
    """(m, e) with a = m · 2^e and √½ <= m < √2, for positive normal a."""

    def codegen(context, builder, signature, args):
        bits = builder.bitcast(args[0], _INTS)
        # Subtracting the bits of √½ makes the exponent's field step where the mantissa passes √½.
        offset = builder.sub(bits, ir.Constant(_INTS, [0x3F3504F3] * LANES))
        exponent = builder.ashr(offset, ir.Constant(_INTS, [23] * LANES))
        mantissa = builder.sub(bits, builder.shl(exponent, ir.Constant(_INTS, [23] * LANES)))
        pair = (builder.bitcast(mantissa, _FLOATS), builder.sitofp(exponent, _FLOATS))
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(float8, 2)(a), codegen


@inlined
def log2(a):
    """log2(a) of positive normal numbers, relative error below 1e-6: 2 artanh((m - 1) / (m + 1)) / ln 2."""
    mantissa, exponent = _split_exponent(a)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    q = s * s
    p = q * 0.32059890 + 0.41219858  # 2 / (9 ln 2), 2 / (7 ln 2), …
    p = p * q + 0.57707802
    p = p * q + 0.96179669
    p = p * q + 2.8853901
    return exponent + s * p


def _define_shuffle_add(first, second):
    """(a, b) -> shuffle(a, b, first) + shuffle(a, b, second), where lanes 8 to 15 are b's."""

    @intrinsic
    def function(typingctx, a, b):
        def codegen(context, builder, signature, args):
            x, y = (builder.shuffle_vector(*args, ir.Constant(_INTS, lanes)) for lanes in (first, second))
            return builder.fadd(x, y, flags=FLOAT_FLAGS)

        return float8(a, b), codegen

    return function


_add_by_twos = _define_shuffle_add((0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15))
_add_by_fours = _define_shuffle_add((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15))
_add_halves = _define_shuffle_add((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))


@inlined
def sums_of_eight(a, b, c, d, e, f, g, h):
    """The vector of the eight vectors' sums over their lanes: a tree of 7 additions instead of 8 reductions."""
    abcd = _add_by_fours(_add_by_twos(a, b), _add_by_twos(c, d))
    efgh = _add_by_fours(_add_by_twos(e, f), _add_by_twos(g, h))
    return _add_halves(abcd, efgh)


@intrinsic
def sum_lanes(typingctx, a):
    """The sum of the eight lanes, a float32."""

    def codegen(context, builder, signature, args):
        callee = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_F32, [_F32, _FLOATS]), f"llvm.vector.reduce.fadd.v{LANES}f32"
        )
        return builder.call(callee, [ir.Constant(_F32, 0.0), args[0]], fastmath=FLOAT_FLAGS)

    return types.float32(a), codegen
