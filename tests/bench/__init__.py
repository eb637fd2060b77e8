"""Measurements: ``make bench``. They print ratios beside the limits asked for; nothing fails on a clock."""
