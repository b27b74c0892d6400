"""Several float32 in one register, as a value type inside Numba kernels.

Vectors and masks are LLVM's generic <LANES x float> and <LANES x i1>: sixteen lanes where the processor has AVX-512,
else eight. LLVM turns them into what the processor has: one AVX register, or two of NEON or SSE. Inside a kernel they
read like numbers: ``+ - * /`` and comparisons work between vectors and with scalars, which are broadcast; ``&`` and
``|`` join masks. They exist in compiled code only, never in Python.

    @inlined
    def relu_of_sum(a, b, i):
        total = load(a, i) + load(b, i)
        return select(total > 0.0, total, 0.0)
"""

from fit_gaussians.rasterize.kernels.simd.blocks import (
    BLOCK_HEIGHT,
    BLOCK_WIDTH,
    columns_in_block,
    load_block,
    rows_in_block,
    store_block,
)
from fit_gaussians.rasterize.kernels.simd.columns import add_sums, load_columns, store_columns
from fit_gaussians.rasterize.kernels.simd.functions import absolute, ceil, exp2, floor, log2, sqrt, sum_lanes
from fit_gaussians.rasterize.kernels.simd.memory import (
    load,
    load_part,
    load_row,
    prefetch,
    store,
    store_part,
    store_row,
)
from fit_gaussians.rasterize.kernels.simd.vectors import (
    LANES,
    and_not,
    broadcast,
    lane_numbers,
    maximum,
    minimum,
    select,
)

__all__ = [
    "BLOCK_HEIGHT",
    "BLOCK_WIDTH",
    "LANES",
    "absolute",
    "add_sums",
    "and_not",
    "broadcast",
    "ceil",
    "columns_in_block",
    "exp2",
    "floor",
    "lane_numbers",
    "load",
    "load_block",
    "load_columns",
    "load_part",
    "load_row",
    "log2",
    "maximum",
    "minimum",
    "prefetch",
    "rows_in_block",
    "select",
    "sqrt",
    "store",
    "store_block",
    "store_columns",
    "store_part",
    "store_row",
    "sum_lanes",
]
