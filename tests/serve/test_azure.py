"""A supplier with Azure's shape: the deployment in the path, a version, a header for the key."""

from pathlib import Path

from openai import OpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.providers import Directory, provider_elsewhere
from archipel.serve.routing import Policy, Target
from archipel.serve.setting_tables import ProviderTable
from tests.serve.scripted import hosted_in_thread

_PATH = "/openai/deployments/{deployment}/chat/completions"


def test_a_model_is_a_deployment_and_the_key_a_header(tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    async def chat(request: Request) -> Response:
        seen.update(request.headers)
        seen.update(request.query_params)
        message = {"role": "assistant", "content": request.path_params["deployment"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        return JSONResponse({**answer, "choices": [choice]})

    (tmp_path / "key").write_text("the-key\n")
    policy = Policy("chat", (Target("sky", "ours", is_here=False),))
    with hosted_in_thread(Starlette(routes=[Route(_PATH, chat, methods=["POST"])])) as url:
        table = ProviderTable(kind="azure", url=url, key_file=tmp_path / "key")
        directory = Directory({"chat": policy}, {"sky": provider_elsewhere("sky", table)})
        with (
            hosted_in_thread(create_app(directory, LocalAccess())) as gateway,
            OpenAI(base_url=f"{gateway}/v1", api_key="none", max_retries=0) as client,
        ):
            answer = client.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "Hi"}]
            )
    assert answer.choices[0].message.content == "ours"
    assert (seen["api-key"], seen["api-version"]) == ("the-key", "2024-10-21")
    assert "authorization" not in seen
