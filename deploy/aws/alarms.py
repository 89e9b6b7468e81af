"""Alarms for the operator: errors, dead letters, and old unprocessed work."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from deploy.aws.functions import Functions

_PERIOD = Duration.minutes(5)
OLD_SECONDS = 300


class Alarms(Construct):
    """One topic; `email`, if given, is subscribed to it."""

    def __init__(
        self, scope: Construct, name: str, *, functions: Functions, email: str | None
    ) -> None:
        super().__init__(scope, name)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        front, worker = functions.front, functions.worker
        self._alarm("FrontErrors", front.metric_errors(period=_PERIOD), 1, "The front failed.")
        self._alarm("WorkerErrors", worker.metric_errors(period=_PERIOD), 1, "The worker failed.")
        self._alarm(
            "WorkerThrottles",
            worker.metric_throttles(period=_PERIOD),
            10,
            "More work than the account's concurrency lets through.",
        )
        self._alarm(
            "DeadLetters",
            functions.dead_letters.metric_approximate_number_of_messages_visible(period=_PERIOD),
            1,
            "An event was given up: it lies in the dead-letter queue.",
        )
        self._alarm(
            "AgeOfWork",
            worker.metric("AsyncEventAge", statistic="Maximum", period=_PERIOD),
            OLD_SECONDS * 1000,
            "Events wait for the worker for more than five minutes.",
        )

    def _alarm(
        self, name: str, metric: cloudwatch.Metric, threshold: float, description: str
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
