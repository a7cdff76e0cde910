"""Stand-ins for the pipeline tasks of the Rubin stack.

Each module names the tasks that it stands in for. They have the real dimensions, dataset types and storage
class names, and do honest small arithmetic on small images: `isr` → `calibrate` → `visits` (tables for a
visit) → `coadds` (selection, warps, template) → `differences` (template, subtraction, detection) → `sources`
(filters, reliability, standardisation) → `association` (the APDB); `regions` feeds the latter, `analysis` is
every quality assessment. `measure` is the arithmetic.
"""
