"""What each of Kaltura's error codes means for the call that it answers, gone through once: one table, five kinds.

    RETRY      nothing was done, and it passes
    UNKNOWN    something may have been done, and it passes
    DOUBTED    a refusal that may have left something behind; so is every code that stands nowhere here
    DONE       a refusal, and to whoever wanted just that, done: the step says where
    REFUSED    it said no before it did anything, and will say it again

The codes are those that Kaltura publishes for the services that Lectern calls (media, baseEntry, category,
categoryEntry, the schedule's, session, appToken) and for all services, and every one that was recorded. What Kaltura
checks in its API it refuses before it does anything; what comes from further in may come when something is saved.
"""

from collections.abc import Mapping

RETRY: Mapping[str, str] = {
    "RESOURCE_IS_RESERVED": "another session asked within five seconds, or memcached is down (exchanges 366, 657)",
    "INVALID_KS": "checked before the action (exchanges 24 to 43)",
    "MISSING_KS": "the session got lost on the way",
    "CATEGORIES_LOCKED": "somebody moves categories just now",
}
UNKNOWN: Mapping[str, str] = {
    "INTERNAL_SERVERL_ERROR": "can mean that only the answer could not be made (exchanges 640, 645, 651); spelt so",
    "INTERNAL_SERVER_ERROR": "",
    "SERVERL_ERROR": "",
    "INTERNAL_DATABASE_ERROR": "the database is away (exchanges 664 to 667)",
    "SEARCH_ENGINE_QUERY_FAILED": "something may be saved before it is searched for",
    "LOCK_TIMED_OUT": "an entry is made all the same, without its categories",
}
DOUBTED: Mapping[str, str] = {
    "MAX_CATEGORIES_FOR_ENTRY_REACHED": "counted when the entry is saved",
    "MAX_NUMBER_OF_ACCESS_CONTROLS_REACHED": "counted when it is saved",
}
DONE: Mapping[str, str] = {
    "INVALID_OBJECT_ID": "gone, for who deletes or cancels it (exchanges 466, 508)",
    "ENTRY_ID_NOT_FOUND": "gone, for who deletes it (exchange 99)",
    "SCHEDULE_EVENT_ID_NOT_FOUND": "gone, for who unlinks it (exchange 301)",
    "INVALID_ENTRY_ID": "gone, for who takes an assignment back (exchange 833)",
    "SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS": "linked, for who links (exchange 300)",
    "CATEGORY_ENTRY_ALREADY_EXISTS": "assigned, for who assigns (exchange 831)",
    "ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY": "not assigned, for who takes it out (exchange 838)",
    "SYSTEM_NAME_ALREADY_EXISTS": "there, for who makes a resource: it is looked for again (exchange 105)",
}
REFUSED: frozenset[str] = frozenset(
    {
        # any service: who asks, what is asked for, how it is said
        *("ACCESS_FORBIDDEN_FROM_UNKNOWN_IP", "ANONYMOUS_ACCESS_FORBIDDEN", "FEATURE_FORBIDDEN", "INVALID_PARTNER_ID"),
        *("PARTNER_ACCESS_FORBIDDEN", "PLUGIN_NOT_AVAILABLE_FOR_PARTNER", "SERVICE_ACCESS_CONTROL_RESTRICTED"),
        *("SERVICE_FORBIDDEN", "SERVICE_FORBIDDEN_CONTENT_BLOCKED", "SERVICE_FORBIDDEN_FULLY_BLOCKED"),
        *("SERVICE_FORBIDDEN_PARTNER_DELETED", "UNKNOWN_PARTNER_ID", "USER_BLOCKED", "USER_IS_BLOCKED"),
        *("ACTION_BLOCKED", "ACTION_DOES_NOT_EXISTS", "ACTION_FORBIDDEN", "ACTION_NOT_SPECIFIED"),
        *("INVALID_SERVICE_CONFIGURATION", "SERVICE_DOES_NOT_EXISTS", "SERVICE_NOT_SPECIFIED"),
        *("INVALID_ENUM_VALUE", "INVALID_FIELD_VALUE", "INVALID_LANGUAGE_CODE", "INVALID_OBJECT_TYPE"),
        *("INVALID_PARAMETER_CHAR", "MANDATORY_PARAMETER_MISSING", "MISSING_MANDATORY_PARAMETER", "OBJECT_NOT_FOUND"),
        *("OBJECT_TYPE_ABSTRACT", "UNKNOWN_RESPONSE_FORMAT", "UNSAFE_HTML_TAGS", "WRONG_REQUEST_LANGUAGE"),
        *("PROPERTY_DEPRECTAED", "PROPERTY_IS_NOT_DEFINED", "PROPERTY_VALIDATION_ADMIN_PROPERTY"),  # spelt so
        *("PROPERTY_VALIDATION_ALL_MUST_BE_NULL_BUT_ONE", "PROPERTY_VALIDATION_CANNOT_BE_NULL"),
        *("PROPERTY_VALIDATION_ENTRY_STATUS", "PROPERTY_VALIDATION_MAX_LENGTH", "PROPERTY_VALIDATION_MAX_VALUE"),
        *("PROPERTY_VALIDATION_MIN_LENGTH", "PROPERTY_VALIDATION_MIN_VALUE", "PROPERTY_VALIDATION_NOT_UPDATABLE"),
        *("PROPERTY_VALIDATION_NO_INSERT_PERMISSION", "PROPERTY_VALIDATION_NO_UPDATE_PERMISSION"),
        *("PROPERTY_VALIDATION_NO_USAGE_PERMISSION", "PROPERTY_VALIDATION_NUMERIC_VALUE"),
        *("PROPERTY_VALIDATION_UNTIL_NOT_VALID", "PROPERTY_VALIDATION_WRONG_FORMAT"),
        # lists
        *("QUERY_EXCEEDED_MAX_MATCHES_ALLOWED", "MUST_FILTER_ENTRY_ID_EQUAL", "MUST_FILTER_ON_ENTRY_OR_CATEGORY"),
        # session and appToken
        *("APP_TOKEN_EXPIRED", "APP_TOKEN_ID_NOT_FOUND", "APP_TOKEN_NOT_ACTIVE", "INVALID_APP_TOKEN_HASH"),
        *("INVALID_ACTIONS_LIMIT", "INVALID_IP_ADDRESS_RESTRICTION", "INVALID_SET_ROLE", "INVALID_USER_ID"),
        *("INVALID_WIDGET_ID", "PARTNER_CHANGE_ACCOUNT_DISABLED", "START_SESSION_ERROR", "START_WIDGET_SESSION_ERROR"),
        *("UNKNOWN_ROLE_ID", "USER_NOT_ADMIN", "USER_NOT_FOUND"),
        # media and baseEntry
        *("ACCESS_CONTROL_ID_NOT_FOUND", "ASSIGNING_INFO_TO_ENTRY_WITH_PARENT_IS_FORBIDDEN"),
        *("CONVERSION_PROFILE_ID_NOT_FOUND", "CYCLE_IN_PARENTAGE", "ENTRY_CATEGORY_FIELD_IS_DEPRECATED"),
        *("ENTRY_DISPLAY_IN_SEARCH_VALUE_NOT_ALLOWED", "ENTRY_MEDIA_TYPE_NOT_SUPPORTED", "ENTRY_TYPE_NOT_SUPPORTED"),
        *("INVALID_ENTRY_MEDIA_TYPE", "INVALID_ENTRY_SCHEDULE_DATES", "INVALID_ENTRY_STATUS", "INVALID_ENTRY_TYPE"),
        *("INVALID_ENTRY_STATUS_FOR_RECYCLE", "PARENT_ENTRY_ID_NOT_FOUND", "PERMISSION_DENIED_TO_UPDATE_ENTRY"),
        # category and categoryEntry; of an unknown category no entry is left behind (exchanges 863 to 866)
        *("AGGREGATION_CATEGORY_WRONG_ASSOCIATION", "CANNOT_ASSIGN_ENTRY_TO_CATEGORY", "CATEGORY_NOT_FOUND"),
        *("CANNOT_REMOVE_ENTRY_FROM_CATEGORY", "CATEGORY_NOT_PERMITTED", "DUPLICATE_CATEGORY"),
        *("NOT_ENTITLED_TO_UPDATE_CATEGORY", "PARENT_CATEGORY_NOT_FOUND"),
        # scheduleEvent, scheduleResource, scheduleEventResource
        *("INVALID_SCHEDULE_END_BEFORE_START", "INVALID_SCHEDULE_EVENT_TYPE", "MAX_SCHEDULE_DURATION_REACHED"),
        *("LINKED_TO_EVENT_NOT_FOUND_OR_NOT_ACCESSIBLE", "MAX_SCHEDULE_DURATION_MUST_MATCH_END_TIME"),
        *("RECURRENCE_CANT_BE_DELETE", "RECURRENCE_LINKED_EVENT_CONFLICT", "RESOURCE_PARENT_ID_NOT_FOUND"),
        *("SCHEDULE_EVENT_TYPE_CANT_BE_UPDATED", "SCHEDULE_RESOURCE_ID_NOT_FOUND", "SCHEDULE_TIME_IN_USE"),
        *("START_TIME_AND_LINKED_TO_CONFLICT", "START_TIME_AND_LINKED_TO_NOT_SET"),
        # This sentence is a code (exchange 412).
        'Can\'t update single schedule event with recurring data when recurrenceType is not "RECURRING".',
    }
)
