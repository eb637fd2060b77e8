"""A browser that reaches nothing but this machine, and services for it to look at."""

from tests.console.test_browser import browser
from tests.security.test_browser import chromium

__all__ = ["browser", "chromium"]
