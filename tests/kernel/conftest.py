"""What the tests of the kernel share."""

import pytest

from lablib.kernel import Kernel


@pytest.fixture
def kernel():
    k = Kernel()
    yield k
    k.close()
