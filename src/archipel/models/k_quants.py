"""K-quants (Q4_K, Q5_K, Q6_K) computed by llama.cpp itself, inside xllamacpp's shared library.

The `gguf` package has none, and xllamacpp offers no call for it, but its library exports
`ggml_quantize_chunk`. A build that hides it makes a clear error.
"""

import ctypes
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from archipel.errors import ModelError

K_BLOCK = 256
K_TYPES = frozenset({Type.Q4_K, Type.Q5_K, Type.Q6_K})


def quantize_k(
    values: np.ndarray[Any, np.dtype[np.float32]], kind: Type
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The matrix `values` as `kind`; its rows must be multiples of `K_BLOCK`.

    Raises:
        ModelError: this build of xllamacpp can't do it.
    """
    rows, width = values.shape
    assert width % K_BLOCK == 0
    source = np.ascontiguousarray(values, dtype=np.float32)
    result = np.empty(gguf.quant_shape_to_byte_shape((rows, width), kind), dtype=np.uint8)
    written = _quantize_chunk()(
        int(kind), source.ctypes.data, result.ctypes.data, 0, rows, width, None
    )
    assert written == result.nbytes
    return result


def _quantize_chunk() -> Any:
    try:
        from xllamacpp import xllamacpp

        function = ctypes.CDLL(xllamacpp.__file__).ggml_quantize_chunk
    except (ImportError, OSError, AttributeError) as error:
        raise ModelError(
            f"K-quants need xllamacpp with ggml_quantize_chunk ({error}): use the kind q8_0"
        ) from error
    function.restype = ctypes.c_size_t
    function.argtypes = [
        ctypes.c_int,  # type
        ctypes.c_void_p,  # source, fp32
        ctypes.c_void_p,  # destination
        ctypes.c_int64,  # first element
        ctypes.c_int64,  # rows
        ctypes.c_int64,  # elements in a row
        ctypes.c_void_p,  # importance matrix
    ]
    return function
