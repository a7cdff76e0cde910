"""Numerics of the stand-in tasks: functions of images and catalogues, without Butler.

The flow: `signature` (of the instrument) → `cosmics` → `stars` (background, detection, point-spread function) →
`calibration` (astrometry, photometry) → `coaddition` (warps and coadds) → `matching` (kernel) and `subtraction` →
`detection` (on the difference) → `reliability` → `association`. All share `pixels` and `psf`.

Nothing is imported here: every batch job pays for what this package imports. Nor is `scipy.ndimage` or `scipy.fft`
by any module: `scipy` does so when they are used, and graphs and most jobs are made without.
"""
