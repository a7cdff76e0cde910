"""Export of an APDB to Parquet, and import of an export into an empty APDB.

The flow of an export: `plan_export` counts what a `Selection` selects, and `export_apdb` writes it. `layout` says
which columns a table has in the database and what the APDB's schema says of them, `reading` streams its rows as
Arrow batches, `annotations` puts units and provenance where astropy, pandas and Butler look for them, and
`manifest` lists the files with their checksums.

Of an import: `plan_import` compares an export with an APDB (`obstacles`), and `import_apdb` loads it in one
transaction (`loading`) and reads everything again: the `digest` of what is in the database must be that of what
was exported.
"""

from ..sky import Circle
from .exporting import ApdbExported, ExportPlan, export_apdb, plan_export
from .importing import ApdbImported, ImportPlan, import_apdb, plan_import
from .manifest import ExportedFile, Manifest, read_manifest
from .selection import Selection, parse_visits

__all__ = [
    "ApdbExported",
    "ApdbImported",
    "Circle",
    "ExportPlan",
    "ExportedFile",
    "ImportPlan",
    "Manifest",
    "Selection",
    "export_apdb",
    "import_apdb",
    "parse_visits",
    "plan_export",
    "plan_import",
    "read_manifest",
]
