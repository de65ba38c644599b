# SPDX-License-Identifier: Apache-2.0
"""What integration tests are written with: the system under test, raw clients, waiting by condition."""
from harness.check import Failure, Skip, check, clocked, equal, has, limit, starts, timed
from harness.process import Process, find_program, last_lines
from harness.relay import Relay, redis_kind
from harness.system import API_KEY, BASE, PROMPT, SECRET, System
from harness.tokens import claims_of, token
from harness.wait import PATIENCE, wait_for
from harness.web import Response, http_request
from harness.ws import Closed, WebSocket

__all__ = ["API_KEY", "BASE", "PATIENCE", "PROMPT", "SECRET", "Closed", "Failure", "Process", "Relay", "Response", "Skip",
           "System", "WebSocket", "check", "claims_of", "clocked", "equal", "find_program", "has", "http_request",
           "last_lines", "limit", "redis_kind", "starts", "timed", "token", "wait_for"]
