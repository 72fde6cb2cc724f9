"""Opening a Docker sandbox that is not waited for to its end."""

import asyncio
import contextlib

import pytest

from agentcli.core.sandbox import SandboxSpec
from agentcli.sandbox import docker as backend
from agentcli.sandbox import engine
from tests.sandbox.box import wait_until

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2, 0.4])
def test_a_cancel_while_it_opens_leaves_no_container(
    docker_spec: SandboxSpec, after_s: float
) -> None:
    run = f"cancelled-run-{after_s}"

    async def main() -> None:
        opening = asyncio.create_task(backend.open_sandbox(docker_spec, run))
        await asyncio.sleep(after_s)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await opening).close()

    asyncio.run(main())
    client = engine.connect()
    filters = {"label": f"{engine.RUN_LABEL}={run}"}
    try:
        assert wait_until(lambda: client.api.containers(all=True, filters=filters) == [])
    finally:
        client.close()
