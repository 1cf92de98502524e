"""MD5 of short texts: Python's own code takes a third of the time of OpenSSL's, which begins by looking for it."""

try:
    from _md5 import md5  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # a Python that was built without
    from hashlib import md5

__all__ = ["md5"]
