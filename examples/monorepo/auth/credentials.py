"""What counts as an e-mail address and as a password here. Refuses before anything is hashed or stored."""

from __future__ import annotations

import re

from auth.errors import MalformedInputError

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")  # who owns it, only a mail to it can tell
_EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3: a path has 256 octets, two of them angle brackets
_PASSWORD_MIN = 8  # NIST SP 800-63B, 5.1.1.1
_PASSWORD_MAX = 1024  # a hash of a megabyte of password is somebody else's use of our processor


def checked_email(email: str) -> str:
    """Return the address without the blanks around it.

    Raises:
        MalformedInputError: it cannot be one.
    """
    email = _encodable("email", email).strip()
    if len(email.encode()) > _EMAIL_MAX or _EMAIL.fullmatch(email) is None:
        raise MalformedInputError(f"email must be an address of the form name@domain, of at most {_EMAIL_MAX} bytes")
    return email


def checked_new_password(password: str) -> str:
    """Return the password as it is.

    Raises:
        MalformedInputError: too short, too long, or not text.
    """
    if len(password) < _PASSWORD_MIN:
        raise MalformedInputError(f"password must have at least {_PASSWORD_MIN} characters")
    return checked_password(password)


def checked_password(password: str) -> str:
    """Return the password as it is; for a log-in, where what it had to be at sign-up is of no account.

    Raises:
        MalformedInputError: too long, or not text.
    """
    if len(password) > _PASSWORD_MAX:
        raise MalformedInputError(f"password must have at most {_PASSWORD_MAX} characters")
    return _encodable("password", password)


def _encodable(field: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as cause:  # JSON can spell half a surrogate pair, UTF-8 cannot
        raise MalformedInputError(f"{field} is not valid Unicode") from cause
    return text
