"""Files and batches against their part of the OpenAPI document."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from archipel.serve.annex import Annex
from archipel.serve.batches.description import PATHS, SCHEMAS
from archipel.serve.openapi import document
from tests.serve.accounts.batches.desk import Desk, begin, line, until
from tests.serve.accounts.conftest import add_key

_DOCUMENT = document(Annex((), PATHS, SCHEMAS))
_SCHEMA = schemathesis.openapi.from_dict(_DOCUMENT)
_OPERATIONS = [one.ok() for one in _SCHEMA.get_all_operations() if one.ok().path in PATHS]
# An id that nobody has, and a file that is not there, are refused; a form's other parts are not.
_NOT_SAID: Any = [positive_data_acceptance, negative_data_rejection]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_answers_are_as_the_document_says(desk: Desk) -> None:
    secret = add_key(desk.accounts)
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{desk.url}/openapi.json").json() == _DOCUMENT
    with desk.client(secret) as client:
        batch = until(client, begin(client, line("a")).id, "completed")
        of_messages = line("a", url="/v1/messages")
        made = begin(client, of_messages, endpoint="/v1/messages")
        until(client, made.id, "completed")
    ids = {"batches": batch.id, "files": batch.output_file_id, "messages": made.id}

    def ask(operation: Any, mode: Any) -> None:
        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=8,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask_one(case: Any) -> None:
            if "id" in (case.path_parameters or {}) and operation.method != "delete":
                case.path_parameters["id"] = ids[operation.path.split("/")[2]]
            response = case.call_and_validate(
                base_url=desk.url, headers=headers, timeout=20, excluded_checks=_NOT_SAID
            )
            assert response.status_code < 500

        ask_one()

    for operation in _OPERATIONS:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            if mode == schemathesis.GenerationMode.POSITIVE or operation.method == "post":
                ask(operation, mode)
