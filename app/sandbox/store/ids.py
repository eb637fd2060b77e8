"""Entry and token ids: the data centre's number, then eight characters, e.g. `1_erl8rgx8`."""

import secrets
import string

CHARACTERS = string.ascii_lowercase + string.digits


def new_id(prefix: str) -> str:
    return f"{prefix}_" + "".join(secrets.choice(CHARACTERS) for _ in range(8))
