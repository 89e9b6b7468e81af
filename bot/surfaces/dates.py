"""Moments as Slack shows them: in the time zone and the manner of whoever looks."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def day(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return the date as mrkdwn; where Slack cannot show it, that of `zone`.

    Source: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    return f"<!date^{int(moment.timestamp())}^{{date_short}}|{plain_day(moment, zone)}>"


def minute(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return date and time as mrkdwn; where Slack cannot show it, those of `zone`."""
    local = moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return f"<!date^{int(moment.timestamp())}^{{date_short}} {{time}}|{local}>"


def plain_day(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return the date alone, for text that is no mrkdwn."""
    return moment.astimezone(zone).date().isoformat()
