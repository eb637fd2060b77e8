"""Chains as earlier versions of Lectern left them: a folder for each version, written by make.py at its release."""
