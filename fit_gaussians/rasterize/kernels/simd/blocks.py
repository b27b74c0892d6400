"""A vector as a block of pixels, four wide and LANES / 4 high, row by row in the lanes."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fit_gaussians.rasterize.kernels.simd.columns import shuffle
from fit_gaussians.rasterize.kernels.simd.memory import check_array, pointer_to
from fit_gaussians.rasterize.kernels.simd.vectors import F32, FLOATS, I32, LANES, float_vector

BLOCK_WIDTH = 4
BLOCK_HEIGHT = LANES // BLOCK_WIDTH

_ROW = ir.VectorType(F32, BLOCK_WIDTH)
_ROW_INTS = ir.VectorType(I32, BLOCK_WIDTH)
_ROW_BITS = ir.VectorType(ir.IntType(1), BLOCK_WIDTH)


@intrinsic
def columns_in_block(typingctx):
    """The column of each lane: 0 1 2 3 0 1 2 3 …"""

    def codegen(context, builder, signature, args):
        return ir.Constant(FLOATS, [float(lane % BLOCK_WIDTH) for lane in range(LANES)])

    return float_vector(), codegen


@intrinsic
def rows_in_block(typingctx):
    """The row of each lane: 0 0 0 0 1 1 1 1 …"""

    def codegen(context, builder, signature, args):
        return ir.Constant(FLOATS, [float(lane // BLOCK_WIDTH) for lane in range(LANES)])

    return float_vector(), codegen


def _rows_of_block(context, builder, signature, args):
    """Of each row of the block a pointer to its first pixel, and the mask of its pixels inside the image.

    `args` begins with the image, the index of the block's first pixel, the image's width, and how many columns and
    rows of pixels are left in the image from there on.
    """
    index, pitch = (context.cast(builder, args[k], signature.args[k], types.intp) for k in (1, 2))
    columns, rows = (context.cast(builder, args[k], signature.args[k], types.int32) for k in (3, 4))
    none = ir.Constant(_ROW_INTS, [0] * BLOCK_WIDTH)
    for row in range(BLOCK_HEIGHT):
        to_row = types.void(signature.args[0], types.intp)
        pointer = builder.bitcast(pointer_to(context, builder, to_row, (args[0], index)), _ROW.as_pointer())
        is_inside = builder.icmp_signed("<", ir.Constant(I32, row), rows)
        count = builder.select(is_inside, columns, ir.Constant(I32, 0))
        counts = builder.shuffle_vector(builder.insert_element(none, count, ir.Constant(I32, 0)), none, none)
        yield pointer, builder.icmp_signed("<", ir.Constant(_ROW_INTS, list(range(BLOCK_WIDTH))), counts)
        index = builder.add(index, pitch)


@intrinsic
def load_block(typingctx, image, index, width, columns, rows):
    """The block of a flat image whose first pixel is image[index]; 0 beyond the `columns` and `rows` that are left."""
    check_array(image, 1)

    def codegen(context, builder, signature, args):
        outside = ir.Constant(_ROW, [0.0] * BLOCK_WIDTH)
        parts = []
        for pointer, mask in _rows_of_block(context, builder, signature, args):
            kind = ir.FunctionType(_ROW, [pointer.type, I32, _ROW_BITS, _ROW])
            callee = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{BLOCK_WIDTH}f32.p0")
            parts.append(builder.call(callee, [pointer, ir.Constant(I32, 4), mask, outside]))
        while len(parts) > 1:
            lanes = range(2 * parts[0].type.count)
            parts = [shuffle(builder, a, b, lanes) for a, b in zip(parts[0::2], parts[1::2], strict=True)]
        return parts[0]

    return float_vector(image, index, width, columns, rows), codegen


@intrinsic
def store_block(typingctx, image, index, width, columns, rows, value):
    """Write a block to a flat image, from image[index] on, as far as `columns` and `rows` reach."""
    check_array(image, 1)

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[5], signature.args[5], float_vector)
        for row, (pointer, mask) in enumerate(_rows_of_block(context, builder, signature, args)):
            part = shuffle(builder, value, value, range(row * BLOCK_WIDTH, (row + 1) * BLOCK_WIDTH))
            kind = ir.FunctionType(ir.VoidType(), [_ROW, pointer.type, I32, _ROW_BITS])
            callee = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{BLOCK_WIDTH}f32.p0")
            builder.call(callee, [part, pointer, ir.Constant(I32, 4), mask])
        return context.get_dummy_value()

    return types.void(image, index, width, columns, rows, value), codegen
