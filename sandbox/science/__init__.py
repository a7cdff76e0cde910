"""What the stand-in tasks do with images and catalogues: functions of arrays, without Butler.

`signature` (of the instrument) → `cosmics` → `stars` (background, detection, point-spread function) →
`calibration` (astrometry, photometry) → `warping` and `coaddition` → `matching` (kernel) and `subtraction` →
`detection` (on the difference) → `reliability` → `association`. `pixels` and `psf` are what they share.

Nothing is imported here: every batch job pays for what this package imports.
"""
