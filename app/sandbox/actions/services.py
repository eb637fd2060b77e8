"""All that the sandbox answers: Kaltura's services, by lower-case name."""

from app.sandbox.actions import (
    app_token,
    category,
    category_entry,
    media,
    schedule_event,
    schedule_event_resource,
    schedule_resource,
    session,
    system,
)
from app.sandbox.calls import Service

SERVICES: dict[str, Service] = {
    "system": system.SERVICE,
    "session": session.SERVICE,
    "apptoken": app_token.SERVICE,
    "media": media.MEDIA,
    "baseentry": media.BASE_ENTRY,
    "category": category.SERVICE,
    "categoryentry": category_entry.SERVICE,
    "schedule_scheduleevent": schedule_event.SERVICE,
    "schedule_scheduleresource": schedule_resource.SERVICE,
    "schedule_scheduleeventresource": schedule_event_resource.SERVICE,
}
