"""Parts of a large step: how it is divided, and what one part needs to know of the others.

`shapes` reads the tasks, visits and sky of the steps that are large, by which `apcampaign.bps.parts` divides them.
A part leaves out coadds whose visits have failed in another one until these are done (`unfinished_visits`), and
what was gathered from visits is made again with images that had failed (`outdated`).
"""
