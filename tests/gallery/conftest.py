"""The browser of the photographs."""

from browser.conftest import chromium  # noqa: F401  a fixture
