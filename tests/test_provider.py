"""The loopback provider keeps its own promises, so that tests may lean on it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.provider import Provider

pytestmark = pytest.mark.slow

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def post(port: int, body: dict[str, Any] = BODY) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read()
    finally:
        connection.close()


def test_the_same_body_hears_the_same_answer_from_any_provider() -> None:
    with Provider() as one, Provider(seed=5) as other:
        assert post(one.port)[2] == post(other.port)[2]
        assert one.calls == one.answers == other.calls == 1


def test_faults_follow_from_the_seed() -> None:
    def statuses(seed: int) -> list[int]:
        with Provider(faults={"500": 0.3, "429-seconds": 0.2}, seed=seed) as provider:
            return [post(provider.port)[0] for _ in range(60)]

    assert statuses(1) == statuses(1)
    assert set(statuses(1)) == {200, 429, 500}


def test_a_rate_cap_lets_so_many_calls_through() -> None:
    with Provider(rate=20, retry_after=0.1) as provider:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            post(provider.port)
        assert 20 <= provider.answers <= 40
        assert provider.hits["429-seconds"] > 0


def test_coming_back_too_early_is_counted() -> None:
    with Provider(script=["429-ms"], retry_after=0.5) as provider:
        assert post(provider.port)[1]["retry-after-ms"] == "500"
        assert post(provider.port)[0] == 200
        assert provider.undercut == 1


def test_an_outage_ends() -> None:
    with Provider(outage=(0.0, 0.3)) as provider:
        assert post(provider.port)[0] == 503
        time.sleep(0.35)
        assert post(provider.port)[0] == 200


def test_a_key_may_be_asked_for() -> None:
    with Provider(key="right") as provider:
        assert post(provider.port)[0] == 401


def test_a_misspelt_fault_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such faults"):
        Provider(faults={"429-second": 0.1})


def test_it_runs_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.provider", "--fault", "500=1.0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().strip().rpartition(":")[2])
            assert post(port)[0] == 500
        finally:
            process.terminate()
