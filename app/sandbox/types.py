"""Kaltura's object types as the API declares them: properties in the order in which answers show them.

Only what the recordings and the recorder workflow touch. `read_only` properties may not be sent; limits
are checked while a request is read (bare property names in the errors), see `reading.py`.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["string", "int", "float", "bool", "time", "enum", "object", "array"]


@dataclass(frozen=True)
class Enumeration:
    name: str
    values: frozenset[str]
    numeric: bool = True


@dataclass(frozen=True)
class Property:
    kind: Kind = "string"
    read_only: bool = False
    min_length: int | None = None  # bytes of UTF-8
    max_length: int | None = None
    min_value: int | None = None
    max_value: int | None = None
    enumeration: Enumeration | None = None
    of: str = ""  # the declared type of an object


@dataclass(frozen=True)
class ObjectType:
    name: str
    properties: dict[str, Property]
    base: "ObjectType | None" = None
    abstract: bool = False
    order: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", (*self.properties, "objectType"))

    def is_a(self, name: str) -> bool:
        return self.name == name or (self.base is not None and self.base.is_a(name))


def _numbers(name: str, *values: int) -> Enumeration:
    return Enumeration(name, frozenset(str(value) for value in values))


def _words(name: str, words: str) -> Enumeration:
    return Enumeration(name, frozenset(words.split()), numeric=False)


def _enum(enumeration: Enumeration, *, read_only: bool = False) -> Property:
    return Property("enum", enumeration=enumeration, read_only=read_only)


CANCELLED, ACTIVE, DELETED = 1, 2, 3
STATUS = _numbers("KalturaScheduleEventStatus", CANCELLED, ACTIVE, DELETED)
RECURRENCE_TYPE = _numbers("KalturaScheduleEventRecurrenceType", 0, 1, 2)
CLASSIFICATION = _numbers("KalturaScheduleEventClassificationType", 1, 2, 3)
CONFLICT_TYPE = _numbers("KalturaScheduleEventConflictType", 1, 2, 3)
SESSION_TYPE = _numbers("KalturaSessionType", 0, 2)
MEDIA_TYPE = _numbers("KalturaMediaType", 1, 2, 5, 201, 202, 203, 204)
HASH_TYPE = _words("KalturaAppTokenHashType", "MD5 SHA1 SHA256 SHA512")
FREQUENCY = _words("KalturaScheduleEventRecurrenceFrequency", "seconds minutes hours days weeks months years")
WEEK_DAY = _words("KalturaScheduleEventRecurrenceDay", "SU MO TU WE TH FR SA")

STRING = Property()
INT = Property("int")
FLOAT = Property("float")
BOOL = Property("bool")
TIME = Property("time")
SHOWN = Property(read_only=True)
SHOWN_INT = Property("int", read_only=True)
SHOWN_TIME = Property("time", read_only=True)
SHOWN_LIST = Property("array", read_only=True)

_EVENT = {
    "id": SHOWN_INT,
    "parentId": SHOWN_INT,
    "partnerId": SHOWN_INT,
    "summary": Property(min_length=1, max_length=256),
    "description": STRING,
    "status": _enum(STATUS, read_only=True),
    "startDate": TIME,
    "endDate": TIME,
    "referenceId": STRING,
    "classificationType": _enum(CLASSIFICATION),
    "geoLatitude": FLOAT,
    "geoLongitude": FLOAT,
    "location": STRING,
    "organizer": STRING,
    "ownerId": STRING,
    "priority": Property("int", min_value=0, max_value=9),
    "sequence": Property("int", min_value=0),
    "recurrenceType": _enum(RECURRENCE_TYPE),
    "duration": Property("int", min_value=0),
    "contact": STRING,
    "comment": STRING,
    "tags": STRING,
    "createdAt": SHOWN_TIME,
    "updatedAt": SHOWN_TIME,
    "recurrence": Property("object", of="KalturaScheduleEventRecurrence"),
}
_ENTRY_EVENT = {
    **_EVENT,
    "templateEntryId": STRING,
    "entryIds": STRING,
    "categoryIds": STRING,
    "blackoutConflicts": SHOWN_LIST,
}
_RESOURCE = {
    "id": SHOWN_INT,
    "parentId": INT,
    "partnerId": SHOWN_INT,
    "name": Property(min_length=1, max_length=256),
    "systemName": Property(min_length=1, max_length=256),
    "description": STRING,
    "status": _enum(STATUS, read_only=True),
    "tags": STRING,
    "createdAt": SHOWN_TIME,
    "updatedAt": SHOWN_TIME,
}
_ENTRY = {
    "id": SHOWN,
    "name": STRING,
    "description": STRING,
    "partnerId": SHOWN_INT,
    "userId": STRING,
    "creatorId": STRING,
    "tags": STRING,
    "adminTags": STRING,
    "categories": STRING,
    "categoriesIds": STRING,
    "status": SHOWN_INT,
    "moderationStatus": SHOWN_INT,
    "moderationCount": SHOWN_INT,
    "type": INT,
    "createdAt": SHOWN_TIME,
    "updatedAt": SHOWN_TIME,
    "rank": SHOWN_INT,
    "totalRank": SHOWN_INT,
    "votes": SHOWN_INT,
    "downloadUrl": SHOWN,
    "searchText": SHOWN,
    "licenseType": INT,
    "version": SHOWN_INT,
    "thumbnailUrl": SHOWN,
    "referenceId": STRING,
    "replacementStatus": SHOWN_INT,
    "partnerSortValue": INT,
    "rootEntryId": SHOWN,
    "operationAttributes": SHOWN_LIST,
    "entitledUsersEdit": STRING,
    "entitledUsersPublish": STRING,
    "entitledUsersView": STRING,
    "capabilities": SHOWN,
    "templateEntryId": STRING,
    "displayInSearch": INT,
    "blockAutoTranscript": BOOL,
    "plays": SHOWN_INT,
    "views": SHOWN_INT,
    "duration": SHOWN_INT,
    "msDuration": SHOWN_INT,
}
_EVENT_FILTER = {
    "orderBy": STRING,
    "idEqual": INT,
    "idIn": STRING,
    "idNotIn": STRING,
    "parentIdEqual": INT,
    "parentIdIn": STRING,
    "parentIdNotIn": STRING,
    "statusEqual": _enum(STATUS),
    "statusIn": STRING,
    "recurrenceTypeEqual": _enum(RECURRENCE_TYPE),
    "recurrenceTypeIn": STRING,
    "referenceIdEqual": STRING,
    "referenceIdIn": STRING,
    "ownerIdEqual": STRING,
    "ownerIdIn": STRING,
    "priorityEqual": INT,
    "priorityIn": STRING,
    "tagsLike": STRING,
    "resourceIdEqual": STRING,
    "resourceIdsLike": STRING,
    "resourceIdsMultiLikeOr": STRING,
    "resourceIdsMultiLikeAnd": STRING,
    "resourceSystemNamesLike": STRING,
    "parentResourceIdsLike": STRING,
    **{
        f"{name}{side}ThanOrEqual": TIME
        for name in ("startDate", "endDate", "createdAt", "updatedAt")
        for side in ("Greater", "Less")
    },
}
_RESOURCE_FILTER = {
    "orderBy": STRING,
    "idEqual": INT,
    "idIn": STRING,
    "idNotIn": STRING,
    "parentIdEqual": INT,
    "parentIdIn": STRING,
    "nameEqual": STRING,
    "systemNameEqual": STRING,
    "systemNameIn": STRING,
}

_event = ObjectType("KalturaScheduleEvent", _EVENT, abstract=True)
_entry_event = ObjectType("KalturaEntryScheduleEvent", _ENTRY_EVENT, _event, abstract=True)
_resource = ObjectType("KalturaScheduleResource", _RESOURCE, abstract=True)
_base_entry = ObjectType("KalturaBaseEntry", _ENTRY)
_event_filter = ObjectType("KalturaScheduleEventFilter", _EVENT_FILTER)
_resource_filter = ObjectType("KalturaScheduleResourceFilter", _RESOURCE_FILTER)
_base_entry_filter = ObjectType(
    "KalturaBaseEntryFilter",
    {
        "orderBy": STRING,
        "idEqual": STRING,
        "idIn": STRING,
        "referenceIdEqual": STRING,
        "referenceIdIn": STRING,
        "statusEqual": STRING,
        "statusIn": STRING,
        "createdAtGreaterThanOrEqual": TIME,
    },
)

_ALL = [
    _event,
    _entry_event,
    ObjectType("KalturaRecordScheduleEvent", _ENTRY_EVENT, _entry_event),
    ObjectType(
        "KalturaLiveStreamScheduleEvent",
        {**_ENTRY_EVENT, "preStartTime": INT, "postEndTime": INT, "liveFeatures": SHOWN_LIST},
        _entry_event,
    ),
    ObjectType("KalturaMeetingScheduleEvent", {**_ENTRY_EVENT, "preStartTime": INT}, _entry_event),
    ObjectType("KalturaBlackoutScheduleEvent", _EVENT, _event),
    ObjectType(
        "KalturaScheduleEventRecurrence",
        {
            "name": STRING,
            "frequency": _enum(FREQUENCY),
            "until": TIME,
            "timeZone": STRING,
            "count": INT,
            "interval": INT,
            "bySecond": STRING,
            "byMinute": STRING,
            "byHour": STRING,
            "byDay": STRING,
            "byMonthDay": STRING,
            "byYearDay": STRING,
            "byWeekNumber": STRING,
            "byMonth": STRING,
            "byOffset": STRING,
            "weekStartDay": _enum(WEEK_DAY),
        },
    ),
    _resource,
    ObjectType("KalturaLocationScheduleResource", _RESOURCE, _resource),
    ObjectType("KalturaCameraScheduleResource", {**_RESOURCE, "streamUrl": STRING}, _resource),
    ObjectType("KalturaLiveEntryScheduleResource", {**_RESOURCE, "entryId": STRING}, _resource),
    ObjectType(
        "KalturaScheduleEventResource",
        {
            "eventId": INT,
            "resourceId": INT,
            "partnerId": SHOWN_INT,
            "createdAt": SHOWN_TIME,
            "updatedAt": SHOWN_TIME,
        },
    ),
    _base_entry,
    ObjectType(
        "KalturaMediaEntry",
        {**_ENTRY, "mediaType": _enum(MEDIA_TYPE), "sourceType": STRING, "dataUrl": SHOWN},
        _base_entry,
    ),
    ObjectType(
        "KalturaCategory",
        {
            "id": SHOWN_INT,
            "parentId": INT,
            "depth": SHOWN_INT,
            "partnerId": SHOWN_INT,
            "name": Property(min_length=1, max_length=255),
            "fullName": SHOWN,
            "fullIds": SHOWN,
            "entriesCount": SHOWN_INT,
            "createdAt": SHOWN_TIME,
            "updatedAt": SHOWN_TIME,
            "description": STRING,
            "tags": STRING,
            "appearInList": INT,
            "privacy": INT,
            "inheritanceType": INT,
            "userJoinPolicy": SHOWN_INT,
            "defaultPermissionLevel": INT,
            "owner": STRING,
            "directEntriesCount": SHOWN_INT,
            "referenceId": STRING,
            "contributionPolicy": INT,
            "membersCount": SHOWN_INT,
            "pendingMembersCount": SHOWN_INT,
            "privacyContext": STRING,
            "privacyContexts": SHOWN,
            "status": SHOWN_INT,
            "partnerSortValue": INT,
            "directSubCategoriesCount": SHOWN_INT,
            "moderation": BOOL,
            "isAggregationCategory": BOOL,
            "aggregationCategories": STRING,
        },
    ),
    ObjectType(
        "KalturaCategoryEntry",
        {
            "categoryId": INT,
            "entryId": STRING,
            "createdAt": SHOWN_TIME,
            "categoryFullIds": SHOWN,
            "status": SHOWN_INT,
            "creatorUserId": SHOWN,
        },
    ),
    ObjectType(
        "KalturaAppToken",
        {
            "id": SHOWN,
            "token": SHOWN,
            "partnerId": SHOWN_INT,
            "createdAt": SHOWN_TIME,
            "updatedAt": SHOWN_TIME,
            "status": SHOWN_INT,
            "expiry": TIME,
            "sessionType": _enum(SESSION_TYPE),
            "sessionUserId": STRING,
            "sessionDuration": INT,
            "sessionPrivileges": STRING,
            "hashType": _enum(HASH_TYPE),
            "description": STRING,
        },
    ),
    ObjectType("KalturaFilterPager", {"pageSize": INT, "pageIndex": INT}),
    ObjectType("KalturaDetachedResponseProfile", {"type": INT, "fields": STRING}),
    _event_filter,
    ObjectType("KalturaRecordScheduleEventFilter", {**_EVENT_FILTER, "templateEntryIdEqual": STRING}, _event_filter),
    ObjectType(
        "KalturaLiveStreamScheduleEventFilter",
        {**_EVENT_FILTER, "templateEntryIdEqual": STRING},
        _event_filter,
    ),
    ObjectType("KalturaBlackoutScheduleEventFilter", _EVENT_FILTER, _event_filter),
    _resource_filter,
    ObjectType("KalturaLocationScheduleResourceFilter", _RESOURCE_FILTER, _resource_filter),
    ObjectType("KalturaCameraScheduleResourceFilter", _RESOURCE_FILTER, _resource_filter),
    ObjectType(
        "KalturaScheduleEventResourceFilter",
        {
            name: kind
            for field_name in ("eventId", "resourceId")
            for name, kind in ((f"{field_name}Equal", INT), (f"{field_name}In", STRING))
        },
    ),
    _base_entry_filter,
    ObjectType("KalturaMediaEntryFilter", _base_entry_filter.properties, _base_entry_filter),
    ObjectType(
        "KalturaCategoryFilter",
        {
            "orderBy": STRING,
            "idEqual": INT,
            "idIn": STRING,
            "parentIdEqual": INT,
            "fullNameEqual": STRING,
            "fullNameIn": STRING,
            "fullNameStartsWith": STRING,
        },
    ),
    ObjectType(
        "KalturaCategoryEntryFilter",
        {"categoryIdEqual": INT, "categoryIdIn": STRING, "entryIdEqual": STRING, "entryIdIn": STRING},
    ),
]

TYPES: dict[str, ObjectType] = {declared.name: declared for declared in _ALL}
