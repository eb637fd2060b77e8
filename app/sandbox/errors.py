"""Kaltura's refusals: always HTTP 200 with a KalturaAPIException, `args` an object of strings or `[]`."""

from string import Formatter
from typing import Any

# Message templates of the recorded server, by code; the names in braces are the keys of `args`.
MESSAGES = {
    "ACTION_DOES_NOT_EXISTS": 'Action "{ACTION_NAME}" does not exists for service "{SERVICE_NAME}"',
    "APP_TOKEN_ID_NOT_FOUND": 'Application token id "{ID}" not found',
    "CATEGORY_ENTRY_ALREADY_EXISTS": "Entry already assigned to this category",
    "CATEGORY_NOT_FOUND": 'Category id "{ID}" not found',
    "DUPLICATE_CATEGORY": 'The category "{CATEGORY}" already exists',
    "ENTRY_ID_NOT_FOUND": 'Entry id "{ENTRY_ID}" not found',
    "ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY": "Entry doesn't assigned to category",
    "INTERNAL_SERVERL_ERROR": "Internal server error occurred",
    "INVALID_APP_TOKEN_HASH": "Invalid application token hash",
    "INVALID_ENTRY_ID": 'Invalid entry id ["{ID}"]',
    "INVALID_ENUM_VALUE": (
        'Invalid enumeration value "{ENUM_VAL}" for parameter "{PARAM_NAME}", expecting enumeration type "{ENUM_TYPE}"'
    ),
    "INVALID_KS": 'Invalid KS "{KSID}", Error "{ERR_CODE},{ERR_DESC}"',
    "INVALID_OBJECT_ID": "Invalid object id [{ID}]",
    "INVALID_PARAMETER_CHAR": 'Invalid char in "{XML_FIELD}" field',
    "INVALID_SCHEDULE_END_BEFORE_START": "End time [{END}] must be after start time [{START}]",
    "INVALID_USER_ID": "Invalid user id",
    "INVALID_WIDGET_ID": "Unknown widget [{WIDGET_ID}]",
    "MAX_SCHEDULE_DURATION_MUST_MATCH_END_TIME": (
        "Duration must match end time, keep one of them null to calculate automatically"
    ),
    "MAX_SCHEDULE_DURATION_REACHED": "Maximum schedule duration [{MAX}] reached",
    "MISSING_MANDATORY_PARAMETER": 'Missing parameter "{PARAM_NAME}"',
    "OBJECT_TYPE_ABSTRACT": ('The object type "{OBJ_TYPE}" is abstract, use one of the object implementations'),
    "PROPERTY_VALIDATION_ALL_MUST_BE_NULL_BUT_ONE": (
        "Only one of the passed properties: {PROP_NAME} should not be null"
    ),
    "PROPERTY_VALIDATION_CANNOT_BE_NULL": 'The property "{PROP_NAME}" cannot be null',
    "PROPERTY_VALIDATION_MAX_LENGTH": 'The property "{PROP_NAME}" cannot have more than {MAX_LEN} characters',
    "PROPERTY_VALIDATION_MAX_VALUE": 'The property "{PROP_NAME}" must have a max value of {MAX_VAL}',
    "PROPERTY_VALIDATION_MIN_LENGTH": ('The property "{PROP_NAME}" must have a min length of {MIN_LEN} characters'),
    "PROPERTY_VALIDATION_MIN_VALUE": 'The property "{PROP_NAME}" must have a min value of {MIN_VAL}',
    "PROPERTY_VALIDATION_NOT_UPDATABLE": 'The property "{PROP_NAME}" cannot be updated',
    "PROPERTY_VALIDATION_UNTIL_NOT_VALID": 'The property "{PROP_NAME}" is not valid',
    "PROPERTY_VALIDATION_WRONG_FORMAT": 'The property "{PROP_NAME}" must match format {FORMAT}',
    "QUERY_EXCEEDED_MAX_MATCHES_ALLOWED": "Unable to generate list. max matches value was reached",
    "RECURRENCE_CANT_BE_DELETE": (
        "Recurence [{ID}] cannot be deleted, use cancel or delete the parent recurring event [{PARENT_ID}]"
    ),
    "RESOURCE_IS_RESERVED": "Resource with id {RESOURCE_ID} is already reserved",
    "RESOURCE_PARENT_ID_NOT_FOUND": "Resource parent id [{PARENT_ID}] not found",
    "SCHEDULE_EVENT_ID_NOT_FOUND": "Schedule Event id [{ID}] not found",
    "SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS": (
        "Schedule event resource already exists with eventId[{EVENT_ID}] and resourceId ({RESOURCE_ID})"
    ),
    "SCHEDULE_EVENT_TYPE_CANT_BE_UPDATED": " Can't update from type [{SOURCE_TYPE}] to type [{TARGET_TYPE}]",
    "SCHEDULE_RESOURCE_ID_NOT_FOUND": "Schedule Resource id [{ID}] not found",
    "SCHEDULE_TIME_IN_USE": "Another event is already scheduled during this time",
    "SERVICE_DOES_NOT_EXISTS": 'Service "{SRV_NAME}" does not exists',
    "SERVICE_FORBIDDEN": "The access to service [{SERVICE}] is forbidden",
    "SERVICE_FORBIDDEN_CONTENT_BLOCKED": (
        "The access to this service is forbidden since the specified partner is blocked"
    ),
    "SERVICE_NOT_SPECIFIED": "Service name was not specified, please specify one",
    "START_SESSION_ERROR": "Error while starting session for partner [{PID}]",
    "START_TIME_AND_LINKED_TO_NOT_SET": "Event must have either fields StartTime or LinkedTo set",
    "SYSTEM_NAME_ALREADY_EXISTS": "System name [{SYS_NAME}] already exists",
    # The one error whose code is a sentence and whose message is empty (exchange 412).
    'Can\'t update single schedule event with recurring data when recurrenceType is not "RECURRING".': "",
}


class KalturaError(Exception):
    """A refusal with Kaltura's code and args; codes without a known message get a plain one."""

    def __init__(self, code: str, **args: object) -> None:
        self.code = code
        self.args_sent = {name: str(value) for name, value in args.items()}
        super().__init__(MESSAGES[code].format(**self.args_sent) if code in MESSAGES else code)

    @classmethod
    def on_purpose(cls, code: str) -> "KalturaError":
        """An error of `code` as a fault makes it: with the args that it always has, empty."""
        names = (name for _, name, _, _ in Formatter().parse(MESSAGES.get(code, "")) if name)
        return cls(code, **dict.fromkeys(names, ""))

    def as_object(self) -> dict[str, Any]:
        """The wire form, e.g. exchange 117."""
        return {
            "code": self.code,
            "message": str(self),
            "objectType": "KalturaAPIException",
            "args": self.args_sent or [],
        }


class FatalError(Exception):
    """What kills Kaltura's PHP: the answer is HTTP 500 with an empty body, earlier steps stay done."""


class DoneError(KalturaError):
    """A refusal that comes after the save: what was done before stays done."""


class SearchDownError(DoneError):
    """The search engine is away; an event's blackouts are searched when it has been saved (exchanges 640, 645)."""

    def __init__(self) -> None:
        super().__init__("INTERNAL_SERVERL_ERROR")


class KilledError(Exception):
    """PHP is stopped in the middle of a call: what was done stays done, and later steps never come.

    `answer` is what the caller sees: "none" (a closed connection) or "http_502" (the web server's page).
    """

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer
