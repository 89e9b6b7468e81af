"""People and workspaces: profile, settings, access, quotas."""
