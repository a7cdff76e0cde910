"""Stand-ins for the pipeline tasks of the Rubin stack.

Each module names the tasks that it stands in for. They have the real dimensions, dataset types and storage
class names, and do the honest version of what their namesakes do, with the functions of
`apcampaign.sandbox.science`, on small images: `isr` → `calibrate` → `visits` (tables for a visit) → `coadds`
(selection, warps, template) → `differences` (template, subtraction, detection) → `sources` (filters, reliability,
standardisation) → `association` (the APDB); `regions` feeds the latter, `analysis` is every quality assessment.
"""
