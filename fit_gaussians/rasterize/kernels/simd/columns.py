"""Vectors from and to the columns of rows: eight float32 of each of LANES rows at once, by shuffles in registers."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fit_gaussians.rasterize.kernels.jit import FLOAT_FLAGS
from fit_gaussians.rasterize.kernels.simd.memory import check_array, pointer_to
from fit_gaussians.rasterize.kernels.simd.vectors import F32, I32, LANES, float_vector

COLUMNS = 8
_EIGHT = ir.VectorType(F32, COLUMNS)


def shuffle(builder, a, b, lanes):
    """Code for the vector of these lanes of a, then b."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))


def _transpose(builder, rows):
    """The columns of an 8x8 matrix, given its rows: three rounds of shuffles that AVX and NEON do in one each."""
    twos = []  # of rows (0, 1), (2, 3), …: columns 0 1 4 5, then 2 3 6 7
    for a, b in zip(rows[0::2], rows[1::2], strict=True):
        twos.append(
            (shuffle(builder, a, b, (0, 8, 1, 9, 4, 12, 5, 13)), shuffle(builder, a, b, (2, 10, 3, 11, 6, 14, 7, 15)))
        )
    fours = []  # of rows 0 to 3, then 4 to 7: columns 0 4, 1 5, 2 6, 3 7
    for first, second in ((twos[0], twos[1]), (twos[2], twos[3])):
        columns = []
        for a, b in zip(first, second, strict=True):
            columns += [
                shuffle(builder, a, b, (0, 1, 8, 9, 4, 5, 12, 13)),
                shuffle(builder, a, b, (2, 3, 10, 11, 6, 7, 14, 15)),
            ]
        fours.append(columns)
    low = [shuffle(builder, a, b, (0, 1, 2, 3, 8, 9, 10, 11)) for a, b in zip(*fours, strict=True)]
    high = [shuffle(builder, a, b, (4, 5, 6, 7, 12, 13, 14, 15)) for a, b in zip(*fours, strict=True)]
    return low + high


def _pointers_to_rows(context, builder, signature, args):
    """To eight elements of each of LANES rows, from the row args[1] and column args[2] on."""
    row = context.cast(builder, args[1], signature.args[1], types.intp)
    pointers = []
    for lane in range(LANES):
        row_of_lane = builder.add(row, ir.Constant(row.type, lane))
        types_of_lane = types.void(signature.args[0], types.intp, signature.args[2])
        pointer = pointer_to(context, builder, types_of_lane, (args[0], row_of_lane, args[2]))
        pointers.append(builder.bitcast(pointer, _EIGHT.as_pointer()))
    return pointers


@intrinsic
def load_columns(typingctx, rows, first_row, first_column):
    """The columns of rows[first_row : first_row + LANES, first_column : first_column + 8], a tuple of eight vectors."""
    check_array(rows, 2)

    def codegen(context, builder, signature, args):
        eights = [builder.load(pointer, align=4) for pointer in _pointers_to_rows(context, builder, signature, args)]
        columns = _transpose(builder, eights[:COLUMNS])
        if LANES > COLUMNS:
            others = _transpose(builder, eights[COLUMNS:])
            columns = [shuffle(builder, a, b, range(LANES)) for a, b in zip(columns, others, strict=True)]
        return context.make_tuple(builder, signature.return_type, columns)

    return types.UniTuple(float_vector, COLUMNS)(rows, first_row, first_column), codegen


@intrinsic
def store_columns(typingctx, rows, first_row, first_column, columns):
    """rows[first_row : first_row + LANES, first_column : first_column + 8] = the columns, a tuple of eight vectors."""
    check_array(rows, 2)

    def codegen(context, builder, signature, args):
        columns = cgutils.unpack_tuple(builder, args[3], COLUMNS)
        eights = []
        for start in range(0, LANES, COLUMNS):
            part = [shuffle(builder, column, column, range(start, start + COLUMNS)) for column in columns]
            eights += _transpose(builder, part)
        for eight, pointer in zip(eights, _pointers_to_rows(context, builder, signature, args), strict=True):
            builder.store(eight, pointer, align=4)
        return context.get_dummy_value()

    return types.void(rows, first_row, first_column, columns), codegen


def _sums_of_eight(builder, vectors):
    """<8 x float> with the sums over the lanes of eight vectors: a tree of additions instead of eight reductions."""

    def add_in_fours(a, b, first, second):  # what the patterns say of four lanes is done to each four of a vector
        parts = []
        for pattern in (first, second):
            lanes = [start + lane % 4 + LANES * (lane // 4) for start in range(0, LANES, 4) for lane in pattern]
            parts.append(shuffle(builder, a, b, lanes))
        return builder.fadd(*parts, flags=FLOAT_FLAGS)

    twos = [add_in_fours(a, b, (0, 4, 1, 5), (2, 6, 3, 7)) for a, b in zip(vectors[0::2], vectors[1::2], strict=True)]
    halves = [add_in_fours(a, b, (0, 1, 4, 5), (2, 3, 6, 7)) for a, b in zip(twos[0::2], twos[1::2], strict=True)]
    while halves[0].type.count > COLUMNS:
        middle, end = halves[0].type.count // 2, halves[0].type.count
        halves = [
            builder.fadd(
                shuffle(builder, a, a, range(middle)), shuffle(builder, a, a, range(middle, end)), flags=FLOAT_FLAGS
            )
            for a in halves
        ]
    low, high = (
        shuffle(builder, *halves, lanes) for lanes in ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))
    )
    return builder.fadd(low, high, flags=FLOAT_FLAGS)


@intrinsic
def add_sums(typingctx, rows, row, column, vectors):
    """rows[row, column : column + 8] += the sums over the lanes of eight vectors, a tuple."""
    check_array(rows, 2)

    def codegen(context, builder, signature, args):
        pointer = builder.bitcast(pointer_to(context, builder, signature, args), _EIGHT.as_pointer())
        sums = _sums_of_eight(builder, cgutils.unpack_tuple(builder, args[3], COLUMNS))
        builder.store(builder.fadd(builder.load(pointer, align=4), sums, flags=FLOAT_FLAGS), pointer, align=4)
        return context.get_dummy_value()

    return types.void(rows, row, column, vectors), codegen
