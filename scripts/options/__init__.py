"""Options that several commands have in common, as decorators of click commands.

Options of one command only are declared in its own file.
"""
