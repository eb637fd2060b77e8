"""What a key may be used for."""

from enum import StrEnum


class Scope(StrEnum):
    """`admin` stands for all of them, and for everybody's recordings."""

    RECORDINGS_READ = "recordings:read"
    RECORDINGS_WRITE = "recordings:write"
    SCHEDULE_READ = "schedule:read"
    CALENDARS_WRITE = "calendars:write"
    ADMIN = "admin"
