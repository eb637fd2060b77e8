"""Every operation of the API, put together once for all services of a process.

What an operation takes and answers FastAPI finds out anew for each application that includes its router, which takes it
longer than all else that a service does at its start. An application that is given these routes takes them as they
are; what is a service's own, an operation finds in `request.app.state`.
"""

from fastapi import APIRouter, Depends

from app.calendars.router import router as calendars
from app.findings.router import router as findings
from app.http import errors
from app.http.parameters import only_known
from app.notices.router import router as notices
from app.operations.health import router as health
from app.operations.metrics import router as metrics
from app.recordings.calendar_router import router as calendar
from app.recordings.chains_router import router as chains
from app.recordings.occurrences_router import router as occurrences
from app.recordings.references_router import router as references
from app.recordings.router import router as recordings
from app.resources.links_router import router as calendar_links
from app.resources.router import router as resources
from app.terms.router import router as terms

api = APIRouter(
    dependencies=[Depends(only_known)],
    responses=errors.responses(errors.InvalidDocument),  # that one's
    generate_unique_id_function=lambda route: route.name,
)
api.include_router(references)  # first: a reference may look like any other address
api.include_router(recordings)
api.include_router(occurrences)
api.include_router(calendar)
api.include_router(chains)
api.include_router(resources)
api.include_router(calendar_links)
api.include_router(terms)
api.include_router(calendars)
api.include_router(notices)
api.include_router(findings)
api.include_router(health)
api.include_router(metrics)
