"""A real broker for tests: mosquitto on a port of its own, that can be killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .processes import until

__all__ = ["Mosquitto", "certificates", "free_port", "program"]

#: Debian puts it where only the administrator's path leads.
PLACES = (None, "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def program() -> str:
    """The path of mosquitto; without it the test is skipped, and fails where the project's own checks run."""
    found = next((path for place in PLACES if (path := shutil.which("mosquitto", path=place))), None)
    if found is None:
        if os.environ.get("SUBSECOND_CI"):
            pytest.fail("mosquitto is not installed")
        pytest.skip("mosquitto is not installed")
    return found


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Mosquitto:
    """A broker.

    Attributes:
        lines: of its configuration, besides listener and anonymous access.
        login: user and password that all must show.
        tls: folder of `certificates`; None: no encryption.
    """

    folder: Path
    lines: tuple[str, ...] = ()
    login: tuple[str, str] | None = None
    tls: Path | None = None
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without a password."""
        user = f"{self.login[0]}@" if self.login else ""
        scheme, host = ("mqtt", "127.0.0.1") if self.tls is None else ("mqtts", "localhost")
        return f"{scheme}://{user}{host}:{self.port}/test"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Mosquitto:
        """Start it, at the same port as before if it ran before."""
        where = program()
        lines = [f"listener {self.port} 127.0.0.1", "set_tcp_nodelay true", *self.lines]
        if os.geteuid() == 0:
            lines.append("user root")  # it would give its rights up, and could not read the test's folder
        if self.login is None:
            lines.append("allow_anonymous true")
        else:
            passwords = self.folder / "passwords"
            passwords.write_text("{}:{}\n".format(*self.login))
            passwords.chmod(0o600)
            subprocess.run([shutil.which("mosquitto_passwd") or "mosquitto_passwd", "-U", passwords], check=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        if self.tls is not None:
            lines += [f"certfile {self.tls / 'server.pem'}", f"keyfile {self.tls / 'server.key'}"]
        config, log = self.folder / "mosquitto.conf", self.folder / "mosquitto.log"
        config.write_text("\n".join(lines) + "\n")
        with log.open("ab") as out:
            self._process = subprocess.Popen([where, "-c", config], stdout=out, stderr=out)
        until(self._listens, "mosquitto listens", log.read_text)
        return self

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """Kill it: what it has in memory alone is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Mosquitto:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def certificates(folder: Path) -> Path:
    """Makes an authority `ca.pem`, and a certificate of `localhost` that it has signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        if os.environ.get("SUBSECOND_CI"):
            pytest.fail("openssl is not installed")
        pytest.skip("openssl is not installed")
    new = [openssl, "req", "-newkey", "rsa:2048", "-nodes", "-keyout"]
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    for command in (
        [*new, "ca.key", "-x509", "-days", "2", "-subj", "/CN=test authority", "-out", "ca.pem"],
        [*new, "server.key", "-subj", "/CN=localhost", "-out", "server.csr"],
        [
            *(openssl, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", "names", "-out", "server.pem"),
        ],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder
