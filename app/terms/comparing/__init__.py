"""A declaration compared with what its term keeps: what is to be done, and whether somebody must look first."""
