"""A proxy in front of a fake emulator, for the tests of the proxy and its layers."""

import fake_emulator
import proxy
import pytest


@pytest.fixture
def behind():
    with fake_emulator.FakeEmulator() as running:
        yield running


@pytest.fixture
def through(behind):
    with proxy.Proxy(behind.url) as running:
        yield running


@pytest.fixture
def client(through):
    made = fake_emulator.Client(through.port)
    yield made
    made.close()
