"""The options that say which broker is meant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from subsecond.engine.errors import InputError
from subsecond.engine.telemetry.broker import Broker, read_broker

__all__ = ["EMBEDDED", "MqttOptions"]

#: Stands for a broker of our own, in this process.
EMBEDDED: Final = "embedded"


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """What `--mqtt` and its companions say.

    Attributes:
        url: None: no broker is meant.
        control: commands that come over it are obeyed.
    """

    url: str | None
    password_file: Path | None = None
    ca: Path | None = None
    control: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether a broker of our own is meant."""
        return self.url == EMBEDDED

    def broker(self, url: str | None = None) -> Broker | None:
        """The broker; None: none is meant.

        Args:
            url: its address if it is not the one that the user gave.

        Raises:
            InputError: an option cannot be used, or another one is missing.
        """
        if self.url is None:
            for option, value in (("--mqtt-password-file", self.password_file), ("--mqtt-ca", self.ca)):
                if value is not None:
                    raise InputError(option, "", str(value), "a broker beside it (--mqtt)")
            if self.control:
                raise InputError("--mqtt-control", "", "no broker", "a broker beside it (--mqtt)")
            return None
        password = self._password()
        if password is None and "@" in (url or self.url):
            password = os.environ.get("SUBSECOND_MQTT_PASSWORD") or None
        return read_broker(url or self.url, password=password, ca=self.ca)

    def arguments(self) -> list[str]:
        """The same options for another process; the password of the environment goes there by itself."""
        given = (("--mqtt", self.url), ("--mqtt-password-file", self.password_file), ("--mqtt-ca", self.ca))
        words = [word for option, value in given if value is not None for word in (option, str(value))]
        return [*words, "--mqtt-control"] if self.control else words

    def _password(self) -> str | None:
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not text"
            expected = f"a file that holds the password ({why})"
            raise InputError("--mqtt-password-file", "", str(self.password_file), expected) from None
