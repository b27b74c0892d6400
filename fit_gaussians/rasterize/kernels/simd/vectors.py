"""The vector types, what makes a vector of a scalar, and the operators between vectors."""

import operator

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model, type_callable

from fit_gaussians.rasterize.kernels.jit import FLOAT_FLAGS, inlined

_FEATURES = cpu_target.target_context.codegen().magic_tuple()[2]  # of the processor that Numba compiles for
LANES = 16 if "+avx512f" in _FEATURES.split(",") else 8

F32, I32 = ir.FloatType(), ir.IntType(32)
FLOATS = ir.VectorType(F32, LANES)
INTS = ir.VectorType(I32, LANES)
BITS = ir.VectorType(ir.IntType(1), LANES)


class _Floats(types.Type):
    def __init__(self):
        super().__init__(f"Float{LANES}")

    def can_convert_from(self, typingctx, other):
        return Conversion.promote if isinstance(other, types.Number) else None


class _Mask(types.Type):
    def __init__(self):
        super().__init__(f"Mask{LANES}")


float_vector, mask_vector = _Floats(), _Mask()


@register_model(_Floats)
class _FloatsModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, FLOATS)


@register_model(_Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, BITS)


@lower_cast(types.Number, _Floats)
def _broadcast(context, builder, fromty, toty, value):
    scalar = context.cast(builder, value, fromty, types.float32)
    return splat(builder, scalar)


def splat(builder, scalar):
    """Code that puts a scalar into all lanes."""
    undefined = ir.Constant(FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * LANES))


def constant(value):
    """A vector of LLVM's that is known when the code is made."""
    return ir.Constant(FLOATS, [float(value)] * LANES)


def _is_operand(ty):
    return isinstance(ty, (_Floats, types.Number))


@intrinsic
def broadcast(typingctx, scalar):
    """A vector with the scalar in all lanes."""

    def codegen(context, builder, signature, args):
        return context.cast(builder, args[0], signature.args[0], float_vector)

    return float_vector(scalar), codegen


@intrinsic
def lane_numbers(typingctx):
    """The vector 0, 1, 2, …"""

    def codegen(context, builder, signature, args):
        return ir.Constant(FLOATS, [float(lane) for lane in range(LANES)])

    return float_vector(), codegen


def _define_binary(op, result, emit):
    """Let `op` take two vectors, or a vector and a scalar."""

    @type_callable(op)
    def type_op(context):
        def typer(a, b):
            if (isinstance(a, _Floats) or isinstance(b, _Floats)) and _is_operand(a) and _is_operand(b):
                return result
            return None

        return typer

    def lower(context, builder, signature, args):
        a, b = (context.cast(builder, value, ty, float_vector) for value, ty in zip(args, signature.args, strict=True))
        return emit(builder, a, b)

    lower_builtin(op, _Floats, _Floats)(lower)
    lower_builtin(op, _Floats, types.Number)(lower)
    lower_builtin(op, types.Number, _Floats)(lower)


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
    _define_binary(_op, float_vector, _arithmetic(_name))
for _op, _sign in ((operator.gt, ">"), (operator.ge, ">="), (operator.lt, "<"), (operator.le, "<=")):
    _define_binary(_op, mask_vector, _comparison(_sign))  # false in lanes that hold NaN


@type_callable(operator.neg)
def _type_neg(context):
    return lambda a: float_vector if isinstance(a, _Floats) else None


@lower_builtin(operator.neg, _Floats)
def _lower_neg(context, builder, signature, args):
    return builder.fneg(args[0], flags=FLOAT_FLAGS)


def _define_mask_operator(op, name):
    @type_callable(op)
    def type_op(context):
        return lambda a, b: mask_vector if isinstance(a, _Mask) and isinstance(b, _Mask) else None

    @lower_builtin(op, _Mask, _Mask)
    def lower(context, builder, signature, args):
        return getattr(builder, name)(*args)


_define_mask_operator(operator.and_, "and_")
_define_mask_operator(operator.or_, "or_")


@intrinsic
def and_not(typingctx, a, b):
    """The mask a & ~b."""

    def codegen(context, builder, signature, args):
        return builder.and_(args[0], builder.not_(args[1]))

    return mask_vector(a, b), codegen


@intrinsic
def select(typingctx, mask, if_true, if_false):
    """Lane by lane: if_true where the mask is set, else if_false."""

    def codegen(context, builder, signature, args):
        a, b = (context.cast(builder, args[k], signature.args[k], float_vector) for k in (1, 2))
        return builder.select(args[0], a, b)

    return float_vector(mask, if_true, if_false), codegen


@inlined
def minimum(a, b):
    return select(a < b, a, b)


@inlined
def maximum(a, b):
    return select(a > b, a, b)
