"""Files and batches as the settings want them, for a service with accounts."""

from concurrent.futures import ThreadPoolExecutor

from archipel import config
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.annex import Annex
from archipel.serve.batches.batches_api import BatchesApi
from archipel.serve.batches.description import PATHS, SCHEMAS
from archipel.serve.batches.files import Files
from archipel.serve.batches.files_api import FilesApi, Threads
from archipel.serve.batches.message_batches_api import MessageBatchesApi
from archipel.serve.batches.project_batches import ProjectBatches
from archipel.serve.batches.worker import Worker
from archipel.serve.setting_tables import FilesTable
from archipel.store import Store

_THREADS = 4
_SECONDS = 60.0  # that a body may stand still


def files_and_batches(
    access: AccountAccess,
    limits: FilesTable,
    *,
    parallel: int,
    batch_price_share: float,
    seconds: float = _SECONDS,
) -> Annex:
    """The endpoints, and what works through the batches.

    Raises:
        ConfigError: the store's URL is not one.
    """
    store = Store(limits.store or str(config.home() / "files"))
    files = Files(access.database, store, limits, access.clock)
    worker = Worker(files, access, parallel, batch_price_share)
    threads = Threads(ThreadPoolExecutor(_THREADS, "files"))
    batches = ProjectBatches(files, access, threads, worker.wake, worker.stop)
    routes = [
        *FilesApi(files, access, threads, seconds).routes,
        *BatchesApi(batches, seconds).routes,
        *MessageBatchesApi(batches, seconds).routes,
    ]
    return Annex(routes, PATHS, SCHEMAS, worker.working)
