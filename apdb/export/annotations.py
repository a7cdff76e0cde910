"""Metadata of a Parquet file, each fact where readers of such files look for it.

- Descriptions, units and UCDs of columns are metadata of the Arrow fields (``description``, ``unit``, ``ucd``), as
  Rubin's Butler writes and reads them (``lsst.daf.butler.formatters.parquet``).
- ``table_meta_yaml`` holds descriptions and units for `astropy.table.Table.read`.
- ``IVOA.VOTable-Parquet.content`` holds the columns with units and UCDs as a VOTable (VOParquet 1.0), for TOPCAT.
- ``pandas`` lets `pandas.read_parquet` read integers and booleans that may be unknown as such, and not as floats,
  which have too few digits for identifiers.
- ``apcampaign:…`` hold the provenance, as plain text.
"""

__all__ = ["annotate"]

from collections.abc import Mapping
from dataclasses import asdict
from xml.etree import ElementTree

import pyarrow as pa

from .layout import ColumnLayout, TableLayout

_VOTABLE = "http://www.ivoa.net/xml/VOTable/v1.3"
# Arrow type → datatype, arraysize and xtype.
_VOTABLE_TYPES = {
    pa.bool_(): {"datatype": "boolean"},
    pa.int16(): {"datatype": "short"},
    pa.int32(): {"datatype": "int"},
    pa.int64(): {"datatype": "long"},
    pa.float32(): {"datatype": "float"},
    pa.float64(): {"datatype": "double"},
    pa.string(): {"datatype": "unicodeChar", "arraysize": "*"},
    pa.binary(): {"datatype": "unsignedByte", "arraysize": "*"},
    pa.timestamp("us", tz="UTC"): {"datatype": "char", "arraysize": "*", "xtype": "timestamp"},
}
_PANDAS_TYPES = {pa.int16(): "Int16", pa.int32(): "Int32", pa.int64(): "Int64", pa.bool_(): "boolean"}
#: astropy reads NULL among texts as «None», and cuts texts to the length that it must be told where there is one.
_SHORTEST_TEXT, _LONGEST_TEXT = 4, 1000


def annotate(schema: pa.Schema, layout: TableLayout, provenance: Mapping[str, str]) -> pa.Schema:
    """Add what is known of a table to its Arrow schema.

    Parameters
    ----------
    schema
        Of the file, without metadata.
    layout
        The table.
    provenance
        Where the rows come from.
    """
    said = {column.name: column for column in layout.columns}
    fields = [field.with_metadata(_of_field(said[field.name])) for field in schema]
    metadata = {
        **{f"apcampaign:{key}": value for key, value in provenance.items()},
        "table_meta_yaml": _for_astropy(schema, said, provenance),
        "IVOA.VOTable-Parquet.version": "1.0",
        "IVOA.VOTable-Parquet.content": _as_votable(schema, layout, provenance),
        "pandas": _for_pandas(schema),
        **{
            f"table::len::{column.name}": str(max(_SHORTEST_TEXT, column.length or _LONGEST_TEXT))
            for column in layout.columns
            if column.nullable and column.type in (pa.string(), pa.binary())
        },
    }
    return pa.schema(fields, metadata=metadata)


def _of_field(column: ColumnLayout) -> dict[str, str]:
    return {key: value for key, value in asdict(column.facts).items() if value}


def _for_astropy(schema: pa.Schema, said: Mapping[str, ColumnLayout], provenance: Mapping[str, str]) -> str:
    from astropy.table import Column, Table, meta

    columns = [
        Column(
            name=field.name,
            dtype=object if _is_text(field.type) else field.type.to_pandas_dtype(),
            unit=said[field.name].facts.unit or None,
            description=said[field.name].facts.description or None,
        )
        for field in schema
    ]
    # As text, or it could not be read without the software that made it.
    table = Table(columns, meta=dict(provenance))
    return "\n".join(meta.get_yaml_from_table(table))


def _as_votable(schema: pa.Schema, layout: TableLayout, provenance: Mapping[str, str]) -> str:
    said = {column.name: column for column in layout.columns}
    root = ElementTree.Element("VOTABLE", {"version": "1.4", "xmlns": _VOTABLE})
    resource = ElementTree.SubElement(root, "RESOURCE", {"type": "results"})
    for key, value in provenance.items():
        ElementTree.SubElement(resource, "INFO", {"name": key, "value": value})
    table = ElementTree.SubElement(resource, "TABLE", {"name": layout.name})
    if layout.description:
        ElementTree.SubElement(table, "DESCRIPTION").text = layout.description
    for field in schema:
        facts = said[field.name].facts
        named = {"name": field.name, **_VOTABLE_TYPES[field.type], "unit": facts.unit, "ucd": facts.ucd}
        element = ElementTree.SubElement(
            table, "FIELD", {key: value for key, value in named.items() if value}
        )
        if facts.description:
            ElementTree.SubElement(element, "DESCRIPTION").text = facts.description
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _for_pandas(schema: pa.Schema) -> bytes:
    import pandas as pd

    frame = schema.empty_table().to_pandas()
    frame = frame.astype(
        {
            field.name: _PANDAS_TYPES[field.type]
            for field in schema
            if field.nullable and field.type in _PANDAS_TYPES
        }
    )
    written: bytes = pa.Schema.from_pandas(pd.DataFrame(frame), preserve_index=False).metadata[b"pandas"]
    return written


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_timestamp(kind))
