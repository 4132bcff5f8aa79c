"""`guardianflow dashboard`: serves the application until it is stopped."""

from __future__ import annotations

import socket
from contextlib import closing

from apps.automation.place import board_if_rules, ledger_of
from apps.cli.metrics.options import DashboardCommand
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.support.secrets.redaction import learn
from guardianflow.support.terminal import say, write
from pipelines.metrics.place import open_metrics
from pipelines.settings import Settings, load_settings
from pipelines.wiring import connect

from .access import is_loopback
from .sources import Sources
from .upkeep import EVERY_S

TOKEN_VARIABLE = "GUARDIANFLOW_DASHBOARD_TOKEN"
SHORTEST_TOKEN = 16


def serve_dashboard(asked: DashboardCommand) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: no token for others than this machine, or one that is easily guessed;
            the address is taken; every problem of the file of triggers.
    """
    import uvicorn

    from .app import create_app

    settings = load_settings()
    given = settings.dashboard_token.get_secret_value() if settings.dashboard_token else ""
    token = checked_token(asked.host, asked.token or given)
    metrics = open_metrics(settings)
    sources = Sources(
        metrics,
        lambda: connect(settings.tracking_uri),
        given_path(asked.experiments),
        board_if_rules(settings, metrics, asked.rules),
    )
    if sources.board is None:
        say(
            "there is no configs/triggers.yaml and no --rules: no alerts are shown, and every "
            "site's state is unknown"
        )
    ledger = sources.board.ledger if sources.board else ledger_of(settings, metrics)
    app = create_app(
        sources,
        token,
        promotion_token=checked_promotion_token(settings, token),
        read_log=lambda: tuple(reversed(ledger.read().orders.values())),
        upkeep_every_s=EVERY_S,
        tell=say,
    )
    with closing(_listening(asked.host, asked.port)) as listening:
        host, port = listening.getsockname()[:2]
        write(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        say(f"the metrics store is {sources.metrics.address}; stop with Ctrl-C")
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def checked_token(host: str, token: str) -> str:
    """The token. Raises ConfigurationError where there must be one, or a better one."""
    if not token and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host} lets others than this machine ask: that needs a token. Give one of at "
            f"least {SHORTEST_TOKEN} characters in {TOKEN_VARIABLE} (or --token, which others on "
            "this machine can see), e.g. the output of `openssl rand -hex 24`"
        )
    if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ConfigurationError(
            f"the token must be at least {SHORTEST_TOKEN} printable ASCII characters, but got "
            f"{len(token)}"
        )
    if token:
        learn(token)
    return token


def checked_promotion_token(settings: Settings, token: str) -> str:
    """The token of promotions; '' where they are off.

    Raises:
        ConfigurationError: one that is easily guessed, or the one that only looks.
    """
    given = settings.dashboard_promotion_token
    if given is None:
        return ""
    own = given.get_secret_value()
    if len(own) < SHORTEST_TOKEN or own == token:
        raise ConfigurationError(
            f"GUARDIANFLOW_DASHBOARD_PROMOTION_TOKEN must have at least {SHORTEST_TOKEN} "
            "characters and be another one than the dashboard's: who may look may not promote. "
            "Take the output of `openssl rand -hex 24`"
        )
    learn(own)
    return own


def _listening(host: str, port: int) -> socket.socket:
    """A socket at the address. Raises ConfigurationError: it is taken, or is no address of ours."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as exc:
        raise ConfigurationError(
            f"{host}:{port} can't be listened at: {exc}. Name another --port, or another --host"
        ) from exc
