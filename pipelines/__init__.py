"""What science: the pipelines of the two steps, on top of Rubin's ``ap_pipe`` (``$AP_PIPE_DIR``)."""
