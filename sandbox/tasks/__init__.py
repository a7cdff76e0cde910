"""Stand-ins for the pipeline tasks of the Rubin stack.

Each module names the labels and the tasks that it stands in for. They have the real dimensions, dataset types
and storage class names, and do the same work on small images with the functions of
`apcampaign.sandbox.science`.

The flow: `isr` → `calibrate` → `visits` (tables of a visit) → `selection` (the visits of a template) →
`coadds` (warps and templates) → `differences` (template, subtraction, detection) → `sources` (filters,
reliability, standardisation) → `association` (the APDB), whose input is made by `regions` and `preload`.
`single_frame` measures fainter sources; `sampled_metrics` and `analysis` are quality assessment.
"""
