"""Functions of vectors, lane by lane, and the sum of the lanes."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fit_gaussians.rasterize.kernels.jit import FLOAT_FLAGS, inlined
from fit_gaussians.rasterize.kernels.simd.vectors import F32, FLOATS, INTS, LANES, float_vector


def _define_unary(name):
    """A function of LLVM's that maps each lane (llvm.NAME.v8f32, or v16f32)."""

    @intrinsic
    def function(typingctx, a):
        def codegen(context, builder, signature, args):
            callee = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(FLOATS, [FLOATS]), f"llvm.{name}.v{LANES}f32"
            )
            return builder.call(callee, args, fastmath=FLOAT_FLAGS)

        return float_vector(a), codegen

    return function


sqrt, absolute, floor, ceil = (_define_unary(name) for name in ("sqrt", "fabs", "floor", "ceil"))
_round = _define_unary("rint")


@intrinsic
def _scale_by_power_of_two(typingctx, a, exponent):
    """a · 2^exponent for whole exponents, by adding to the exponent's bits; no care for overflow."""

    def codegen(context, builder, signature, args):
        shifted = builder.shl(builder.fptosi(args[1], INTS), ir.Constant(INTS, [23] * LANES))
        return builder.bitcast(builder.add(builder.bitcast(args[0], INTS), shifted), FLOATS)

    return float_vector(a, exponent), codegen


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
        bits = builder.bitcast(args[0], INTS)
        # Subtracting the bits of √½ makes the exponent's field step where the mantissa passes √½.
        offset = builder.sub(bits, ir.Constant(INTS, [0x3F3504F3] * LANES))
        exponent = builder.ashr(offset, ir.Constant(INTS, [23] * LANES))
        mantissa = builder.sub(bits, builder.shl(exponent, ir.Constant(INTS, [23] * LANES)))
        pair = (builder.bitcast(mantissa, FLOATS), builder.sitofp(exponent, FLOATS))
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(float_vector, 2)(a), codegen


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


@intrinsic
def sum_lanes(typingctx, a):
    """The sum of all lanes, a float32."""

    def codegen(context, builder, signature, args):
        callee = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(F32, [F32, FLOATS]), f"llvm.vector.reduce.fadd.v{LANES}f32"
        )
        return builder.call(callee, [ir.Constant(F32, 0.0), args[0]], fastmath=FLOAT_FLAGS)

    return types.float32(a), codegen
