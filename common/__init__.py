"""What every room may use: errors that people read, whole-or-nothing files, and keeping secrets secret.

Nothing here knows about campaigns; nothing here imports another room.
"""
