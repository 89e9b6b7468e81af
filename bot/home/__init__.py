"""App Home: one person's own page, published when they open it and after a click in it."""
