"""What Hugging Face `datasets` and the Hub's viewer read in a Parquet footer to show `images` as images.

The metadata is JSON under the key `huggingface`; `datasets.Features.arrow_schema` writes the same (a test compares).
"""

import json
from typing import Any

import pyarrow as pa

from pipeline.store.schema import IMAGES


def with_features(schema: pa.Schema) -> pa.Schema:
    """The schema with the features of its columns in its metadata."""
    features = {field.name: _feature(field.type) for field in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _feature(data_type: pa.DataType) -> dict[str, Any]:
    if data_type == IMAGES.value_type:
        return {"_type": "Image"}
    if pa.types.is_list(data_type):
        return {"feature": _feature(data_type.value_type), "_type": "List"}
    names = {pa.float32(): "float32", pa.float64(): "float64"}  # Arrow says float, double
    return {"dtype": names.get(data_type, str(data_type)), "_type": "Value"}
