"""The Web API: POST /api/METHOD, as strict as Slack's; each module registers its methods."""
