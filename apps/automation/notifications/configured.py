"""The channels that the settings name."""

from __future__ import annotations

from guardianflow.contracts.errors import ConfigurationError, Problems
from guardianflow.support.secrets.redaction import learn, learn_text
from pipelines.settings import Settings

from .channels import Channel
from .mail import Mail
from .webhook import Webhook


def channels_of(settings: Settings) -> list[Channel]:
    """A webhook, mail, both or none.

    Raises:
        ConfigurationError: all that is wrong with their settings.
    """
    problems, found = Problems(), list[Channel | None]()
    if settings.alerts_webhook is not None:
        url = settings.alerts_webhook.get_secret_value()
        secret = settings.alerts_webhook_key
        key = secret.get_secret_value() if secret else ""
        learn(url)
        found.append(problems.of(lambda: Webhook(url, key, settings.private_hosts)))
    if settings.alerts_mail_server is not None:
        server = settings.alerts_mail_server.get_secret_value()
        learn_text(server)
        readers = [each.strip() for each in settings.alerts_mail_to.split(",") if each.strip()]
        sender, private = settings.alerts_mail_from, settings.private_hosts
        found.append(problems.of(lambda: Mail(server, sender, readers, private)))
    if problems:
        raise ConfigurationError(problems)
    return [each for each in found if each is not None]
