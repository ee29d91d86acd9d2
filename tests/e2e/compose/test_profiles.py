"""The other profiles: a container for each role, and bodies in an S3 server."""

import shutil

import pytest

from mailraven.testing.cluster import until
from mailraven.testing.compose_project import ComposeProject
from mailraven.testing.traffic import Traffic, subjects

pytestmark = [
    pytest.mark.compose,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed"),
]
ROLES = ("mx", "submission", "imap", "delivery", "admin")
LARGE = 50_000  # octets: above blobs.inline_max


def deliver_around_a_death(project: ComposeProject, victim: str) -> None:
    """Mail from outside and from a user, while a service dies."""
    project.mailraven("domain", "add", "example.test")
    people = [project.add_person("anna@example.test")]
    project.lift_limits(*people)
    smtp, imaps = project.address("SMTP"), project.address("IMAPS")
    outside = Traffic(smtp, imaps, people, name="outside", size=LARGE)
    submitted = Traffic(project.address("SUBMISSION"), imaps, people, name="submitted", submitter=people[0])
    with outside, submitted:
        until(lambda: outside.acknowledged() > 20 and submitted.acknowledged() > 5, "deliveries", seconds=120)
        project.kill(victim)
        seen = outside.acknowledged()
        until(lambda: outside.acknowledged() > seen + 20, "deliveries after it", seconds=120)
        if victim in ROLES:
            project.until_well(victim)
    for flow in (outside, submitted):
        result = flow.settle()
        assert not result.missing, result
        assert not result.duplicated, result
    before = subjects(imaps, people[0])
    project("down")
    project.up()
    assert subjects(imaps, people[0]) == before
    assert "PROBLEM" not in project.mailraven("verify", "data", "--deep")


def test_a_container_for_each_role(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project(COMPOSE_PROFILES="scale")
    project.start()
    assert set(project("ps", "--services").split()) == {*ROLES, "postgres"}
    for role in ROLES:
        assert project.inspect(role)["Config"]["Cmd"] == ["serve", role]
    deliver_around_a_death(project, "mx")
    project("up", "--detach", "--wait", "--scale", "delivery=2")
    assert len(project.container("delivery").split()) == 2


def test_bodies_in_the_s3_server(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project(COMPOSE_PROFILES="s3", MAILRAVEN_BLOBS__KIND="s3")
    project.start()
    assert set(project("ps", "--services").split()) == {"server", "s3", "postgres"}
    s3 = project.inspect("s3")
    assert s3["HostConfig"]["ReadonlyRootfs"]
    assert s3["HostConfig"]["CapDrop"] == ["ALL"]
    assert s3["Config"]["User"] == "10001:10001"
    deliver_around_a_death(project, "s3")
    kept = project("exec", "-T", "s3", "sh", "-c", "find /s3/mailraven -type f | wc -l")
    assert int(kept) > 20


def test_a_container_for_each_role_beside_the_s3_server(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project(COMPOSE_PROFILES="scale-s3", MAILRAVEN_BLOBS__KIND="s3")
    project.start()
    assert set(project("ps", "--services").split()) == {*ROLES, "postgres", "s3"}
    deliver_around_a_death(project, "imap")


def test_a_profile_may_be_chosen_on_the_command_line(make_project) -> None:  # type: ignore[no-untyped-def]
    project = make_project()
    for profile, services in (
        ("single", {"server"}),
        ("scale", {*ROLES}),
        ("s3", {"server", "s3"}),
        ("scale-s3", {*ROLES, "s3"}),
    ):
        found = set(project("--profile", profile, "config", "--services").split())
        assert found == {*services, "postgres", "migrate"}
