"""How Lectern knows its own in Kaltura: the `referenceId` that it gives to everything it makes."""


def reference(recording_id: str, number: int | str) -> str:
    """`lectern-<recording id>-<n>`: 0 is the template entry, events count from 1."""
    return f"lectern-{recording_id}-{number}"


def recording_of(reference_id: str | None) -> str | None:
    """The recording that made a Kaltura object, by the object's `referenceId`; None for everyone else's."""
    prefix, _, rest = (reference_id or "").partition("-")
    recording_id, _, number = rest.rpartition("-")
    return recording_id if prefix == "lectern" and recording_id.startswith("rec_") and number.isdigit() else None
