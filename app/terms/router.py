"""`/terms`: parse, call one function, answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.access.door import REFUSALS, Reader, Writer
from app.http.errors import (
    ApplyRunning,
    BadRequest,
    DatabaseUnavailable,
    InvalidDocument,
    NotFound,
    PayloadTooLarge,
    PlanBlocked,
    PlanExpired,
    PlanNotReady,
    PlanSuperseded,
    UnsupportedMediaType,
    responses,
)
from app.http.fields import Words
from app.http.parameters import preferred
from app.http.threads import Reading, Writing
from app.recordings.parameters import LOCATION, RETRY, Prefer, wait_of
from app.terms import keeping, showing
from app.terms.answering import Terms, term_view
from app.terms.applying.asking import find_plan
from app.terms.comparing.items import Kind
from app.terms.meetings.settings import TermSettings
from app.terms.reading.declaration import Declaration
from app.terms.schemas import DECLARATION, EXAMPLE, ApplyIn, ApplyView, ItemPage, PlanView, SectionView, TermView

_STREAMED = {"application/jsonl": "jsonl", "text/csv": "csv"}

router = APIRouter(prefix="/terms", tags=["terms"])

READING = (*REFUSALS, NotFound, InvalidDocument, DatabaseUnavailable)
CHANGING = (*READING, PayloadTooLarge, UnsupportedMediaType)
TermName = Annotated[str, Path(pattern=keeping.NAME, description="The term's name.", examples=["2027S"])]
PlanId = Annotated[str, Path(description="The plan's id.", examples=["pln_01kantf3wq5m2c7j8e9g0h1k3p"])]
ApplyId = Annotated[str, Path(description="The apply's id.", examples=["apl_01kantf3wq5m2c7j8e9g0h1k3p"])]
Key = Annotated[str, Words(100), Path(description="The section's key in the timetable.", examples=["20005"])]
SCHEMA = Declaration.model_json_schema(ref_template="#/components/schemas/{model}")
SECTIONS = SCHEMA["properties"]["sections"]
UNREADABLE = {"description": "What cannot be read. The plan tells of it, and nothing else is refused."}
SECTIONS["items"] = {"anyOf": [SECTIONS["items"], UNREADABLE]}
Who = Annotated[keeping.Who, Path(description="`instructors` or `sections`.", examples=["instructors"])]
WhoseId = Annotated[str, Words(256), Path(description="Whose id it is.", examples=["rkeller"])]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": SCHEMA,
                "examples": {"one section": {"value": DECLARATION}},
            },
            **{name: {"schema": {"type": "string"}} for name in ("application/x-ndjson", "application/jsonl")},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


async def _terms(request: Request) -> Terms:
    found: Terms = request.app.state.terms
    return found


Answering = Annotated[Terms, Depends(_terms)]


async def _filter(
    kind: Annotated[Kind | None, Query(description="Only those of this kind.", examples=["rejected"])] = None,
    reason: Annotated[
        str | None, Query(max_length=100, description="Only those for this reason.", examples=["unknown_room"])
    ] = None,
    section: Annotated[
        str | None, Query(max_length=100, description="Only those of this section.", examples=["20005"])
    ] = None,
) -> showing.Filter:
    return showing.Filter(str(kind) if kind else None, reason, section)


Wanted = Annotated[showing.Filter, Depends(_filter)]


@router.put(
    "/{term}",
    summary="Make a term, or set it anew",
    response_description="It was there, and is set anew.",
    responses={201: {"model": TermView, "description": "It is new.", "headers": LOCATION}, **responses(*CHANGING)},
)
def put_term(
    term: TermName,
    settings: Annotated[TermSettings, Body(openapi_examples={"a term": {"value": EXAMPLE}})],
    client: Writer,
    _database: Writing,
    terms: Answering,
    response: Response,
) -> TermView:
    """What holds for all that is declared: dates, rooms, who has opted out, guards. It changes no recording by itself:
    the next plan shows what it comes to."""
    view, new = terms.put(client.name, term, settings)
    response.headers["Location"] = f"/terms/{term}"
    response.status_code = 201 if new else 200
    return view


@router.get("/{term}", summary="Show a term", response_description="The term.", responses=responses(*READING))
def get_term(term: TermName, client: Reader, database: Reading) -> TermView:
    """Its settings, how many recordings it keeps, and its latest plan."""
    with database.read() as session:
        return term_view(session, client.name, term)


@router.post(
    "/{term}/plans",
    response_model=PlanView,
    status_code=201,
    summary="Compare a timetable with what the term keeps",
    response_description="The plan.",
    openapi_extra=BODY,
    responses={
        201: {"headers": LOCATION},
        202: {"model": PlanView, "description": "It is still being made.", "headers": LOCATION | RETRY},
        **responses(*CHANGING, BadRequest),
    },
)
async def create_plan(
    term: TermName,
    request: Request,
    client: Writer,
    terms: Answering,
    profile: Annotated[
        str | None,
        Query(
            max_length=64,
            description="Of a CSV file: `kaltura`, `banner`, `syllabus-plus`, or the term's own.",
            examples=["banner"],
        ),
    ] = None,
    complete: Annotated[
        bool,
        Query(
            description="Of a CSV file: whether it is all that the term has. Only then is anything missing.",
            examples=[True],
        ),
    ] = False,
    charset: Annotated[
        str | None,
        Query(max_length=32, description="Of a CSV file, where it is neither UTF-8 nor cp1252.", examples=["latin-1"]),
    ] = None,
    prefer: Prefer = None,
) -> Response:
    """Takes JSON, NDJSON (the declaration without its sections first, then one section a line) or CSV, up to 16 MiB and
    20,000 meetings. Nothing is changed: the plan says what would be, and guards say when somebody should look first."""
    return await terms.plan(client.name, term, request, profile, complete, charset, wait_of(prefer))


@router.get(
    "/{term}/plans/{plan_id}",
    summary="Show a plan",
    response_description="The plan.",
    responses=responses(*READING),
)
def get_plan(term: TermName, plan_id: PlanId, client: Reader, database: Reading) -> PlanView:
    """Also when it is blocked, expired, superseded or applied."""
    with database.read() as session:
        return showing.plan_view(session, client.name, term, plan_id)


@router.get(
    "/{term}/plans/{plan_id}/items",
    response_model=ItemPage,
    summary="List a plan's items",
    response_description="A page of items; all of them as `application/jsonl` or `text/csv`.",
    responses={
        200: {"content": {name: {"schema": {"type": "string"}} for name in _STREAMED}},
        **responses(*READING),
    },
)
def list_items(
    term: TermName,
    plan_id: PlanId,
    client: Reader,
    database: Reading,
    wanted: Wanted,
    accept: Annotated[str | None, Header(description="What the items are to be.", examples=["text/csv"])] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.", examples=[100])] = 100,
    cursor: Annotated[int, Query(ge=0, le=10**9, description="`next_cursor` of the page before.", examples=[100])] = 0,
) -> Any:
    """In the order of the declaration. `Accept: application/jsonl` or `text/csv` gives all of them at once."""
    with database.read() as session:
        plan = find_plan(session, client.name, term, plan_id)
        media_type = preferred(accept, ["application/json", *_STREAMED])
        if form := _STREAMED.get(media_type):
            return StreamingResponse(showing.lines(database, plan.id, wanted, form), media_type=media_type)
        return showing.items_page(session, client.name, term, plan_id, wanted, cursor, limit)


@router.post(
    "/{term}/plans/{plan_id}/apply",
    response_model=ApplyView,
    status_code=202,
    summary="Apply a plan",
    response_description="It is being applied.",
    responses={
        202: {"headers": LOCATION | RETRY},
        200: {"model": ApplyView, "description": "It is or was applied already.", "headers": LOCATION},
        **responses(*CHANGING, PlanNotReady, PlanBlocked, PlanSuperseded, PlanExpired, ApplyRunning),
    },
)
def apply_plan(
    term: TermName,
    plan_id: PlanId,
    client: Writer,
    _database: Writing,
    terms: Answering,
    asked: Annotated[ApplyIn | None, Body(openapi_examples={"a guard": {"value": {"allow": ["input_drop"]}}})] = None,
) -> Response:
    """Carries the plan out, once. An item whose recording has changed since the plan was made is stale, and the others
    are done. What a guard blocks is done only if `allow` names it."""
    return terms.apply(client.name, term, plan_id, list(asked.allow) if asked else [])


@router.get(
    "/{term}/applies/{apply_id}",
    summary="Show an apply",
    response_description="The apply.",
    responses=responses(*READING),
)
def get_apply(term: TermName, apply_id: ApplyId, client: Reader, database: Reading) -> ApplyView:
    """How far it has come, and what was not done."""
    with database.read() as session:
        return showing.apply_view(session, client.name, term, apply_id)


@router.post(
    "/{term}/applies/{apply_id}/stop",
    summary="Stop an apply",
    response_description="The apply.",
    responses=responses(*CHANGING),
)
def stop_apply(term: TermName, apply_id: ApplyId, client: Writer, _database: Writing, terms: Answering) -> ApplyView:
    """What has begun goes on, and nothing more is begun."""
    return terms.stop(client.name, term, apply_id)


@router.post(
    "/{term}/applies/{apply_id}/resume",
    summary="Resume an apply",
    response_description="The apply.",
    responses=responses(*CHANGING, PlanSuperseded, ApplyRunning),
)
def resume_apply(term: TermName, apply_id: ApplyId, client: Writer, _database: Writing, terms: Answering) -> ApplyView:
    """One that was stopped goes on with what it has not begun."""
    return terms.resume(client.name, term, apply_id)


@router.get(
    "/{term}/sections/{section:path}",
    summary="Say why a section is, or is not, recorded",
    response_description="The section.",
    responses=responses(*READING),
)
def get_section(term: TermName, section: Key, client: Reader, database: Reading) -> SectionView:
    """What the term keeps of it, since when it is missing, and what the latest plan says of it."""
    with database.read() as session:
        return showing.section_view(session, client.name, term, section)


@router.put(
    "/{term}/opt-outs/{who}/{id:path}",
    status_code=204,
    summary="Opt somebody, or a section, out",
    response_description="Opted out.",
    responses=responses(*CHANGING),
)
def opt_out(
    term: TermName,
    who: Who,
    id: WhoseId,
    client: Writer,
    _database: Writing,
    terms: Answering,
) -> None:
    """From the next plan on it is not recorded; what was recorded stays."""
    terms.opt(client.name, term, who, id, out=True)


@router.delete(
    "/{term}/opt-outs/{who}/{id:path}",
    status_code=204,
    summary="Take an opt-out back",
    response_description="Not opted out.",
    responses=responses(*CHANGING),
)
def opt_in(
    term: TermName,
    who: Who,
    id: WhoseId,
    client: Writer,
    _database: Writing,
    terms: Answering,
) -> None:
    """From the next plan on it is recorded again."""
    terms.opt(client.name, term, who, id, out=False)
