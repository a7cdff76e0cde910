"""Human-readable output of the commands: tables, screens and figures, drawn from values.

Each module shows one kind of result. ``draw_…`` functions return what can be printed, ``show_…`` functions
print.
"""
