"""Vectors from and to consecutive elements of C-contiguous float32 arrays; the caller keeps inside the array."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fit_gaussians.rasterize.kernels.simd.vectors import BITS, FLOATS, I32, INTS, LANES, constant, float_vector


def check_array(array, ndim):
    if not (isinstance(array, types.Array) and array.ndim == ndim and array.layout == "C"):
        raise TypeError(f"a vector is loaded from and stored to a C-contiguous array of {ndim} dimensions, not {array}")
    if array.dtype != types.float32:
        raise TypeError(f"a vector is loaded from and stored to float32, not {array.dtype}")


def pointer_to(context, builder, signature, args):
    """A pointer to the vector from index args[1] of the array args[0] on, or from row args[1] and column args[2]."""
    struct = context.make_array(signature.args[0])(context, builder, args[0])
    ndim = signature.args[0].ndim
    index = context.cast(builder, args[1], signature.args[1], types.intp)
    if ndim == 2:
        column = context.cast(builder, args[2], signature.args[2], types.intp)
        columns = cgutils.unpack_tuple(builder, struct.shape, 2)[1]
        index = builder.add(builder.mul(index, columns), column)
    return builder.bitcast(builder.gep(struct.data, [index]), FLOATS.as_pointer())


@intrinsic
def load(typingctx, array, index):
    """array[index : index + LANES] of a 1-D array; any alignment; the caller keeps inside the array."""
    check_array(array, 1)

    def codegen(context, builder, signature, args):
        return builder.load(pointer_to(context, builder, signature, args), align=4)

    return float_vector(array, index), codegen


@intrinsic
def store(typingctx, array, index, value):
    """array[index : index + LANES] = value of a 1-D array; any alignment; the caller keeps inside the array."""
    check_array(array, 1)

    def codegen(context, builder, signature, args):
        pointer = pointer_to(context, builder, signature, args)
        builder.store(context.cast(builder, args[2], signature.args[2], float_vector), pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def load_row(typingctx, planes, row, index):
    """planes[row, index : index + LANES] of a 2-D array."""
    check_array(planes, 2)

    def codegen(context, builder, signature, args):
        return builder.load(pointer_to(context, builder, signature, args), align=4)

    return float_vector(planes, row, index), codegen


@intrinsic
def store_row(typingctx, planes, row, index, value):
    """planes[row, index : index + LANES] = value of a 2-D array."""
    check_array(planes, 2)

    def codegen(context, builder, signature, args):
        pointer = pointer_to(context, builder, signature, args)
        builder.store(context.cast(builder, args[3], signature.args[3], float_vector), pointer, align=4)
        return context.get_dummy_value()

    return types.void(planes, row, index, value), codegen


def _first_lanes(context, builder, count, count_type):
    """The mask of the lanes before `count`."""
    count = context.cast(builder, count, count_type, types.int32)
    ones = ir.Constant(INTS, [0] * LANES)
    counts = builder.shuffle_vector(builder.insert_element(ones, count, ir.Constant(I32, 0)), ones, ones)
    return builder.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), counts)


@intrinsic
def load_part(typingctx, array, index, count):
    """array[index : index + count] of a 1-D array in the first `count` lanes, all if there are more; 0 in others."""
    check_array(array, 1)

    def codegen(context, builder, signature, args):
        pointer = pointer_to(context, builder, signature, args)
        kind = ir.FunctionType(FLOATS, [pointer.type, I32, BITS, FLOATS])
        callee = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}f32.p0")
        mask = _first_lanes(context, builder, args[2], signature.args[2])
        return builder.call(callee, [pointer, ir.Constant(I32, 4), mask, constant(0)])

    return float_vector(array, index, count), codegen


@intrinsic
def store_part(typingctx, array, index, value, count):
    """array[index : index + count] = the first `count` lanes of value, all if there are more; a 1-D array."""
    check_array(array, 1)

    def codegen(context, builder, signature, args):
        pointer = pointer_to(context, builder, signature, args)
        kind = ir.FunctionType(ir.VoidType(), [FLOATS, pointer.type, I32, BITS])
        callee = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}f32.p0")
        mask = _first_lanes(context, builder, args[3], signature.args[3])
        value = context.cast(builder, args[2], signature.args[2], float_vector)
        builder.call(callee, [value, pointer, ir.Constant(I32, 4), mask])
        return context.get_dummy_value()

    return types.void(array, index, value, count), codegen


@intrinsic
def prefetch(typingctx, rows, row):
    """Ask for rows[row] to be brought into the first-level cache."""
    check_array(rows, 2)

    def codegen(context, builder, signature, args):
        start = (args[0], args[1], ir.Constant(ir.IntType(64), 0))
        pointer = pointer_to(context, builder, types.void(*signature.args, types.int64), start)
        byte_pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        callee = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte_pointer.type, I32, I32, I32]), "llvm.prefetch.p0"
        )
        for_reading, keep_near, data = (ir.Constant(I32, number) for number in (0, 3, 1))
        builder.call(callee, [byte_pointer, for_reading, keep_near, data])
        return context.get_dummy_value()

    return types.void(rows, row), codegen
