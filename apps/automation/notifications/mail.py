"""A message as mail."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from urllib.parse import unquote

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_url
from guardianflow.support.network.addresses import ForbiddenAddressError, guarded_socket

from .channels import (
    DEADLINE_S,
    Message,
    RefusedError,
    RejectedError,
    UncertainError,
    forbidden,
)

SUBJECT_LENGTH = 120
PORTS = {"smtp": 587, "smtps": 465}


class Mail:
    """A mail server.

    Args:
        server: smtp://USER:PASSWORD@HOST:PORT, with STARTTLS where it is offered, or smtps://.
            A password is never sent without TLS.
        private_hosts: of one's own network, that it may lie in.

    Raises:
        ConfigurationError: all that is missing or can't be.
    """

    name = "mail"

    def __init__(
        self,
        server: str,
        sender: str,
        readers: Sequence[str],
        private_hosts: Sequence[str] = (),
        timeout_s: float = DEADLINE_S,
    ) -> None:
        url = given_url(server)
        problems = []
        if url.scheme not in PORTS or not url.hostname:
            problems.append(
                "GUARDIANFLOW_ALERTS_MAIL_SERVER must be an address like smtp://HOST:587, but its "
                f"scheme is '{url.scheme}'"
            )
        for name, addresses in (("FROM", [sender]), ("TO", list(readers) or [""])):
            problems += [
                f"GUARDIANFLOW_ALERTS_MAIL_{name} must be an address like name@host but got "
                f"'{each}'"
                for each in addresses
                if "@" not in each or not each.isprintable() or " " in each
            ]
        if problems:
            raise ConfigurationError(problems)
        self._tls, self._host = url.scheme == "smtps", url.hostname or ""
        self._port = url.port or PORTS[url.scheme]
        self._user, self._password = unquote(url.username or ""), unquote(url.password or "")
        self._sender, self._readers = sender, list(readers)
        self._private_hosts, self._timeout_s = private_hosts, timeout_s

    def send(self, message: Message) -> str:
        try:
            server = self._connected()
        except smtplib.SMTPAuthenticationError as exc:
            raise RejectedError(f"{self._host} refuses the login: {exc.smtp_code}") from exc
        except ForbiddenAddressError as exc:
            raise RefusedError(forbidden(exc)) from exc
        except (OSError, smtplib.SMTPException) as exc:
            raise RefusedError(f"{self._host} can't be reached: {exc}") from exc
        try:
            refused = self._addressed(server)
            self._handed_over(server, message)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
        return f"refused readers: {', '.join(refused)}" if refused else ""

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        server = _Guarded(
            self._host, self._port, self._timeout_s, self._private_hosts, context, tls=self._tls
        )
        try:
            server.ehlo_or_helo_if_needed()
            encrypted = self._tls
            if not encrypted and server.has_extn("starttls"):
                server.starttls(context=context)
                encrypted = True
            if self._password:
                if not encrypted:
                    raise RejectedError(
                        f"{self._host} offers no TLS, and a password is not sent without it"
                    )
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _addressed(self, server: smtplib.SMTP) -> list[str]:
        """Name sender and readers; the readers that the server refuses, if it takes any.

        Nothing has been handed over when this fails.
        """
        try:
            answers = [("", *server.mail(self._sender))]
            readers = [(each, *server.rcpt(each)) for each in self._readers]
        except (OSError, smtplib.SMTPException) as exc:
            raise RefusedError(f"{self._host} went away: {exc}") from exc
        refused = [each for each in readers if each[1] >= 400]
        if len(refused) == len(readers):
            answers += refused
        for _, code, said in answers:
            if code >= 400:
                kind = RejectedError if code >= 500 else RefusedError
                raise kind(f"{self._host} answered {code} {said.decode(errors='replace')[:200]}")
        return [each for each, _, _ in refused]

    def _handed_over(self, server: smtplib.SMTP, message: Message) -> None:
        try:
            code, said = server.data(self._mail_of(message).as_bytes())
        except smtplib.SMTPDataError as exc:  # before the text: it was not taken
            raise RefusedError(f"{self._host} answered {exc.smtp_code}") from exc
        except (OSError, smtplib.SMTPException) as exc:
            raise UncertainError(f"{self._host} did not say whether it took it: {exc}") from exc
        if code != 250:
            kind = RejectedError if code >= 500 else RefusedError
            raise kind(f"{self._host} answered {code} {said.decode(errors='replace')[:200]}")

    def _mail_of(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        subject = message.text.replace("\n", " ").replace("\r", " ")
        mail["Subject"] = f"[GuardianFlow] {subject[:SUBJECT_LENGTH]}"
        mail["From"], mail["To"] = self._sender, ", ".join(self._readers)
        mail["Message-ID"] = f"<{message.message_id}@guardianflow>"
        mail.set_content(message.text)
        return mail


class _Guarded(smtplib.SMTP):
    """Connects to no private address but those that are allowed; with TLS at once if told."""

    def __init__(
        self,
        host: str,
        port: int,
        timeout_s: float,
        allowed: Sequence[str],
        context: ssl.SSLContext,
        *,
        tls: bool,
    ) -> None:
        self._allowed, self._context = allowed, context if tls else None
        super().__init__(host, port, timeout=timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = guarded_socket((host, port), timeout, self._allowed)
        return self._context.wrap_socket(plain, server_hostname=host) if self._context else plain
