"""What the server says of its work; it leaves the machine only if OTEL_* variables name a receiver.

stages          Stage          a step of a question -> a line of the log, and a span and metrics if telemetry is on
open_telemetry  OpenTelemetry  stages -> spans with OpenInference's names, and metrics

The log itself, and the ids of requests, are in ingest/home/log.py.
"""
