"""A session's options: copied when it is made, kept by the server, changed by what is passed."""

from __future__ import annotations

from typing import Any

import pytest

import jupyter_bgdl as bgdl

Notebooks = Any


def test_defaults_are_those_of_the_original() -> None:
    configuration = bgdl.SessionConfiguration.background("defaults")
    assert configuration.discretionary is False
    assert configuration.sends_launch_events is True
    assert (configuration.timeout_for_request, configuration.timeout_for_resource) == (60, 604800)
    assert configuration.maximum_connections_per_host == 6


@pytest.mark.parametrize("name", ["discretionary", "sends_launch_events"])
@pytest.mark.parametrize("wrong", [1, "yes", None])
def test_a_switch_is_true_or_false(name: str, wrong: Any) -> None:
    configuration = bgdl.SessionConfiguration.background("switches")
    with pytest.raises(bgdl.InvalidRequest, match=name):
        setattr(configuration, name, wrong)


def test_it_always_waits_for_connectivity() -> None:
    configuration = bgdl.SessionConfiguration.background("waits")
    with pytest.raises(TypeError, match="no option 'waits_for_connectivity'"):
        configuration.waits_for_connectivity = False  # type: ignore[attr-defined]


def test_what_is_passed_wins_and_is_reported_and_what_is_left_out_stays(
    notebooks: Notebooks,
) -> None:
    kernel = notebooks.open()
    shown = kernel.run("""
import jupyter_bgdl as bgdl
configuration = bgdl.SessionConfiguration.background("kept")
configuration.discretionary = True
configuration.timeout_for_request = 30
session = bgdl.Session(configuration)
configuration.discretionary = False
print(session.configuration.discretionary, session.configuration.sends_launch_events)
""")
    assert shown == "True True\n", "a new session reports nothing; later changes don't count"
    notebooks.shut_down(kernel)
    kernel = notebooks.open()
    shown = kernel.run("""
import jupyter_bgdl as bgdl
session = bgdl.background_session("kept", sends_launch_events=False, timeout_for_request=30)
print(session.configuration.discretionary, session.configuration.sends_launch_events)
session = bgdl.background_session("kept", discretionary=False)
print(session.configuration)
""")
    assert shown.splitlines() == [
        "kept: sends_launch_events is now False (was True).",
        "True False",
        "kept: discretionary is now False (was True).",
        "<SessionConfiguration 'kept', timeout_for_request=30.0, timeout_for_resource=604800.0, "
        "maximum_connections_per_host=6, discretionary=False, sends_launch_events=False>",
    ]
