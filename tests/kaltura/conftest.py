from collections.abc import Iterator

import pytest

from tests.kaltura.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    assert not upstream.replies
    upstream.client.close()
