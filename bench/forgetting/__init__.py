"""Forgetting and leaking, measured on data that others published: GateMem and ForgetEval-Adv.

The app runs in this process, on PostgreSQL and the playground's Slack. A model that only repeats
what it is sent takes the place of both models, so what counts is what reaches its prompt.
"""
