-- Nothing reads or writes these tables any more: Slack's limits are remembered by each process, and a
-- mention that is delivered late reads its thread from Slack (docs/decisions/0032 and 0033).
DROP TABLE overheard;
DROP TABLE slack_budgets;
