"""The proxy in front of a fake emulator."""

import http.client
import threading

import fake_emulator
import proxy
import pytest

NO_ANSWER = (OSError, http.client.HTTPException)


def test_calls_pass_unchanged_on_kept_alive_connections(behind, through, client):
    for n in range(20):
        status, content, headers = client.call("DynamoDB_20120810.GetItem", {"n": n, "chunked": n % 2})
        assert (status, content["n"]) == (200, n) and headers["x-amz-crc32"] == "1234"
    assert behind.connections == 1
    assert [request.json()["n"] for request in through.requests] == list(range(20))
    request = through.requests[-1]
    assert (request.service, request.operation) == ("dynamodb", "GetItem")
    assert request.reply_json()["n"] == 19 and request.reply_status == 200


def test_on_request_may_answer_instead(behind, through, client):
    through.on_request = lambda request: (400, b'{"no": 1}') if request.json().get("bad") else None
    assert client.call("x.y", {"bad": 1})[:2] == (400, {"no": 1})
    assert client.call("x.y")[0] == 200
    assert len(behind.arrived) == 1 and len(through.requests) == 2


def test_layers_are_passed_from_the_first_to_the_last_and_back(behind, through, client):
    way = []

    def layer(name):
        def pass_on(request, proceed):
            way.append(name)
            reply = proceed(request)
            way.append(name)
            return reply

        return pass_on

    through.layers = [layer("outer"), layer("inner")]
    client.call("x.y")
    assert way == ["outer", "inner", "inner", "outer"]


def test_a_reset_is_a_reset_and_the_next_connection_works(behind, through, client):
    def refuse(request, proceed):
        raise proxy.Reset()

    through.layers = [refuse]
    with pytest.raises(ConnectionResetError):
        client.call("x.y")
    through.layers = []
    assert client.call("x.y")[0] == 200 and len(behind.arrived) == 1


def test_while_the_proxy_refuses_its_port_is_closed_and_kept_reserved(behind, through, client):
    assert client.call("x.y")[0] == 200
    with through.refusing():
        for _ in range(2):
            with pytest.raises(ConnectionError):
                client.call("x.y")
        with pytest.raises(ConnectionRefusedError):
            fake_emulator.Client(through.port).call("x.y")
    assert client.call("x.y")[0] == 200 and len(behind.arrived) == 2


def test_while_the_proxy_hangs_calls_arrive_and_are_never_passed_on(behind, through, client):
    outcome = []

    def call():
        try:
            outcome.append(client.call("x.y"))
        except NO_ANSWER as error:
            outcome.append(error)

    with through.hanging():
        caller = threading.Thread(target=call)
        caller.start()
        caller.join(0.2)
        assert caller.is_alive()
    caller.join(5)
    assert isinstance(outcome[0], NO_ANSWER) and not behind.arrived
    assert client.call("x.y")[0] == 200


def test_a_call_is_never_sent_twice(behind, through):
    """When the emulator closes a connection in the middle of an answer, so does the proxy."""
    behind.answer = lambda target, content: 1 / 0
    behind.handle_error = lambda *_: None
    client = fake_emulator.Client(through.port)
    with pytest.raises(NO_ANSWER):
        client.call("x.y")
    client.close()
    assert len(behind.arrived) == 1
