"""What people who log in are told of connecting programs."""

from concurrent.futures import ThreadPoolExecutor

from tests.assistant.people.conftest import House


def test_nobody_is_told_nothing(house: House) -> None:
    assert house.call(None, "GET", "connect").status_code == 401
    assert house.call(None, "POST", "connect/try", {"what": "models"}).status_code == 401


def test_the_command_for_a_key_is_the_persons_own(house: House) -> None:
    found = house.call("ana", "GET", "connect").json()
    assert found["order"].endswith(" --person ana")
    assert found["address"] == f"{house.service}/v1"


def test_a_test_is_asked_for_the_person_by_a_pseudonym(house: House) -> None:
    body = {"what": "chat", "model": "island"}
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(house.call, "ana", "POST", "connect/try", body)
        user = house.supplier.asked()["user"]
        house.supplier.say("Hi")
        house.supplier.finish()
        assert answer.result().json()["text"] == "Hi"
    assert len(user) == 32
    assert "ana" not in user
