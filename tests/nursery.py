"""What the process knows from which programs are forked: imported there, and nowhere else.

One recording is made in it from beginning to end. So what a process finds out once (compiled statements, validators,
certificates) is found out before all forks, not in each.
"""

import gc
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from structlog.testing import capture_logs

from app.kaltura.transport import http_client
from tests.service import eventually, lectern

http_client("http://sandbox.invalid").close()
with TemporaryDirectory() as folder, capture_logs(), lectern(Path(folder)) as service:
    service.made()
eventually(lambda: threading.active_count() == 1)  # others would not be there in a fork, but what they hold
gc.collect()
gc.freeze()
