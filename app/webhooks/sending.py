"""A notice as its receiver gets it: signed as Standard Webhooks say (https://www.standardwebhooks.com).

The body is the notice as `GET /notices` shows it. `webhook-id` is the notice's id, the same at each try;
`webhook-timestamp` is the time of this one, in seconds since 1970.
"""

from standardwebhooks import Webhook as Signer

from app.database.types import new_id, utc_now
from app.notices.reading import NoticeView
from app.webhooks.address import Target
from app.webhooks.exchange import Sender

TEST = "webhook.test"


def send(sender: Sender, target: Target, secret: str, notice: NoticeView) -> None:
    """Returns when the receiver has taken it. Raises Undeliverable."""
    body, now = notice.model_dump_json(), utc_now()
    headers = {
        "webhook-id": notice.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(notice.id, now, body),
    }
    sender.post(target, headers, body.encode())


def of_no_meaning(client: str | None) -> NoticeView:
    """One that says nothing. It is in no list, and is not tried again."""
    data = {"detail": "Lectern can reach you, and you can verify what it signs."}
    return NoticeView(id=new_id("ntc"), type=TEST, timestamp=utc_now(), client=client, data=data)
